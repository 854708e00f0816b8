"""`flask users`, `roles`, `tokens` and `data`: what whoever runs the server can do without logging in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from pydantic import BaseModel, ValidationError

from app.accounts.schemas.internal import LoginRow
from app.accounts.schemas.keys import ApiKeyCreate
from app.accounts.services.accounts import AccountService
from app.accounts.services.guessing import Guessing
from app.accounts.services.keys import KeyService
from app.accounts.services.passwords import PasswordService
from app.accounts.services.personal_data import PersonalDataService
from app.accounts.services.registration import RegistrationService
from app.accounts.services.roles import RoleService
from app.security import ADMINISTRATOR, COMMAND, Permission
from app.settings import Settings
from app.users.schemas import UserCreate, UserUpdate
from app.users.services import UserService
from carboy.commands.data import data
from carboy.di.lifecycle import opened
from carboy.di.wiring import current_container
from carboy.errors import CarboyError
from carboy.mail.templating import MailTemplates
from carboy.security.tokens import Token

T = TypeVar("T")
SchemaT = TypeVar("SchemaT", bound=BaseModel)
Work = Callable[[Any], Awaitable[T]]

SCOPES = [permission.value for permission in Permission]
"""As text: of an enum, click would take the names."""

users = AppGroup("users", help="People: create, list, disable, promote, unlock, and reset passwords.")
roles = AppGroup("roles", help="Roles: list them, and who gets which.")
tokens = AppGroup("tokens", help="API keys: create, list and revoke.")


def init_app(app: Flask) -> None:
    for group in (users, roles, tokens):
        app.cli.add_command(group)
    for command in (export_data, erase_data):
        data.add_command(command)


def _run(work: Work[T]) -> T:
    """Run something with the container opened; what goes wrong is said in a sentence, with exit code 1."""
    container = current_container()

    async def main() -> T:
        async with opened(container):
            return await work(container)

    try:
        return asyncio.run(main())
    except CarboyError as error:
        details = "; ".join(one["detail"] for one in error.extensions.get("errors", ()))
        raise click.ClickException(f"{error} {details}".strip()) from error


async def _person(container: Any, login: str) -> LoginRow:
    service: AccountService = container.account_service()
    return await service.get_person(login)


async def _new_link(container: Any, account_id: int) -> str:
    service: PasswordService = container.password_service()
    return _address(container, "/reset-password", await service.make_reset_token(COMMAND, account_id))


@users.command("create")
@click.argument("username")
@click.argument("email")
@click.option("--full-name")
@click.option("--admin", is_flag=True, help="Make an administrator.")
def create_user(username: str, email: str, full_name: str | None, *, admin: bool) -> None:
    """Create a person, and print a link by which they set a password.

    Without http.public_url its token is printed, for POST /api/auth/password-reset/confirm.
    """
    new = _validated(UserCreate, username=username, email=email, full_name=full_name)

    async def work(container: Any) -> str:
        service: RegistrationService = container.registration_service()
        account_id = await service.create_person(COMMAND, new, is_administrator=admin)
        click.echo(f"Created {new.username}, account {account_id}. To set a password, within minutes:", err=True)
        return await _new_link(container, account_id)

    click.echo(_run(work))


def _validated(schema: type[SchemaT], **given: Any) -> SchemaT:
    try:
        return schema.model_validate(given, context=current_app.config["VALIDATION_CONTEXT"])
    except ValidationError as error:
        problems = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False))
        raise click.BadParameter(problems) from None


@users.command("list")
def list_users() -> None:
    """Print all people and services: id, name, roles, and whether they can come in."""

    async def work(container: Any) -> None:
        service: AccountService = container.account_service()
        async for account in service.every_account():
            name = account.user.username if account.user is not None else account.name
            state = "disabled" if account.disabled_at is not None else "enabled"
            click.echo(f"{account.id}\t{account.kind.value}\t{name}\t{','.join(account.roles)}\t{state}")

    _run(work)


@users.command("disable")
@click.argument("login")
def disable_user(login: str) -> None:
    """Disable a person: they are out at once."""
    _set_active(login, active=False)


@users.command("enable")
@click.argument("login")
def enable_user(login: str) -> None:
    """Let a person that was disabled in again."""
    _set_active(login, active=True)


def _set_active(login: str, *, active: bool) -> None:
    async def work(container: Any) -> None:
        person = await _person(container, login)
        service: UserService = container.user_service()
        await service.update_user(COMMAND, person.user_id, UserUpdate(active=active))
        click.echo(f"{person.username} is {'enabled' if active else 'disabled'}.")

    _run(work)


@users.command("promote")
@click.argument("login")
def promote_user(login: str) -> None:
    """Make a person an administrator, too."""
    _assign(login, lambda present: [*present, ADMINISTRATOR])


@users.command("reset-password")
@click.argument("login")
def reset_password(login: str) -> None:
    """Print a link by which a person sets a new password.

    Without http.public_url its token is printed, for POST /api/auth/password-reset/confirm.
    """

    async def work(container: Any) -> str:
        return await _new_link(container, (await _person(container, login)).account_id)

    click.echo(_run(work))


@users.command("unlock")
@click.argument("login")
def unlock_user(login: str) -> None:
    """Forget how often somebody has guessed a person's password."""

    async def work(container: Any) -> None:
        person = await _person(container, login)
        guessing: Guessing = container.guessing()
        await guessing.unlock(COMMAND, person)
        click.echo(f"{person.username} can log in again.")

    _run(work)


@users.command("first-administrator")
@click.option("--if-none", is_flag=True, help="Print nothing, and succeed, if there is an administrator.")
def offer_first_administrator(*, if_none: bool) -> None:
    """Print a link to a page that makes the first administrator; fail if there is one.

    The link works once, for accounts.first_administrator_hours, and until it is printed anew. Without http.public_url
    its token is printed, for POST /api/auth/first-administrator.
    """

    async def work(container: Any) -> None:
        service: RegistrationService = container.registration_service()
        token = await service.offer_first_administrator(COMMAND)
        if token is not None:
            hours = container.settings().accounts.first_administrator_hours
            click.echo(f"Nobody is an administrator. To be the first, once and within {hours * 60} minutes:", err=True)
            click.echo(_address(container, "/first-administrator", token))
        elif not if_none:
            raise click.ClickException("There is an administrator already: flask users list")

    _run(work)


def _address(container: Any, path: str, token: Token) -> str:
    settings: Settings = container.settings()
    templates: MailTemplates = container.mail_templates()
    return token.reveal() if settings.http.public_url is None else templates.url(path, token=token.reveal())


@roles.command("list")
def list_roles() -> None:
    """Print each role and what it permits."""

    async def work(container: Any) -> None:
        service: RoleService = container.role_service()
        async for role in service.every_role():
            click.echo(f"{role.name}\t{','.join(role.permissions)}")

    _run(work)


@roles.command("give")
@click.argument("login")
@click.argument("role")
def give_role(login: str, role: str) -> None:
    """Give a person a role."""
    _assign(login, lambda present: [*present, role])


@roles.command("take")
@click.argument("login")
@click.argument("role")
def take_role(login: str, role: str) -> None:
    """Take a role from a person."""
    _assign(login, lambda present: [one for one in present if one != role])


def _assign(login: str, change: Callable[[list[str]], list[str]]) -> None:
    async def work(container: Any) -> None:
        person = await _person(container, login)
        accounts: AccountService = container.account_service()
        service: RoleService = container.role_service()
        wanted = change((await accounts.get_account(person.account_id)).roles)
        account = await service.assign(COMMAND, person.account_id, wanted)
        click.echo(f"{person.username}: {', '.join(account.roles)}")

    _run(work)


@tokens.command("create")
@click.argument("login")
@click.option("--name", default="command line", show_default=True, help="What to call it in lists.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Limit it to this; repeat it.")
@click.option("--days", type=click.IntRange(1), help="How long it is valid; for ever without it.")
def create_token(login: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Print a new API key of a person, for the header Authorization: Bearer KEY. It is shown this once."""
    until = None if days is None else datetime.now(UTC) + timedelta(days=days)
    new = _validated(ApiKeyCreate, name=name, scopes=[Permission(scope) for scope in scopes] or None, expires_at=until)

    async def work(container: Any) -> str:
        service: KeyService = container.key_service()
        return (await service.issue(COMMAND, (await _person(container, login)).account_id, new)).key

    click.echo(_run(work))


@tokens.command("list")
@click.argument("login")
def list_tokens(login: str) -> None:
    """Print the API keys of a person: id, name, scopes, when they expire and were last used."""

    async def work(container: Any) -> None:
        service: KeyService = container.key_service()
        async for key in service.every_key((await _person(container, login)).account_id):
            click.echo(f"{key.id}\t{key.name}\t{key.scopes or '-'}\t{key.expires_at or '-'}\t{key.last_used_at or '-'}")

    _run(work)


@tokens.command("revoke")
@click.argument("key_id", type=int)
def revoke_token(key_id: int) -> None:
    """Revoke an API key by its id."""

    async def work(container: Any) -> None:
        service: KeyService = container.key_service()
        await service.revoke_any(COMMAND, key_id)
        click.echo(f"API key {key_id} is revoked.")

    _run(work)


@click.command("export")
@click.argument("login")
@with_appcontext
def export_data(login: str) -> None:
    """Print all that is known of a person, as JSON: flask data export NAME > file.json."""

    async def work(container: Any) -> str:
        service: PersonalDataService = container.personal_data_service()
        found = await service.export(COMMAND, (await _person(container, login)).account_id)
        return found.model_dump_json(indent=2)

    click.echo(_run(work))


@click.command("erase")
@click.argument("login")
@click.confirmation_option(prompt="This cannot be undone. Erase the person?")
@with_appcontext
def erase_data(login: str) -> None:
    """Erase a person: what is theirs goes, what happened stays written down without them."""

    async def work(container: Any) -> None:
        service: PersonalDataService = container.personal_data_service()
        person = await _person(container, login)
        await service.erase(COMMAND, person.account_id)
        click.echo(f"Account {person.account_id} is erased.")

    _run(work)
