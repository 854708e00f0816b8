from collections.abc import AsyncGenerator

from carboy.jobs.daos import JobDao
from carboy.services import UnitOfWork
from carboy.services.personal_data import Person, PersonalData, Row

TOLD = {"id", "kind", "state", "created_at", "ended_at"}


class JobData(PersonalData):
    """Jobs that name a person's address, such as the mails to it; what they hold of secrets is given to nobody."""

    tables = ("background_jobs",)

    def __init__(self, unit_of_work: UnitOfWork, jobs: JobDao) -> None:
        self._unit_of_work = unit_of_work
        self._jobs = jobs

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        for job in await self._unit_of_work.read(lambda: self._jobs.naming(person.email)):
            yield "background_jobs", job.model_dump(mode="json", include=TOLD)

    async def erase(self, person: Person) -> None:
        """Delete them, but for those that run: they end, and go with the others that are done."""
        await self._jobs.delete_naming(person.email)
