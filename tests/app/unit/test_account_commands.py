"""`flask users`, `flask roles` and `flask tokens`: what they do, what they say, and their exit codes."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from click.testing import Result
from flask import Flask
from support.people import NOBODY, OTHER, PASSWORD, bearer, log_in, secrets_in

from app.settings import Settings
from carboy.server import create_asgi
from carboy.testing import client_of
from containers import Container

Say = Callable[..., Result]
Ask = Callable[..., Any]


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    """Two guesses keep an owner out who has no session."""
    limits = loaded_settings.limits.model_copy(update={"rates": ("login_from_unknown=2/1 hour",)})
    return loaded_settings.model_copy(update={"limits": limits})


@pytest.fixture
def say(app: Flask) -> Say:
    return lambda *words: app.test_cli_runner().invoke(args=words)


@pytest.fixture
def ask(container: Container, app: Flask) -> Ask:
    """Return a function that runs one step with a client of the application, as commands have loops of their own."""

    def ask(step: Callable[[httpx.AsyncClient], Any]) -> Any:
        async def run() -> Any:
            async with client_of(create_asgi(container, app), NOBODY) as client:
                return await step(client)

        return asyncio.run(run())

    return ask


def output_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def token_of(result: Result, path: str) -> str:
    """Return the token of the link that was printed, and nothing else, so that it can be piped."""
    address, _, token = output_of(result).partition("?token=")
    assert address == f"https://app.example.org{path}"
    assert secrets_in(result.stdout) == [token]
    return token


def create(say: Say, name: str = "ada", *more: str) -> str:
    return token_of(say("users", "create", name, f"{name}@example.org", *more), "/reset-password")


def test_a_new_person_sets_a_password_by_the_link_and_logs_in(say: Say, ask: Ask) -> None:
    result = say("users", "create", "ada", "ada@example.org", "--full-name", "Ada Lovelace")
    assert result.stderr == "Created ada, account 3. To set a password, within minutes:\n"

    async def log_in_by(client: httpx.AsyncClient) -> list[int]:
        body = {"token": token_of(result, "/reset-password"), "password": PASSWORD}
        set_password = await client.post("/api/auth/password-reset/confirm", json=body)
        return [set_password.status_code, (await log_in(client)).status_code]

    assert ask(log_in_by) == [204, 200]


def test_people_and_services_are_listed_with_roles_and_state(say: Say) -> None:
    create(say)
    create(say, "root", "--admin")
    assert output_of(say("users", "disable", "ada")) == "ada is disabled."
    assert output_of(say("users", "list")).splitlines() == [
        "1\tservice\ttests\tadministrator\tenabled",
        "2\tservice\tmember tests\tmember\tenabled",
        "3\tperson\tada\tmember\tdisabled",
        "4\tperson\troot\tadministrator,member\tenabled",
    ]
    assert output_of(say("users", "enable", "ada@example.org")) == "ada is enabled."


def test_roles_are_given_and_taken(say: Say) -> None:
    create(say)
    assert output_of(say("users", "promote", "ada")) == "ada: administrator, member"
    last = say("roles", "take", "ada", "administrator")
    assert (last.exit_code, last.stderr) == (1, "Error: Somebody must be an administrator: make another one first.\n")
    create(say, "bob", "--admin")
    assert output_of(say("roles", "take", "ada", "administrator")) == "ada: member"
    assert output_of(say("roles", "give", "ada", "administrator")) == "ada: administrator, member"
    listed = dict(line.split("\t") for line in say("roles", "list").stdout.splitlines())
    assert listed["member"] == ""
    assert "users:write" in listed["administrator"].split(",")


def test_a_token_is_what_its_scopes_say_until_it_is_revoked(say: Say, ask: Ask) -> None:
    create(say, "root", "--admin")
    key = output_of(say("tokens", "create", "root", "--name", "ci", "--scope", "users:read", "--days", "7"))

    def statuses() -> list[int]:
        async def read_and_write(client: httpx.AsyncClient) -> list[int]:
            read = await client.get("/api/users", headers=bearer(key))
            write = await client.delete("/api/users/1", headers=bearer(key))
            return [read.status_code, write.status_code]

        found: list[int] = ask(read_and_write)
        return found

    assert statuses() == [200, 403]
    number, name, scopes, expires, used = output_of(say("tokens", "list", "root")).split("\t")
    assert (name, scopes, used == "-") == ("ci", "users:read", False)
    assert expires != "-"
    assert output_of(say("tokens", "revoke", number)) == f"API key {number} is revoked."
    assert statuses() == [401, 401]
    again = say("tokens", "revoke", number)
    assert (again.exit_code, again.stderr) == (1, "Error: There is no such API key.\n")


def test_a_password_is_reset_by_a_link(say: Say, ask: Ask) -> None:
    create(say)
    first, second = (token_of(say("users", "reset-password", "ada"), "/reset-password") for _ in range(2))

    async def confirm(client: httpx.AsyncClient) -> list[int]:
        bodies = [{"token": token, "password": OTHER} for token in (first, second)]
        return [(await client.post("/api/auth/password-reset/confirm", json=body)).status_code for body in bodies]

    assert ask(confirm) == [400, 204], "Only the last one works."


def test_an_owner_whom_guesses_keep_out_is_let_in_again(say: Say, ask: Ask) -> None:
    token = create(say)

    async def be_guessed(client: httpx.AsyncClient) -> list[int]:
        body = {"token": token, "password": PASSWORD}
        assert (await client.post("/api/auth/password-reset/confirm", json=body)).status_code == 204
        return [(await log_in(client, password=password)).status_code for password in (OTHER, OTHER, PASSWORD)]

    async def come_in(client: httpx.AsyncClient) -> int:
        return (await log_in(client)).status_code

    assert ask(be_guessed) == [401, 401, 429]
    assert ask(come_in) == 429
    assert output_of(say("users", "unlock", "ada")) == "ada can log in again."
    assert ask(come_in) == 200


def test_the_first_administrator_is_offered_as_long_as_there_is_none(say: Say) -> None:
    token_of(say("users", "first-administrator", "--if-none"), "/first-administrator")
    create(say, "root", "--admin")
    assert output_of(say("users", "first-administrator", "--if-none")) == ""
    refused = say("users", "first-administrator")
    assert (refused.exit_code, refused.stderr) == (1, "Error: There is an administrator already: flask users list\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["users", "create", "ada", "bob@example.org"], 1, "Another user has this username."),
        (["users", "create", "bob", "ADA@example.org"], 1, "Another user has this email address."),
        (["users", "create", "a b", "bob@example.org"], 2, "username: "),
        (["users", "create", "bob", "bob"], 2, "email: "),
        (["users", "create", "bob"], 2, "Missing argument 'EMAIL'."),
        *[
            (["users", command, "bob"], 1, "There is no such account.")
            for command in ("disable", "enable", "promote", "reset-password", "unlock")
        ],
        (["roles", "give", "ada", "boss"], 1, "There is no role boss."),
        (["roles", "give", "bob", "member"], 1, "There is no such account."),
        (["tokens", "create", "bob"], 1, "There is no such account."),
        (
            ["tokens", "create", "ada", "--scope", "fly"],
            2,
            "Invalid value for '--scope': 'fly' is not one of 'me:read'",
        ),
        (["tokens", "create", "ada", "--name", "x" * 81], 2, "name: "),
        (["tokens", "create", "ada", "--days", "0"], 2, "Invalid value for '--days'"),
        (["tokens", "list", "bob"], 1, "There is no such account."),
        (["tokens", "revoke", "7"], 1, "There is no such API key."),
        (["tokens", "revoke", "carboy"], 2, "Invalid value for 'KEY_ID'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(say: Say, words: list[str], code: int, message: str) -> None:
    create(say)
    result = say(*words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
