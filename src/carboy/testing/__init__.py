"""What tests of this project need, and tests of a project built on it reuse.

- `override` swaps any part of a container, and puts it back.
- `FakeDatabase` and `FakeDao` stand in for the database; a fake of a new DAO is one line.
- `client_of` talks to an application without a server. It needs httpx.
- `carboy.testing.fixtures` is a pytest plug-in with the fixtures ``app`` and ``client``.
"""

from carboy.testing.client import client_of
from carboy.testing.database import FakeDatabase
from carboy.testing.fakes import FakeDao, FakeIdempotencyKeyDao, FakeUserDao
from carboy.testing.overrides import override

__all__ = ["FakeDao", "FakeDatabase", "FakeIdempotencyKeyDao", "FakeUserDao", "client_of", "override"]
