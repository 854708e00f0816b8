from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Text,
    bindparam,
    case,
    delete,
    exists,
    select,
    type_coerce,
    update,
)

from app.accounts.daos.permissions import permissions_of_account
from app.accounts.errors import SessionNotFoundError
from app.accounts.models import Account, Session, SessionToken
from app.accounts.schemas.internal import ActorRow, HalfLogin, PageRow, SessionTokenRow
from app.accounts.schemas.kinds import SessionState, TokenKind
from app.accounts.schemas.sessions import SessionQuery, SessionRead
from carboy.daos.base import Dao
from carboy.daos.owned import OwnedDao
from carboy.daos.repeated import constant, once
from carboy.models.base import table_of


class SessionDao(OwnedDao[SessionRead]):
    model, record, not_found, query = Session, SessionRead, SessionNotFoundError, SessionQuery
    owner = "account_id"

    async def find_actor(self, digest: str, now: datetime) -> ActorRow | None:
        """Return who an access token belongs to, unless it or its session has expired or its account is disabled."""
        rows = await self._database.execute(self._prepared(once, _find_actor), {"digest": digest, "now": now})
        return ActorRow(*rows[0]) if rows else None

    async def find_page(self, digest: str, now: datetime) -> PageRow | None:
        """Return the session of a browser that holds this token, whether anybody has logged in or not."""
        rows = await self._database.execute(self._prepared(_find_page), {"digest": digest, "now": now})
        return PageRow(*rows[0]) if rows else None

    async def find_half(self, digest: str, now: datetime) -> HalfLogin | None:
        """Return the login that waits for its second factor and has this token."""
        rows = await self._database.execute(self._prepared(_find_half), {"digest": digest, "now": now})
        return HalfLogin(*rows[0]) if rows else None

    async def owner_of(self, session_id: int) -> int | None:
        """Return the account that a session belongs to; None if the session is over."""
        rows = await self._database.execute(self._prepared(_owner_of), {"session": session_id})
        return int(rows[0][0]) if rows else None

    async def addresses_of(self, account_id: int) -> list[str]:
        """Return the addresses that an account's sessions were last seen from."""
        rows = await self._database.execute(self._prepared(_addresses_of), {"account_id": account_id})
        return [row[0] for row in rows]

    async def set_flashes(self, session_id: int, flashes: str | None) -> None:
        """Store the messages that wait for the next page."""
        parameters = {"row": session_id, "flashes": flashes}
        await self._database.execute(self._prepared(_set_flashes), parameters, writes=True)

    async def touch(self, seen: list[Mapping[str, object]]) -> None:
        """Write down when sessions (``row``) were last seen, by ``seen_at`` and ``seen_until``, and from where."""
        await self._database.execute(self._prepared(_touch), seen, writes=True)

    async def end(self, session_id: int) -> None:
        """End a session, whosever it is, if it is not over."""
        await self._database.execute(self._prepared(_end), {"session": session_id}, writes=True)

    async def end_all(self, account_id: int, *, but: int | None = None) -> int:
        """End the sessions of an account, but for one, and return how many there were."""
        parameters = {"account_id": account_id, "kept": but or 0}
        return len(await self._database.execute(self._prepared(_end_all), parameters, writes=True))

    async def end_oldest(self, account_id: int, *, keep: int) -> None:
        """End the sessions that were seen longest ago, beyond those that an account may have."""
        parameters = {"account_id": account_id, "keep": keep}
        await self._database.execute(self._prepared(_end_oldest), parameters, writes=True)


class SessionTokenDao(Dao[SessionTokenRow]):
    model, record, not_found = SessionToken, SessionTokenRow, SessionNotFoundError

    async def find_by_digest(self, digest: str) -> SessionTokenRow | None:
        return await self._find_by(digest=digest)

    async def consume(self, digest: str, now: datetime) -> SessionTokenRow | None:
        """Use a refresh token up, and return it; None if it was used, has expired, or its session is over.

        It is one statement: of many who do it at once, one gets the token.
        """
        rows = await self._database.execute(self._prepared(_consume), {"given": digest, "now": now}, writes=True)
        return (await self._parts.reading.records(self._database, rows))[0] if rows else None

    async def consume_siblings(self, token: SessionTokenRow, now: datetime) -> None:
        """Use up what was given for the same predecessor, so that a thief's later use of one is noticed."""
        if token.parent_id is not None:
            parameters = {"parent": token.parent_id, "now": now}
            await self._database.execute(self._prepared(_consume_siblings), parameters, writes=True)

    async def has_used_child(self, token_id: int) -> bool:
        """Tell whether a refresh token was followed by one that has been used too."""
        [(found,)] = await self._database.execute(self._prepared(_has_used_child), {"parent_id": token_id})
        return bool(found)

    async def delete_kinds(self, session_id: int, kinds: Iterable[TokenKind]) -> None:
        parameters = {"session_id": session_id, "kinds": [*kinds]}
        await self._database.execute(self._prepared(_delete_tokens), parameters, writes=True)


def _is_living() -> tuple[Any, ...]:
    now: ColumnElement[Any] = bindparam("now")
    return (
        SessionToken.consumed_at.is_(None),
        SessionToken.expires_at > now,
        Session.idle_expires_at > now,
        Session.expires_at > now,
        Account.disabled_at.is_(None),
    )


def _find_actor() -> Any:
    # Each request runs it: see `carboy.daos.repeated`.
    return (
        select(
            Account.id,
            type_coerce(Account.kind, Text),
            Account.user_id,
            permissions_of_account(Session.has_second_factor),
            Session.scopes,
            Session.id,
            Session.has_second_factor,
            Session.last_seen_at,
            Session.authenticated_at,
            Session.idle_seconds,
        )
        .select_from(SessionToken)
        .join(Session, Session.id == SessionToken.session_id)
        .join(Account, Account.id == Session.account_id)
        .where(
            SessionToken.digest == bindparam("digest"),
            SessionToken.kind == constant(TokenKind.ACCESS),
            Session.state == constant(SessionState.FULL),
            *_is_living(),
        )
    )


def _find_page() -> Executable:
    return (
        select(
            Session.id,
            Session.state,
            Session.flash,
            Session.last_seen_at,
            Session.idle_seconds,
            Session.has_second_factor,
            Session.authenticated_at,
            Account.id,
            Account.kind,
            Account.user_id,
            permissions_of_account(Session.has_second_factor),
        )
        .select_from(SessionToken)
        .join(Session, Session.id == SessionToken.session_id)
        .outerjoin(Account, Account.id == Session.account_id)
        .where(
            SessionToken.digest == bindparam("digest"),
            SessionToken.kind.in_((TokenKind.COOKIE, TokenKind.HALF)),
            *_is_living(),
        )
    )


def _find_half() -> Executable:
    return (
        select(Session.id, Session.account_id, Session.failures)
        .select_from(SessionToken)
        .join(Session, Session.id == SessionToken.session_id)
        .join(Account, Account.id == Session.account_id)
        .where(
            SessionToken.digest == bindparam("digest"),
            SessionToken.kind == TokenKind.HALF,
            Session.state == SessionState.HALF,
            *_is_living(),
        )
    )


def _owner_of() -> Executable:
    return select(Session.account_id).where(Session.id == bindparam("session"))


def _addresses_of() -> Executable:
    is_full = Session.state == SessionState.FULL
    own = select(Session.address).where(Session.account_id == bindparam("account_id"), is_full)
    return own.where(Session.address.is_not(None)).distinct()


def _set_flashes() -> Executable:
    table = table_of(Session)
    return update(table).where(table.c.id == bindparam("row")).values(flash=bindparam("flashes"))


def _touch() -> Executable:
    table = table_of(Session)
    ends = table.c.expires_at
    until: ColumnElement[Any] = bindparam("seen_until", type_=ends.type)
    seen: dict[str, Any] = {
        "last_seen_at": bindparam("seen_at"),
        # No later than its end, so that one column tells when a session is over.
        "idle_expires_at": case((ends < until, ends), else_=until),
        "address": bindparam("seen_address"),
    }
    return update(table).where(table.c.id == bindparam("row")).values(seen)


def _end() -> Executable:
    return delete(Session).where(Session.id == bindparam("session"))


def _end_all() -> Executable:
    ends = delete(Session).where(Session.account_id == bindparam("account_id"), Session.id != bindparam("kept"))
    return ends.returning(Session.id)


def _end_oldest() -> Executable:
    own = select(Session.id).where(Session.account_id == bindparam("account_id"))
    kept = own.order_by(Session.last_seen_at.desc(), Session.id.desc()).limit(bindparam("keep"))
    return delete(Session).where(
        Session.account_id == bindparam("account_id"), Session.id.not_in(kept.scalar_subquery())
    )


def _consume() -> Executable:
    now: ColumnElement[Any] = bindparam("now")
    lives = (
        exists()
        .where(Session.id == SessionToken.session_id, Session.expires_at > now, Session.account_id == Account.id)
        .where(Account.disabled_at.is_(None))
    )
    table = table_of(SessionToken)
    return (
        update(SessionToken)
        .where(
            SessionToken.digest == bindparam("given"),
            SessionToken.kind == TokenKind.REFRESH,
            SessionToken.consumed_at.is_(None),
            SessionToken.expires_at > now,
            lives,
        )
        .values(consumed_at=now)
        .returning(*(table.c[name] for name in SessionTokenRow.model_fields))
    )


def _consume_siblings() -> Executable:
    return (
        update(SessionToken)
        .where(
            SessionToken.parent_id == bindparam("parent"),
            SessionToken.kind == TokenKind.REFRESH,
            SessionToken.consumed_at.is_(None),
        )
        .values(consumed_at=bindparam("now"))
    )


def _has_used_child() -> Executable:
    used = exists().where(
        SessionToken.parent_id == bindparam("parent_id"),
        SessionToken.kind == TokenKind.REFRESH,
        SessionToken.consumed_at.is_not(None),
    )
    return select(used)


def _delete_tokens() -> Executable:
    kinds = SessionToken.kind.in_(bindparam("kinds", expanding=True))
    return delete(SessionToken).where(SessionToken.session_id == bindparam("session_id"), kinds)
