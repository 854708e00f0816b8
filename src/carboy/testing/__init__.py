"""What tests of this project need, and tests of a project built on it reuse.

- `override` swaps any part of a container, and puts it back.
- `fakes_of` gives what stands in for a container's database and DAOs, `fake_of` the fake of one DAO.
- `misfits_in` tells where the schemas of a container's domains and their tables do not fit each other.
- `client_of` talks to an application without a server. It needs httpx.
- `carboy.testing.fixtures` is a pytest plug-in with the fixtures ``app`` and ``client``.
"""

from carboy.testing.client import client_of
from carboy.testing.database import FakeDatabase
from carboy.testing.fakes import FakeDao, fake_of, fakes_of
from carboy.testing.fits import misfits_in
from carboy.testing.overrides import override

__all__ = ["FakeDao", "FakeDatabase", "client_of", "fake_of", "fakes_of", "misfits_in", "override"]
