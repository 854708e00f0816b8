"""How a run may end, and what becomes of its job then."""

from datetime import datetime, timedelta
from typing import Any

from carboy.jobs.policies import rank_of
from carboy.jobs.schemas import ClaimedJob, End, State

History = list[dict[str, Any]]

MOST_ENTRIES = 20
"""Of the history only the last ones are kept."""
MOST_LETTERS = 1000
"""The longest error that is kept."""


def done(job: ClaimedJob, now: datetime) -> End:
    return _end(job, State.DONE, now, job.history)


def dead(job: ClaimedJob, now: datetime, error: str) -> End:
    """End it as a dead letter."""
    return _end(job, State.DEAD, now, _with(job, now, error))


def cancelled(job: ClaimedJob, now: datetime) -> End:
    return _end(job, State.CANCELLED, now, _with(job, now, "cancelled while it ran"))


def returned(job: ClaimedJob) -> End:
    """Let it wait again as if it had not been claimed, in its old place."""
    return _wait(job, "returned", job.due_at, job.attempt - 1, job.history)


def retried(job: ClaimedJob, now: datetime, delay: float, error: str) -> End:
    """Let it wait for so many seconds, after an attempt that failed."""
    return _wait(job, "retried", now + timedelta(seconds=delay), job.attempt, _with(job, now, error))


def delayed(job: ClaimedJob, now: datetime, delay: float, reason: str) -> End:
    """Let it wait for so many seconds, without counting an attempt. A reason that stays the same is noted once."""
    is_known = bool(job.history) and job.history[-1]["error"] == _spelt(reason)
    history = job.history if is_known else _with(job, now, reason)
    return _wait(job, "delayed", now + timedelta(seconds=delay), job.attempt - 1, history)


def waiting_since(job: ClaimedJob, now: datetime, reason: str) -> datetime:
    """Return since when it has been delayed for this reason."""
    if job.history and job.history[-1]["error"] == _spelt(reason):
        return datetime.fromisoformat(job.history[-1]["at"])
    return now


def _end(job: ClaimedJob, state: State, now: datetime, history: History) -> End:
    rank_at = rank_of(job.due_at, job.priority)
    return End(job.id, job.claims, state.value, state, job.attempt, job.due_at, rank_at, now, history)


def _wait(job: ClaimedJob, outcome: str, due_at: datetime, attempt: int, history: History) -> End:
    rank_at = rank_of(due_at, job.priority)
    return End(job.id, job.claims, outcome, State.WAITING, attempt, due_at, rank_at, None, history)


def _with(job: ClaimedJob, now: datetime, error: str) -> History:
    entry = {"at": now.isoformat(), "attempt": job.attempt, "worker": job.owner, "error": _spelt(error)}
    return [*job.history, entry][-MOST_ENTRIES:]


def _spelt(error: str) -> str:
    # PostgreSQL takes neither NUL nor half a surrogate pair.
    return error[:MOST_LETTERS].replace("\0", "\\0").encode(errors="backslashreplace").decode()
