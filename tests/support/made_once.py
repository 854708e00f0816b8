"""Makes what the tests of several processes only read once for all of them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process of this run which asks for it fills; the others wait for that.

    Args:
        factory: pytest's, whose folder for one process stands in that of the run.
        name: The folder's name, the same in each process.
        make: Fills the empty folder.
    """
    own = factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, made = run / name, run / f"{name}-made"
    with (run / f"{name}-lock").open("w") as lock:
        # It ends with the process that holds it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            # Where another process has failed, this one fails by itself.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
