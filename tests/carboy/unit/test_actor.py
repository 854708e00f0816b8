"""What an actor may do is what the account may and the token's scopes include."""

import pytest

from carboy.security.actor import ANONYMOUS, Actor, ActorKind, Credentials
from carboy.security.errors import ForbiddenError, InsufficientScopeError


def actor(*permissions: str, scopes: set[str] | None = None) -> Actor:
    return Actor(
        kind=ActorKind.PERSON,
        account_id=7,
        permissions=frozenset(permissions),
        scopes=None if scopes is None else frozenset(scopes),
    )


def test_without_scopes_an_account_may_all_that_it_is_permitted() -> None:
    assert actor("users:read", "users:write").effective == {"users:read", "users:write"}


def test_scopes_take_away_and_never_add() -> None:
    limited = actor("users:read", "users:write", scopes={"users:read", "audit:read"})
    assert limited.effective == {"users:read"}
    limited.require("users:read")
    with pytest.raises(InsufficientScopeError):
        limited.require("users:write")
    with pytest.raises(ForbiddenError) as refused:
        limited.require("audit:read")
    assert not isinstance(refused.value, InsufficientScopeError)


def test_no_scopes_at_all_allow_nothing() -> None:
    assert actor("users:read", scopes=set()).effective == frozenset()


def test_an_owner_needs_no_permission_but_the_scope() -> None:
    actor().require("users:write", owner_id=7)
    actor(scopes={"users:write"}).require("users:write", owner_id=7)
    with pytest.raises(InsufficientScopeError):
        actor(scopes={"users:read"}).require("users:write", owner_id=7)
    with pytest.raises(ForbiddenError):
        actor().require("users:write", owner_id=8)


def test_nobody_owns_nothing() -> None:
    assert not ANONYMOUS.is_account(0)
    with pytest.raises(ForbiddenError):
        ANONYMOUS.require("users:read", owner_id=0)


def test_credentials_show_neither_token_nor_cookie() -> None:
    shown = repr(Credentials(bearer="secret-token", cookie="secret-cookie", address="192.0.2.1"))
    assert "secret" not in shown
    assert "192.0.2.1" in shown
