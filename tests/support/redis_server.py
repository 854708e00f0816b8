"""A Redis of a test's own, where there is one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = shutil.which("redis-server")


def why_no_redis() -> str | None:
    """Return why there is no Redis, or None if there is one."""
    return None if SERVER else "there is no redis-server"


@contextmanager
def new_redis(folder: Path) -> Iterator[str]:
    """Start a Redis that stores nothing, and yield its URL; ask `why_no_redis` before."""
    assert SERVER is not None
    socket = folder / "redis.sock"
    arguments = [SERVER, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with (
        (folder / "redis.log").open("w") as log,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True) as server,  # noqa: S603 - ours.
    ):
        assert server.stdout is not None
        while "eady to accept connections" not in server.stdout.readline():
            assert server.poll() is None
        yield f"redis+unix://{socket}"
        server.kill()
