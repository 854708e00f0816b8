"""No change without its audit event."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from support.accounts import ADMIN

from app.audit.schemas import AuditEventQuery
from app.audit.services import MARK, Audit, UnauditedChangeError, audited
from app.security import Actor
from app.users.daos import UserDao
from app.users.schemas import UserCreate
from carboy.services import Service, transactional
from carboy.testing import MemoryDatabase
from containers import Container

WITHOUT = {"LastSeen._write", "AccountPageSessions._begin", "AccountPageSessions.keep_flashes"}
"""When a session was last seen, that a visitor has one, and what it is to say. It changes nothing that anybody has."""


def services() -> Iterator[type[Any]]:
    for provider in Container.providers.values():
        made = getattr(provider, "provides", None)
        if isinstance(made, type) and made.__module__.startswith("app.") and issubclass(made, Service):
            yield made


def is_audited(service: type[Any]) -> bool:
    """Tell whether all that a service changes is written down: accounts and people are, and who has an `Audit` is."""
    return (
        service.__module__.startswith(("app.accounts.", "app.users."))
        or Audit in service.__init__.__annotations__.values()
    )


def writing_methods() -> list[Any]:
    wrappers = {transactional.__name__, audited.__name__}
    return [
        method
        for service in filter(is_audited, services())
        for _, method in inspect.getmembers(service, inspect.isfunction)
        if method.__code__.co_qualname.partition(".")[0] in wrappers
    ]


def test_each_method_that_changes_something_must_write_an_event() -> None:
    methods = writing_methods()
    assert len(methods) > 30
    silent = {method.__qualname__ for method in methods if not hasattr(method, MARK)}
    assert silent == WITHOUT, "Mark what it names with @audited, and record an event: docs/accounts.md"


class Forgetful(Service):
    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self._users = UserDao(database)

    @audited
    async def add(self, actor: Actor) -> None:
        await self._users.add({"username": "ada", "email": "ada@example.org"})


async def test_a_change_that_writes_no_event_is_rolled_back(database: MemoryDatabase) -> None:
    with pytest.raises(UnauditedChangeError, match=r"Forgetful\.add"):
        await Forgetful(database).add(ADMIN)
    assert await database.read(UserDao(database).count) == 0


async def test_a_change_whose_event_cannot_be_written_is_rolled_back(
    container: Container, database: MemoryDatabase
) -> None:
    await database.write(lambda: database.execute(text("DROP TABLE audit_events"), writes=True))
    with pytest.raises(OperationalError, match="audit_events"):
        await container.user_service().create_user(ADMIN, UserCreate(username="ada", email="ada@example.org"))
    assert await database.read(UserDao(database).count) == 0


async def test_the_events_of_a_transaction_are_in_the_order_in_which_they_were_recorded(container: Container) -> None:
    user = await container.user_service().create_user(ADMIN, UserCreate(username="ada", email="ada@example.org"))
    page = await container.audit_service().list_events(AuditEventQuery())
    told = [(event.event, event.target, event.subject_id is not None) for event in page.items]
    assert told == [("account.registered", None, True), ("user.created", f"user {user.id}", False)]
