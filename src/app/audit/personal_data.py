from collections.abc import AsyncGenerator

from app.audit.daos import AuditEventDao
from app.audit.schemas import AuditEventRead
from carboy.services import UnitOfWork
from carboy.services.listing import every
from carboy.services.personal_data import Person, PersonalData, Row

OF_THE_ACTOR = {"actor_id", "credential", "address", "agent"}


class AuditTrail(PersonalData):
    """What a person did, and what was done to their account."""

    tables = ("audit_events",)

    def __init__(self, unit_of_work: UnitOfWork, events: AuditEventDao) -> None:
        self._unit_of_work = unit_of_work
        self._events = events

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        async for event in every(self._unit_of_work, self._events, {"actor_id": person.account_id}):
            yield "audit_events", event.model_dump(mode="json")
        async for event in every(self._unit_of_work, self._events, {"subject_id": person.account_id}):
            if event.actor_id != person.account_id:
                yield "audit_events", _without_actor(event)

    async def erase(self, person: Person) -> None:
        """Keep what happened, and forget from where and by what: the number of the account leads to nobody then."""
        await self._events.anonymise(person.account_id)
        await self._events.forget_invitations(person.email)


def _without_actor(event: AuditEventRead) -> dict[str, object]:
    """Return an event without whose it is; where nobody was known, as before a login, nothing is left out."""
    return event.model_dump(mode="json", exclude=set() if event.actor_id is None else OF_THE_ACTOR)
