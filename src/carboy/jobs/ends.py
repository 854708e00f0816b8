"""How a run may end, and what becomes of its job then."""

from datetime import datetime, timedelta
from typing import Any

from carboy.jobs.policies import rank_of
from carboy.jobs.schemas import ClaimedJob, End, State

MOST_ENTRIES = 20
"""Of the history only the last ones are kept."""
MOST_LETTERS = 1000
"""The longest error that is kept."""


def done(job: ClaimedJob, now: datetime) -> End:
    return _end(job, State.DONE, now)


def dead(job: ClaimedJob, now: datetime, error: str) -> End:
    """End it as a dead letter."""
    return _end(job, State.DEAD, now, error)


def cancelled(job: ClaimedJob, now: datetime) -> End:
    return _end(job, State.CANCELLED, now, "cancelled while it ran")


def returned(job: ClaimedJob) -> End:
    """Let it wait again as if it had not been claimed, in its old place."""
    rank_at = rank_of(job.due_at, job.priority)
    return End(job.id, job.claims, State.WAITING, job.attempt - 1, job.due_at, rank_at, None, job.history)


def again(job: ClaimedJob, now: datetime, delay: float, error: str, *, counts: bool) -> End:
    """Let it wait, and say why.

    Args:
        job: The job.
        now: The moment that it is.
        delay: Seconds from now until it is due.
        error: What went wrong, or what it waits for.
        counts: Whether this was an attempt.
    """
    due_at = now + timedelta(seconds=delay)
    attempt, history = job.attempt - (not counts), _with(job, now, error)
    return End(job.id, job.claims, State.WAITING, attempt, due_at, rank_of(due_at, job.priority), None, history)


def _end(job: ClaimedJob, state: State, now: datetime, error: str | None = None) -> End:
    history = job.history if error is None else _with(job, now, error)
    rank_at = rank_of(job.due_at, job.priority)
    return End(job.id, job.claims, state, job.attempt, job.due_at, rank_at, now, history)


def _with(job: ClaimedJob, now: datetime, error: str) -> list[dict[str, Any]]:
    # PostgreSQL takes neither NUL nor half a surrogate pair.
    text = error[:MOST_LETTERS].replace("\0", "\\0").encode(errors="backslashreplace").decode()
    entry = {"at": now.isoformat(), "attempt": job.attempt, "worker": job.owner, "error": text}
    return [*job.history, entry][-MOST_ENTRIES:]
