"""A network of one's own, in which every port is free: only its loopback, and nothing outside."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


@contextmanager
def network_of_its_own() -> Iterator[None]:
    """Move this thread, and the processes and threads that it starts, into a new network.

    Raises:
        OSError: This process may not make networks.
    """
    # Python has functions for these from 3.12 on.
    library = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home:
        checked(library.unshare(CLONE_NEWNET))
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
            yield
        finally:
            checked(library.setns(home.fileno(), CLONE_NEWNET))


def checked(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
