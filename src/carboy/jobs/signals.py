"""Wakes workers, and whoever follows a job, as soon as there is something to do or to see."""

from carboy.db.notices import Notices
from carboy.services.channels import Changes

LOOK_SECONDS = 2.0
"""How often whoever follows a job looks at it untold: only jobs that report progress tell other processes."""


class JobSignals:
    """What happens to jobs.

    Attributes:
        work: Something may be due.
        cancel: A running job is to be cancelled.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self.work = notices.signal("jobs.work")
        self.cancel = notices.signal("jobs.cancel")

    def changed(self, job_id: int, *, everywhere: bool = True) -> None:
        """Tell whoever follows a job that it has come further, or to an end; in other processes too, or here alone."""
        signal = self._notices.signal(_topic(job_id))
        (signal.give if everywhere else signal.wake)()

    def changes(self, job_id: int) -> Changes:
        """Return what tells of a job's changes."""
        return Changes(self._notices.signal(_topic(job_id)), every=LOOK_SECONDS)


def _topic(job_id: int) -> str:
    return f"jobs/{job_id}"
