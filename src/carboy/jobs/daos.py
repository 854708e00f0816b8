import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    ColumnElement,
    Executable,
    Insert,
    Select,
    Update,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from carboy.daos.base import Dao
from carboy.daos.statements import insert_unless_there, stamped
from carboy.jobs.errors import JobNotFoundError
from carboy.jobs.models import JobSchedule, PausedQueue, StoredJob
from carboy.jobs.schemas import ENDED, Enqueued, JobQuery, JobRead, KindCount, QueueCount, State, UniqueUntil
from carboy.models.base import table_of

JOB = table_of(StoredJob).c
SCHEDULES = table_of(JobSchedule)
PAUSED = table_of(PausedQueue)


def is_in(state: State) -> ColumnElement[bool]:
    """Return the condition that a job is in a state, spelt so that a partial index serves it."""
    return JOB.state == literal_column(f"'{state}'")


def kept_key(state: State) -> ColumnElement[str | None]:
    """Return the unique key that a job has after it has come to a state."""
    holding = [UniqueUntil.REMOVED]
    if state not in ENDED:
        holding.append(UniqueUntil.ENDED)
    return case((JOB.unique_until.in_(holding), JOB.unique_key), else_=None)


class JobDao(Dao[JobRead]):
    """What services and operators do with jobs; what their workers do is in `carboy.jobs.leases`."""

    model, record, not_found, query = StoredJob, JobRead, JobNotFoundError, JobQuery

    async def enqueue(self, values: Mapping[str, object]) -> Enqueued:
        """Insert a job, unless another one of its kind has its unique key: then that one is the answer."""
        if values["unique_key"] is None:
            [(identity,)] = await self._database.execute(self._prepared(self._insert), values, writes=True)
            return Enqueued(identity, is_new=True)
        while True:
            rows = await self._database.execute(self._prepared(self._insert_unless_there), values, writes=True)
            if rows:
                return Enqueued(rows[0].id, is_new=True)
            there = await self._database.execute(
                self._prepared(self._of_key), {"kind": values["kind"], "unique_key": values["unique_key"]}
            )
            # Between the two statements that one may have given its key up.
            if there:
                return Enqueued(there[0].id, is_new=False)

    async def newest(self, states: Sequence[State], kind: str | None, *, limit: int) -> Sequence[JobRead]:
        """Return the jobs that were enqueued last, of these states, or of all if there are none, and of this kind."""
        where = ({"state": tuple(states)} if states else {}) | ({} if kind is None else {"kind": kind})
        return (await self.page(limit=limit, sort="-id", where=where)).records

    async def end_waiting(self, identity: int, now: datetime) -> bool:
        """Cancel a job that waits."""
        return await self._has_changed(self._end_waiting, identity=identity, now=now)

    async def ask_to_cancel(self, identity: int) -> bool:
        """Let the worker that runs a job know that it is to be cancelled."""
        return await self._has_changed(self._ask_to_cancel, identity=identity)

    async def retry(self, identity: int, now: datetime) -> bool:
        """Let a dead or cancelled job wait again, as if it had never run."""
        return await self._has_changed(self._retry, identity=identity, now=now)

    async def drop(self, identity: int) -> bool:
        """Delete a job that does not run."""
        return await self._has_changed(self._drop, identity=identity)

    async def naming(self, text: str) -> Sequence[JobRead]:
        """Return the jobs whose payload has this text as a value, whatever its case."""
        rows = await self._database.execute(self._prepared(self._naming), {"text": _value(text)})
        return await self._parts.reading.records(self._database, rows)

    async def delete_naming(self, text: str) -> None:
        """Delete those of them that do not run."""
        await self._database.execute(self._prepared(self._delete_naming), {"text": _value(text)}, writes=True)

    async def pause(self, queue: str) -> bool:
        """Let nothing of a queue be claimed; return False if it was so."""
        statement = self._prepared(insert_unless_there, PAUSED)
        rows = await self._database.execute(statement.returning(PAUSED.c.id), stamped({"queue": queue}), writes=True)
        return bool(rows)

    async def resume(self, queue: str) -> bool:
        """Undo `pause`; return False if it was not paused."""
        statement = delete(PAUSED).where(PAUSED.c.queue == queue).returning(PAUSED.c.id)
        return bool(await self._database.execute(statement, writes=True))

    async def paused(self) -> list[str]:
        """Return the names of the paused queues."""
        return [name for (name,) in await self._database.execute(select(PAUSED.c.queue).order_by(PAUSED.c.queue))]

    async def counts(self, now: datetime) -> list[QueueCount]:
        """Return how many jobs each queue has that wait or run."""
        waiting = await self._database.execute(self._prepared(self._waiting), {"now": now})
        running = {row.queue: row.number for row in await self._database.execute(self._prepared(self._running))}
        found = {row.queue: QueueCount(row.queue, row.due, row.later, 0, row.oldest) for row in waiting}
        for queue, number in running.items():
            found[queue] = found.get(queue, QueueCount(queue, 0, 0, 0, None))._replace(running=number)
        return [found[queue] for queue in sorted(found)]

    async def counts_by_kind(self) -> list[KindCount]:
        """Return how many jobs of each kind are in each state, without those that are done: most are."""
        return [KindCount(*row) for row in await self._database.execute(self._prepared(self._by_kind))]

    async def last_tick(self, schedule: str) -> datetime | None:
        """Return the last tick of a schedule, None if no worker has seen it; within a transaction it is locked."""
        statement = self._prepared(self._last_tick, self._database.is_writing)
        rows = await self._database.execute(statement, {"name": schedule})
        return rows[0].last_tick if rows else None

    async def begin_schedule(self, schedule: str, tick: datetime) -> None:
        statement = self._prepared(insert_unless_there, SCHEDULES)
        await self._database.execute(statement, stamped({"name": schedule, "last_tick": tick}), writes=True)

    async def advance_schedule(self, schedule: str, last: datetime, tick: datetime) -> bool:
        """Move a schedule from one tick to another; False if somebody else has."""
        parameters = {"schedule": schedule, "last": last, "tick": tick}
        return bool(await self._database.execute(self._prepared(self._advance_schedule), parameters, writes=True))

    async def _has_changed(self, build: Any, **parameters: object) -> bool:
        return bool(await self._database.execute(self._prepared(build), parameters, writes=True))

    def _insert(self) -> Insert:
        return insert(self._table).returning(JOB.id)

    def _insert_unless_there(self) -> Insert:
        return insert_unless_there(self._table).returning(JOB.id)

    def _of_key(self) -> Select[Any]:
        return select(JOB.id).where(JOB.kind == bindparam("kind"), JOB.unique_key == bindparam("unique_key"))

    def _one(self, *states: State) -> Update:
        return update(self._table).where(JOB.id == bindparam("identity"), JOB.state.in_(states)).returning(JOB.id)

    def _end_waiting(self) -> Update:
        return self._one(State.WAITING).values(
            state=State.CANCELLED, ended_at=bindparam("now"), unique_key=kept_key(State.CANCELLED)
        )

    def _ask_to_cancel(self) -> Update:
        return self._one(State.RUNNING).values(is_cancel_requested=True)

    def _retry(self) -> Update:
        return self._one(State.DEAD, State.CANCELLED).values(
            state=State.WAITING,
            attempt=0,
            due_at=bindparam("now"),
            rank_at=bindparam("now"),
            ended_at=None,
            deadline_at=None,
            is_cancel_requested=False,
        )

    def _drop(self) -> Executable:
        return delete(self._table).where(JOB.id == bindparam("identity"), JOB.state != State.RUNNING).returning(JOB.id)

    def _naming(self) -> Select[Any]:
        return select(*(JOB[name] for name in self._parts.reading.names)).where(_is_named()).order_by(JOB.id)

    def _delete_naming(self) -> Executable:
        return delete(self._table).where(_is_named(), JOB.state != State.RUNNING)

    def _waiting(self) -> Select[Any]:
        is_due = JOB.due_at <= bindparam("now")
        due, later = (func.sum(case((which, 1), else_=0)) for which in (is_due, ~is_due))
        oldest = func.min(case((is_due, JOB.due_at)), type_=JOB.due_at.type)
        columns = (JOB.queue, due.label("due"), later.label("later"), oldest.label("oldest"))
        return select(*columns).where(is_in(State.WAITING)).group_by(JOB.queue)

    def _running(self) -> Select[Any]:
        return select(JOB.queue, func.count().label("number")).where(is_in(State.RUNNING)).group_by(JOB.queue)

    def _by_kind(self) -> Select[Any]:
        # Each part is spelt so that a partial index serves it.
        ended = JOB.state.in_([State.DEAD, State.CANCELLED]) & JOB.ended_at.is_not(None)
        counted = select(JOB.kind, JOB.state, func.count()).where(
            or_(is_in(State.WAITING), is_in(State.RUNNING), ended)
        )
        return counted.group_by(JOB.kind, JOB.state).order_by(JOB.kind, JOB.state)

    def _last_tick(self, locks: bool) -> Select[Any]:  # noqa: FBT001 - see `Statements`.
        statement = select(SCHEDULES.c.last_tick).where(SCHEDULES.c.name == bindparam("name"))
        return statement.with_for_update() if locks else statement

    def _advance_schedule(self) -> Update:
        is_ours = (SCHEDULES.c.name == bindparam("schedule")) & (SCHEDULES.c.last_tick == bindparam("last"))
        return update(SCHEDULES).where(is_ours).values(last_tick=bindparam("tick")).returning(SCHEDULES.c.id)


def _value(text: str) -> str:
    """Return the pattern of a text that stands in a payload, in small letters; wildcards in it are escaped."""
    escaped = re.sub("[/%_]", r"/\g<0>", to_json(text).decode().lower())
    return f"%{escaped}%"


def _is_named() -> ColumnElement[bool]:
    return func.lower(JOB.payload).like(bindparam("text"), escape="/")
