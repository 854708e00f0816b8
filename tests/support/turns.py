"""Lets a test have the machine for itself although processes run tests beside each other."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = Path(__file__)
GATE = ROOM.parent.parent / "conftest.py"
"""Files that are there anyway serve as locks, which end with the process that holds them."""


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait until no test that must be alone is running; or, to be alone, until none is running at all."""
    with ROOM.open() as room:
        # Who waits for the room to be empty keeps the gate meanwhile, so that nobody slips in before.
        with GATE.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
