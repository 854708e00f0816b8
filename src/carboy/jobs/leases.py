"""The statements of workers: claim, rescue, heartbeat, finish."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    Update,
    bindparam,
    or_,
    select,
    tuple_,
    update,
)

from carboy.daos.statements import insert_unless_there, stamped
from carboy.db import Database
from carboy.jobs.daos import is_in, kept_key
from carboy.jobs.models import JobRate, PausedQueue, StoredJob
from carboy.jobs.policies import Rate
from carboy.jobs.schemas import ENDED, ClaimedJob, End, State
from carboy.models.base import table_of

JOBS, RATES, PAUSED = table_of(StoredJob), table_of(JobRate), table_of(PausedQueue)
JOB = JOBS.c

Lease = tuple[int, int]
"""A job's id, and which of its claims it is: only who made that one may say how the job ended."""


class Leased(NamedTuple):
    """A job that runs somewhere, and how long its lease lasts. Each claim and each heartbeat makes it another one."""

    id: int
    claims: int
    lease_until: datetime
    queue: str


@dataclass(frozen=True, slots=True)
class Term:
    """Who takes jobs, when, and until when they are theirs without a sign of life."""

    worker: str
    now: datetime
    until: datetime

    def parameters(self, **others: object) -> dict[str, Any]:
        return {"worker": self.worker, "now": self.now, "until": self.until, **others}


class Leases:
    """What workers ask of the database. Each method is a unit of work of its own, or joins the current one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, term: Term, queue: str, *, limit: int, rates: Mapping[str, Rate]) -> list[ClaimedJob]:
        """Take jobs of a queue that are due, the first by rank; of a queue that is paused none.

        Args:
            term: Who takes them, and until when.
            queue: The queue.
            limit: The most to take.
            rates: The limits of those kinds that have one.
        """

        async def work() -> list[ClaimedJob]:
            taken: list[ClaimedJob] = []
            for kind, rate in rates.items():
                if len(taken) < limit:
                    common = term.parameters(of_queue=queue, of_kind=kind)
                    taken += await self._claim_limited(common, rate, limit - len(taken))
            if len(taken) < limit:
                parameters = term.parameters(of_queue=queue, limit=limit - len(taken), kinds=list(rates))
                taken += await self._taken(_claim_others if rates else _claim, parameters)
            return taken

        return await self._database.write(work)

    async def _claim_limited(self, common: dict[str, Any], rate: Rate, limit: int) -> list[ClaimedJob]:
        kind = {"of_kind": common["of_kind"]}
        if not await self._database.execute(_any_due, common):
            return []
        await self._database.execute(_begin_rate, stamped({"kind": common["of_kind"], "starts": []}), writes=True)
        [(starts,)] = await self._database.execute(_starts, kind)
        recent = rate.recent(starts, common["now"])
        if len(recent) >= rate.count:
            return []
        taken = await self._taken(_claim_of_kind, common | {"limit": min(limit, rate.count - len(recent))})
        recent += [common["now"].timestamp()] * len(taken)
        await self._database.execute(_set_starts, kind | {"starts": recent}, writes=True)
        return taken

    async def hasten(self, now: datetime) -> None:
        """Let jobs be due that were to run at once, and were enqueued by a clock that was ahead."""
        await self._database.write(lambda: self._database.execute(_hasten, {"now": now}, writes=True))

    async def outside(self, soon: datetime, late: datetime) -> list[Leased]:
        """Return the jobs that run by leases which end before one moment or after another."""
        parameters = {"soon": soon, "late": late}
        rows = await self._database.read(lambda: self._database.execute(_outside, parameters))
        return [Leased(*row) for row in rows]

    async def rescue(self, term: Term, lost: Sequence[Leased]) -> list[ClaimedJob]:
        """Take over jobs of workers that are lost, unless they give a sign of life right now."""
        parameters = term.parameters(limit=len(lost), leases=[one[:3] for one in lost])
        return await self._database.write(lambda: self._taken(_rescue, parameters))

    async def _taken(self, statement: Executable, parameters: Mapping[str, Any]) -> list[ClaimedJob]:
        rows = await self._database.execute(statement, parameters, writes=True)
        # Which come first is the database's choice.
        return [ClaimedJob(*row[1:]) for row in sorted(rows, key=lambda row: (row[0], row.id))]

    async def heartbeat(self, worker: str, leases: Iterable[Lease], *, until: datetime) -> dict[int, bool]:
        """Prolong leases, and return for each job that is still held whether it is to be cancelled."""
        held = dict(leases)
        parameters = {"worker": worker, "ids": list(held), "until": until}
        rows = await self._database.write(lambda: self._database.execute(_heartbeat, parameters, writes=True))
        return {row.id: row.is_cancel_requested for row in rows if row.claims == held[row.id]}

    async def finish(self, ends: Sequence[End]) -> set[int]:
        """Write how runs have ended, in one transaction, and return the ids of those whose lease was still held."""

        async def work() -> set[int]:
            done = [end for end in ends if end.state is State.DONE]
            written: set[int] = set()
            if done:
                parameters = {"leases": [(end.id, end.claims) for end in done], "now": done[0].ended_at}
                rows = await self._database.execute(_done, parameters, writes=True)
                written |= {row.id for row in rows}
            for end in ends:
                if end.state is not State.DONE:
                    statement = _ended if end.state in ENDED else _returned
                    written |= {row.id for row in await self._database.execute(statement, _values(end), writes=True)}
            return written

        return await self._database.write(work)

    async def report(self, lease: Lease, fraction: float, text: str | None) -> None:
        """Write how far a job has come."""
        parameters = {"identity": lease[0], "of_claims": lease[1], "fraction": fraction, "text": text}
        await self._database.write(lambda: self._database.execute(_report, parameters, writes=True))

    async def next_due(self, queue: str) -> datetime | None:
        """Return the moment at which the first job of a queue is due, which may have passed; None if none waits."""
        rows = await self._database.read(lambda: self._database.execute(_next_due, {"of_queue": queue}))
        return rows[0].due_at if rows else None


def _values(end: End) -> dict[str, Any]:
    return {
        "identity": end.id,
        "of_claims": end.claims,
        "state": end.state,
        "attempt": end.attempt,
        "due_at": end.due_at,
        "rank_at": end.rank_at,
        "ended_at": end.ended_at,
        "history": end.history,
    }


def _taking(chosen: Select[Any], **changes: Any) -> Update:
    """Return the statement that gives a worker the jobs which another one chooses."""
    # PostgreSQL may run a locking subquery again for each row, a table expression not. SQLite has one writer, so that
    # SQLAlchemy leaves the locking out there.
    ids = chosen.limit(bindparam("limit")).with_for_update(skip_locked=True).cte("chosen")
    statement = update(JOBS).where(JOB.id.in_(select(ids.c.id)))
    taken = (JOB[field.name] for field in fields(ClaimedJob))
    return statement.values(
        state=State.RUNNING,
        owner=bindparam("worker"),
        lease_until=bindparam("until"),
        started_at=bindparam("now"),
        attempt=JOB.attempt + 1,
        claims=JOB.claims + 1,
        progress=None,
        progress_text=None,
        unique_key=kept_key(State.RUNNING),
        **changes,
    ).returning(JOB.rank_at, *taken)


def _due(*conditions: ColumnElement[bool]) -> Select[Any]:
    is_due = (is_in(State.WAITING), JOB.queue == bindparam("of_queue"), JOB.due_at <= bindparam("now"))
    is_paused = select(PAUSED.c.id).where(PAUSED.c.queue == bindparam("of_queue")).exists()
    return select(JOB.id).where(*is_due, ~is_paused, *conditions).order_by(JOB.rank_at)


_claim = _taking(_due())
_claim_others = _taking(_due(JOB.kind.not_in(bindparam("kinds", expanding=True))))
_claim_of_kind = _taking(_due(JOB.kind == bindparam("of_kind")))
_any_due = _due(JOB.kind == bindparam("of_kind")).limit(1)
_hasten = (
    update(JOBS)
    .where(is_in(State.WAITING), JOB.due_at > bindparam("now"), JOB.due_at <= JOB.created_at)
    .values(due_at=bindparam("now"), rank_at=bindparam("now"))
    .returning(JOB.id)
)
_outside = select(JOB.id, JOB.claims, JOB.lease_until, JOB.queue).where(
    is_in(State.RUNNING), or_(JOB.lease_until < bindparam("soon"), JOB.lease_until > bindparam("late"))
)
_rescue = _taking(
    select(JOB.id)
    .where(
        is_in(State.RUNNING),
        tuple_(JOB.id, JOB.claims, JOB.lease_until).in_(bindparam("leases", expanding=True)),
    )
    .order_by(JOB.lease_until),
    lapses=JOB.lapses + 1,
)
_begin_rate = insert_unless_there(RATES)
_starts = select(RATES.c.starts).where(RATES.c.kind == bindparam("of_kind")).with_for_update()
_set_starts = update(RATES).where(RATES.c.kind == bindparam("of_kind"))
_heartbeat = (
    update(JOBS)
    .where(
        JOB.id.in_(bindparam("ids", expanding=True)),
        JOB.owner == bindparam("worker"),
        is_in(State.RUNNING),
    )
    .values(lease_until=bindparam("until"))
    .returning(JOB.id, JOB.claims, JOB.is_cancel_requested)
)
_done = (
    update(JOBS)
    .where(tuple_(JOB.id, JOB.claims).in_(bindparam("leases", expanding=True)), is_in(State.RUNNING))
    .values(state=State.DONE, ended_at=bindparam("now"), owner=None, lease_until=None, unique_key=kept_key(State.DONE))
    .returning(JOB.id)
)


def _finishing(*, unique_key: Any) -> Update:
    return (
        update(JOBS)
        .where(JOB.id == bindparam("identity"), JOB.claims == bindparam("of_claims"), is_in(State.RUNNING))
        # What else is set follows from the parameters.
        .values(owner=None, lease_until=None, unique_key=unique_key)
        .returning(JOB.id)
    )


_ended = _finishing(unique_key=kept_key(State.DEAD))
_returned = _finishing(unique_key=JOB.unique_key)
_report = (
    update(JOBS)
    .where(JOB.id == bindparam("identity"), JOB.claims == bindparam("of_claims"), is_in(State.RUNNING))
    .values(progress=bindparam("fraction"), progress_text=bindparam("text"))
)
_next_due = (
    select(JOB.due_at).where(is_in(State.WAITING), JOB.queue == bindparam("of_queue")).order_by(JOB.due_at).limit(1)
)
