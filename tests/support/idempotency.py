"""Clients that send one request many times at once, and each again for as long as it is told to come back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pydantic import SecretStr
from support.accounts import ADMIN, audit_of, people_of
from support.databases import database_settings
from support.users import registration

from app.users.daos import UserDao
from app.users.schemas import UserCreate
from app.users.services import UserService
from carboy.db import Database, create_engines, create_session_factory
from carboy.errors import CarboyError
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.schemas import StoredAnswer
from carboy.idempotency.services import IdempotencyService
from carboy.services import Cursors

CURSORS = Cursors(SecretStr("k" * 32))
CLIENTS = 10
Answer = tuple[StoredAnswer, bool]


class Process:
    """What one process of the API has for itself."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.users = UserService(database, UserDao(database), CURSORS, people_of(database), audit_of(database))
        self.idempotency = IdempotencyService(database, IdempotencyKeyDao(database), lifetime_hours=24)

    async def create_user(self, key: str, username: str) -> Answer:
        async def create() -> StoredAnswer:
            user = await self.users.create_user(ADMIN, UserCreate(**registration(username)))
            return StoredAnswer(status=201, body=user.model_dump_json(), headers={"Location": f"/api/users/{user.id}"})

        return await self.idempotency.answer_once("create_user", key, "fingerprint", create)


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncIterator[list[Process]]:
    """Yield so many that share the database of this URL and nothing else."""
    settings = database_settings(url)
    databases = [Database(create_engines(settings), create_session_factory()) for _ in range(count)]
    try:
        yield [Process(database) for database in databases]
    finally:
        for database in databases:
            await database.close()


async def send(processes: Sequence[Process], key: str, told: Counter[str]) -> list[Answer]:
    """Let all clients create a user with one key, and return their answers, the last ones to be given last.

    Clients of one key differ in the name that they ask for, so that uniqueness of names stops nobody and each effect is
    a row. Whatever else they are told on the way is counted by its code.
    """
    answers: list[Answer] = []
    waiting = [(processes[number % len(processes)], f"{key}-{number}") for number in range(CLIENTS)]
    while waiting:
        asking = (process.create_user(key, username) for process, username in waiting)
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        refused = []
        for client, outcome in zip(waiting, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                answers.append(outcome)
            elif isinstance(outcome, CarboyError) and outcome.retry_after is not None:
                told[outcome.code] += 1
                refused.append(client)
            else:
                raise outcome
        waiting = refused
    return answers


def assert_answered_once(answers: Sequence[Answer]) -> None:
    """Check that all clients of a key were told the same, and one of them for the first time."""
    assert len(answers) == CLIENTS
    assert len({answer.model_dump_json() for answer, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(False) == 1
