"""Small file systems for databases, so that a test can fill them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.databases import new_postgresql_database, new_tablespace

SIZE = "40m"
ROOM_BYTES = 1_500_000
"""What is left when a disk has been filled."""


class Disk:
    """A file system that can be filled, all but a little, and emptied again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        self._filler.write_bytes(bytes(shutil.disk_usage(self.folder).free - ROOM_BYTES))

    def make_room(self) -> None:
        self._filler.unlink()


@contextmanager
def mounted() -> Iterator[Disk | None]:
    """Mount a small file system; None where that is not allowed."""
    # Not below pytest's folders: these are closed to PostgreSQL.
    folder = Path(tempfile.mkdtemp(prefix="carboy-disk-"))
    command = ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - the test's own.
        folder.rmdir()
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["/usr/bin/umount", str(folder)], check=True)  # noqa: S603 - likewise.
        folder.rmdir()


@contextmanager
def database_on(disk: Disk, backend: str) -> Iterator[str]:
    """Yield the URL of an empty database whose data is on a disk."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{disk.folder}/carboy.db"
        return
    place = disk.folder / "tablespace"
    place.mkdir()
    shutil.chown(place, "postgres", "postgres")
    with new_tablespace(place) as name, new_postgresql_database(f"TABLESPACE {name}") as url:
        yield url
