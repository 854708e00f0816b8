from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Text,
    bindparam,
    delete,
    or_,
    select,
    type_coerce,
    update,
)

from app.accounts.daos.permissions import permissions_of_account
from app.accounts.errors import ApiKeyNotFoundError, CredentialNotFoundError
from app.accounts.models import Account, ApiKey, Credential
from app.accounts.schemas.internal import ActorRow, CredentialRow
from app.accounts.schemas.keys import ApiKeyQuery, ApiKeyRead
from app.accounts.schemas.kinds import CredentialKind
from carboy.daos.owned import OwnedDao
from carboy.daos.repeated import once
from carboy.models.base import table_of


class CredentialDao(OwnedDao[CredentialRow]):
    model, record, not_found = Credential, CredentialRow, CredentialNotFoundError
    owner = "account_id"

    async def find_kind(self, kind: CredentialKind) -> CredentialRow | None:
        """Return the one credential of a kind of which there is one at most."""
        return await self._find_by(kind=kind)

    async def put(self, kind: CredentialKind, secret: str, *, confirmed_at: datetime | None) -> CredentialRow:
        """Set the one credential of its kind. The account's row must be locked by the transaction."""
        values = {"secret": secret, "confirmed_at": confirmed_at, "last_step": None}
        present = await self.find_kind(kind)
        if present is None:
            return await self.add({"kind": kind, **values})
        return await self.update(present.id, values)

    async def delete_kinds(self, account_id: int, kinds: Iterable[CredentialKind]) -> None:
        parameters = {"account_id": account_id, "kinds": [*kinds]}
        await self._database.execute(self._prepared(_delete_kinds), parameters, writes=True)

    async def advance(self, credential_id: int, step: int) -> bool:
        """Set the last step of a second factor, if it is later than the one before: of two codes for it, one wins."""
        parameters = {"credential": credential_id, "step": step}
        return bool(await self._database.execute(self._prepared(_advance), parameters, writes=True))

    async def use_up(self, account_id: int, digest: str) -> bool:
        """Delete a recovery code; False if the account has no such code."""
        parameters = {"account_id": account_id, "digest": digest}
        return bool(await self._database.execute(self._prepared(_use_up), parameters, writes=True))


class ApiKeyDao(OwnedDao[ApiKeyRead]):
    model, record, not_found, query = ApiKey, ApiKeyRead, ApiKeyNotFoundError, ApiKeyQuery
    owner = "account_id"

    async def find_actor(self, digest: str, now: datetime) -> ActorRow | None:
        """Return who a key belongs to, unless it has expired or its account is disabled."""
        rows = await self._database.execute(self._prepared(once, _find_actor), {"digest": digest, "now": now})
        return ActorRow(*rows[0]) if rows else None

    async def revoke_all(self, account_id: int) -> None:
        """Delete all keys of an account."""
        await self._database.execute(self._prepared(_revoke_all), {"account_id": account_id}, writes=True)

    async def touch(self, seen: list[Mapping[str, object]]) -> None:
        """Write down when and from where keys (``row``) were last used (``seen_at``, ``seen_address``)."""
        await self._database.execute(self._prepared(_touch), seen, writes=True)


def _delete_kinds() -> Executable:
    kinds = Credential.kind.in_(bindparam("kinds", expanding=True))
    return delete(Credential).where(Credential.account_id == bindparam("account_id"), kinds)


def _advance() -> Executable:
    step: ColumnElement[Any] = bindparam("step")
    is_later = or_(Credential.last_step.is_(None), Credential.last_step < step)
    found = update(Credential).where(Credential.id == bindparam("credential"), is_later)
    return found.values(last_step=step).returning(Credential.id)


def _use_up() -> Executable:
    return (
        delete(Credential)
        .where(
            Credential.account_id == bindparam("account_id"),
            Credential.kind == CredentialKind.RECOVERY,
            Credential.secret == bindparam("digest"),
        )
        .returning(Credential.id)
    )


def _find_actor() -> Any:
    return (
        select(
            Account.id,
            type_coerce(Account.kind, Text),
            Account.user_id,
            permissions_of_account(ApiKey.has_second_factor),
            ApiKey.scopes,
            ApiKey.id,
            ApiKey.has_second_factor,
            ApiKey.last_used_at,
        )
        .join(ApiKey, ApiKey.account_id == Account.id)
        .where(
            ApiKey.digest == bindparam("digest"),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > bindparam("now")),
            Account.disabled_at.is_(None),
        )
    )


def _revoke_all() -> Executable:
    return delete(ApiKey).where(ApiKey.account_id == bindparam("account_id"))


def _touch() -> Executable:
    seen: dict[str, Any] = {"last_used_at": bindparam("seen_at"), "last_address": bindparam("seen_address")}
    table = table_of(ApiKey)
    return update(table).where(table.c.id == bindparam("row")).values(seen)
