from datetime import datetime

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from carboy.jobs.schemas import State, UniqueUntil
from carboy.models import Base, Json, KeyText, Number, Whole, choice


def _index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


class StoredJob(Base):
    """A job, from its enqueue until retention removes it."""

    __tablename__ = "background_jobs"
    # Partial, so that what has ended, most of the rows, is in one small index only.
    __table_args__ = (
        _index("ix_background_jobs_claim", "queue", "rank_at", where="state = 'waiting'"),
        _index("ix_background_jobs_due", "queue", "due_at", where="state = 'waiting'"),
        _index("ix_background_jobs_lease", "lease_until", where="state = 'running'"),
        _index("ix_background_jobs_ended", "state", "ended_at", where="ended_at IS NOT NULL"),
        _index("ix_background_jobs_unique", "kind", "unique_key", where="unique_key IS NOT NULL", unique=True),
        {"sqlite_autoincrement": True},
    )

    kind: Mapped[str] = mapped_column(KeyText)
    queue: Mapped[str] = mapped_column(KeyText)
    payload: Mapped[str] = mapped_column(Text)
    """JSON. As text it costs half, and what is no JSON is its reader's to tell."""
    payload_version: Mapped[Whole]
    state: Mapped[State] = choice(State)
    priority: Mapped[Whole]
    scheduled_at: Mapped[datetime]
    """When it was to run first; of a scheduled job the tick."""
    due_at: Mapped[datetime]
    rank_at: Mapped[datetime]
    """What due jobs are ordered by: the moment it is due, minus what its priority is worth. So whoever waits long
    enough comes before whatever its priority is, and no row has to be written to for that."""
    attempt: Mapped[Whole] = mapped_column(default=0)
    claims: Mapped[Whole] = mapped_column(default=0)
    lapses: Mapped[Whole] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    unique_key: Mapped[str | None] = mapped_column(KeyText)
    unique_until: Mapped[UniqueUntil | None] = choice(UniqueUntil, nullable=True)
    idempotency_key: Mapped[str] = mapped_column(String(32))
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[Number | None]
    progress_text: Mapped[str | None] = mapped_column(Text)
    context: Mapped[Json]
    """The id of the request that it comes from, and its ``traceparent``."""
    history: Mapped[Json]
    """What was not a success: when, in which attempt, at which worker, and the error."""


class JobSchedule(Base):
    """The last tick of a schedule. Whoever moves it forward fires it: one of all workers."""

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(KeyText, unique=True)
    last_tick: Mapped[datetime]


class JobRate(Base):
    """The last starts of the jobs of a kind that has a rate limit, in seconds since 1970."""

    __tablename__ = "job_rates"

    kind: Mapped[str] = mapped_column(KeyText, unique=True)
    starts: Mapped[Json]


class PausedQueue(Base):
    """A queue of which nothing is claimed until somebody resumes it."""

    __tablename__ = "paused_queues"

    queue: Mapped[str] = mapped_column(KeyText, unique=True)
