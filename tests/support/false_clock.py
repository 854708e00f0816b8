"""A clock that is false: servers under libfaketime, whose time of day a file says. The machine's own stays as it is."""

import time
from pathlib import Path

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1")
SEEN_SECONDS = 1.0
"""How soon processes see that it was set."""


def library() -> str | None:
    """Return where libfaketime is, None if it is not installed."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.removeprefix("/"))]
    return str(found[0]) if found else None


class FalseClock:
    """The clock of all processes that have its environment. They see within a second that it was set.

    Args:
        path: A file for it.
        preloaded: The library.
    """

    def __init__(self, path: Path, preloaded: str) -> None:
        self._path, self._seconds = path, 0
        self.environment = {
            "LD_PRELOAD": preloaded,
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_CACHE_DURATION": "1",
            # Nobody sets this one: time-outs go by it.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let it differ from the machine's by so many seconds."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.replace(self._path)
        self._seconds = seconds

    def now(self) -> float:
        return time.time() + self._seconds
