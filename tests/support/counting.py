"""A service that counts in a row, to see whether an update is ever lost; also run as a process of its own."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from support.databases import database_settings
from support.sizes import size
from support.users import registration

from app.users.daos import UserDao
from app.users.schemas import UserRead
from carboy.db import Database, create_engines, create_session_factory
from carboy.schemas.base import Versions
from carboy.services.transactions import Service, UnitOfWork, read_only, transactional

CLIENTS = 10
TIMES = size(10, 50)


class CountingService(Service):
    """Keeps a count in a user's full name, as a table of users has no number of its own to count in."""

    def __init__(self, unit_of_work: UnitOfWork, users: UserDao) -> None:
        super().__init__(unit_of_work)
        self.unit_of_work = unit_of_work
        self.users = users

    @transactional
    async def add(self, name: str = "ada") -> UserRead:
        return await self.users.add(registration(name, full_name="0"))

    @read_only
    async def get(self, user_id: int) -> UserRead:
        return await self.users.get(user_id)

    @read_only
    async def count(self, user_id: int) -> int:
        return count_of(await self.users.get(user_id))

    @transactional
    async def increment(self, user_id: int) -> UserRead:
        return await self._write(await self.users.get(user_id))

    @transactional
    async def increment_by_username(self, username_key: str) -> UserRead:
        return await self._write(await self.users.get_by_username(username_key))

    @transactional
    async def increment_version(self, user_id: int) -> UserRead:
        user = await self.users.get(user_id)
        return await self._write(user, frozenset({user.version}))

    @transactional
    async def overwrite(self, read_before: UserRead) -> UserRead:
        """Count on from what was read in another unit, if it is still so."""
        return await self._write(read_before, frozenset({read_before.version}))

    async def _write(self, user: UserRead, versions: Versions = None) -> UserRead:
        # What stands between reading and writing is where another would get in.
        await asyncio.sleep(0)
        return await self.users.update(user.id, {"full_name": str(count_of(user) + 1)}, versions=versions)


def count_of(user: UserRead) -> int:
    return int(user.full_name or 0)


async def repeat(step: Callable[[], Awaitable[object]], times: int = TIMES) -> int:
    """Let all clients do something over and over at the same time, and return how often it was acknowledged."""

    async def client() -> int:
        for _ in range(times):
            await step()
        return times

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


async def main(url: str, user_id: int) -> None:
    engines = create_engines(database_settings(url))
    database = Database(engines, create_session_factory())
    service = CountingService(database, UserDao(database))
    try:
        # The parent starts the processes' work at the same moment.
        await service.get(user_id)
        print("ready", flush=True)  # noqa: T201 - the parent reads it.
        sys.stdin.readline()
        print(await repeat(lambda: service.increment(user_id)))  # noqa: T201 - the same.
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
