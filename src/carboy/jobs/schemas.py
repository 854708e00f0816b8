"""What is known of a job: where it stands, and what its worker needs to run it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

from pydantic import StringConstraints

from carboy.schemas import Text
from carboy.schemas.base import PageQuery, Record, sort_by


class State(StrEnum):
    WAITING = "waiting"
    """To be run when it is due: for the first time, or again."""
    RUNNING = "running"
    """A worker has a lease on it."""
    DONE = "done"
    DEAD = "dead"
    """It will not be run again by itself: a dead letter, kept with its errors."""
    CANCELLED = "cancelled"


ENDED = (State.DONE, State.DEAD, State.CANCELLED)


class UniqueUntil(StrEnum):
    """The states over which a job keeps its unique key, each with those before it."""

    STARTED = "started"
    """While it waits."""
    ENDED = "ended"
    """While it waits or runs."""
    REMOVED = "removed"
    """As long as its row is kept, whatever became of it."""


class Enqueued(NamedTuple):
    """The answer to an enqueue.

    Attributes:
        id: The job's.
        is_new: False if another job has the unique key; then the id is that one's.
    """

    id: int
    is_new: bool


class JobRead(Record):
    """A job as operators and whoever waits for it see it."""

    kind: str
    queue: str
    state: State
    priority: int
    payload: str
    payload_version: int
    attempt: int
    lapses: int
    progress: float | None
    progress_text: str | None
    created_at: datetime
    scheduled_at: datetime
    due_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    is_cancel_requested: bool
    idempotency_key: str
    context: dict[str, str]
    history: list[dict[str, Any]]

    @property
    def last_error(self) -> str | None:
        """What went wrong last, in a line."""
        return self.history[-1]["error"] if self.history else None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class JobProgress(Record):
    """How far a job has come, for clients: neither what it was given nor what went wrong in it."""

    state: State
    progress: float | None
    """From 0 to 1, if the job tells."""
    progress_text: str | None
    """What is being done, if the job tells."""

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def event_id(self) -> str:
        """Names what is said, so that a client which has seen it need not be told again."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]


class JobQuery(PageQuery):
    """Which jobs a list shows."""

    sort: Annotated[str, sort_by()] = "-id"
    state: State | None = None
    kind: Annotated[Text, StringConstraints(max_length=200)] | None = None
    """Only jobs of this kind, such as `users.send_welcome`."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a worker has a lease on.

    Attributes:
        claims: How often it was claimed. Whoever holds the lease is known by it: each claim counts it up.
        attempt: How many of the claims count as attempts, this one with them.
        lapses: How often a lease ended with its worker.
    """

    id: int
    kind: str
    queue: str
    payload: str
    payload_version: int
    priority: int
    attempt: int
    claims: int
    lapses: int
    created_at: datetime
    scheduled_at: datetime
    due_at: datetime
    deadline_at: datetime | None
    idempotency_key: str
    context: dict[str, str]
    history: list[dict[str, Any]]
    owner: str


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: what becomes of the job's row, if its worker still has the lease.

    Attributes:
        outcome: ``done``, ``dead``, ``cancelled``, ``retried``, or, without an attempt, ``delayed`` or ``returned``.
    """

    id: int
    claims: int
    outcome: str
    state: State
    attempt: int
    due_at: datetime
    rank_at: datetime
    ended_at: datetime | None
    history: list[dict[str, Any]]


class KindCount(NamedTuple):
    """How many jobs of a kind are in a state."""

    kind: str
    state: State
    number: int


class QueueCount(NamedTuple):
    """How many jobs of a queue are due, how many will be, how many run, and since when the oldest is due."""

    queue: str
    due: int
    later: int
    running: int
    oldest_due_at: datetime | None
