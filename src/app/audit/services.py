"""Writes audit events, and sees to it that no change is made without one.

::

    @audited
    async def disable(self, actor: Actor, account_id: int) -> None:
        ...
        await self._audit.record(Event.ACCOUNT_DISABLED, actor, subject_id=account_id)
"""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from app.audit.daos import AuditEventDao
from app.audit.schemas import AuditEventQuery, AuditEventRead, Event, OwnEventQuery
from app.security import Actor
from carboy.schemas.base import Page
from carboy.services import Cursors, Service, UnitOfWork, read_only

P = ParamSpec("P")
T = TypeVar("T")
ServiceT = TypeVar("ServiceT", bound=Service)
Method = Callable[Concatenate[ServiceT, P], Coroutine[Any, Any, T]]

MARK = "__audited__"
_recorded: ContextVar[list[Event] | None] = ContextVar("carboy_audit_events", default=None)


class UnauditedChangeError(Exception):
    """A method that is marked as audited has written no event; its transaction was rolled back."""


class Audit:
    """Writes events in the unit of work that is open: with the change, or not at all."""

    def __init__(self, events: AuditEventDao) -> None:
        self._events = events

    async def record(
        self,
        event: Event,
        actor: Actor,
        *,
        subject_id: int | None = None,
        target: str | None = None,
        **details: Any,
    ) -> None:
        """Write an event down.

        Args:
            event: What happened.
            actor: Who did it.
            subject_id: The account that it was done to.
            target: What else it was done to, such as ``role 3``.
            **details: What else is worth knowing; nothing secret.
        """
        recorded = _recorded.get()
        if recorded is not None:
            recorded.append(event)
        # All events of a transaction are written by one statement, just before it commits.
        self._events.add_at_commit(
            {
                "event": event.value,
                "actor_kind": actor.kind.value,
                "actor_id": actor.account_id,
                "credential": actor.credential,
                "subject_id": subject_id,
                "target": target,
                "address": actor.address,
                "agent": actor.agent,
                "details": details or None,
            }
        )


class AuditService(Service):
    """Reads the events."""

    def __init__(self, unit_of_work: UnitOfWork, events: AuditEventDao, cursors: Cursors) -> None:
        super().__init__(unit_of_work)
        self._events = events
        self._cursors = cursors

    @read_only
    async def list_events(self, query: AuditEventQuery) -> Page[AuditEventRead]:
        """Return one page of events.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._events, query)

    @read_only
    async def list_own(self, actor: Actor, query: OwnEventQuery) -> Page[AuditEventRead]:
        """Return one page of what was done to the actor's own account.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._events, query, {"subject_id": actor.own_account})


def audited(method: Method[ServiceT, P, T]) -> Method[ServiceT, P, T]:
    """Make a method one transaction, as `transactional` does, that must write an audit event.

    A test walks all services and wants it on each method that changes something.

    Its error:
        UnauditedChangeError: The method wrote none. Nothing of it is committed.
    """

    @wraps(method)
    async def run(self: ServiceT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def work() -> T:
            # What a method calls that is audited too counts for both: it is one transaction.
            outer = _recorded.get()
            events: list[Event] = [] if outer is None else outer
            before = len(events)
            token = _recorded.set(events)
            try:
                result = await method(self, *args, **kwargs)
            finally:
                _recorded.reset(token)
            if len(events) == before:
                raise UnauditedChangeError(method.__qualname__)
            return result

        # By this name traces know it.
        work.__qualname__ = method.__qualname__
        return await self._unit_of_work.write(work)

    setattr(run, MARK, True)
    return run
