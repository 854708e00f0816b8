"""Background jobs: what shall happen if, and only if, a transaction commits, and what happens by schedule."""

from carboy.jobs.cron import Cron, Missed
from carboy.jobs.declaring import INJECTED, Job, job
from carboy.jobs.policies import GiveUp, Rate, Snooze, Unique
from carboy.jobs.runs import JobRun
from carboy.jobs.schemas import Enqueued, JobProgress, JobRead, State, UniqueUntil
from carboy.jobs.services import Jobs

__all__ = [
    "INJECTED",
    "Cron",
    "Enqueued",
    "GiveUp",
    "Job",
    "JobProgress",
    "JobRead",
    "JobRun",
    "Jobs",
    "Missed",
    "Rate",
    "Snooze",
    "State",
    "Unique",
    "UniqueUntil",
    "job",
]
