"""What tests of this project need, and tests of a project built on it reuse.

- `MemoryDatabase` is a SQLite database in memory for each test, on which the DAOs' own SQL runs.
- `override` swaps any part of a container, and puts it back.
- `misfits_in` tells where the schemas of a container's domains and their tables do not fit each other.
- `FakeBreachedPasswords` stands for the range API of breached passwords.
- `drain` runs the jobs that are due; `RecordedJobs` notes them, `InlineJobs` runs each where it is enqueued.
- `mailbox` is what a test's mail is handed to.
- `client_of` talks to an application without a server. It needs httpx.
- `carboy.testing.fixtures` is a pytest plug-in with the fixtures ``database``, ``app`` and ``client``.
"""

from carboy.testing.breached_passwords import FakeBreachedPasswords
from carboy.testing.client import client_of
from carboy.testing.database import MemoryDatabase
from carboy.testing.fits import misfits_in
from carboy.testing.jobs import InlineJobs, ManualClock, RecordedJobs, drain
from carboy.testing.mail import mailbox
from carboy.testing.overrides import override

__all__ = [
    "FakeBreachedPasswords",
    "InlineJobs",
    "ManualClock",
    "MemoryDatabase",
    "RecordedJobs",
    "client_of",
    "drain",
    "mailbox",
    "misfits_in",
    "override",
]
