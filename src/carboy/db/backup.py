"""Copies a database to a file while it is in use, and back into an empty one.

SQLite by its online backup, PostgreSQL by pg_dump and pg_restore, which must be as new as the server.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from carboy.config.database_urls import parse_url

PAGES = 1024
"""Copied at once, 4 MiB with pages of the default size; after each step the progress is told."""
ENCRYPTION = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
TABLES = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"

Tell = Callable[[str], None]


class BackupError(Exception):
    """A backup could not be made or restored; nothing is half there."""


def back_up(database_url: str, file: Path, tell: Tell) -> None:
    """Copy a database, as it is at this moment, to a new file, which only this user may read.

    Args:
        database_url: As it is configured.
        file: Where it goes; it must not exist.
        tell: Called with the progress.

    Raises:
        BackupError: The file exists or cannot be written, or the database cannot be read.
    """
    with _told(), _new(file) as part:
        url = parse_url(database_url).url
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(Path(url.database or ""), part, tell)
        else:
            _run(["pg_dump", "--format=custom", "--no-owner", "--verbose", f"--file={part}"], database_url, tell)
        _check(part, is_sqlite=url.get_backend_name() == "sqlite")


def restore(database_url: str, file: Path, tell: Tell) -> None:
    """Copy a backup into a database that has nothing in it: on SQLite, one whose file does not exist.

    Raises:
        BackupError: The backup is damaged or another database's, or something is in the database already.
    """
    url = parse_url(database_url).url
    is_sqlite = url.get_backend_name() == "sqlite"
    with _told():
        _check(file, is_sqlite=is_sqlite)
        if is_sqlite:
            target = Path(url.database or "")
            target.parent.mkdir(parents=True, exist_ok=True)
            with _new(target) as part:
                _copy_sqlite(file, part, tell)
                _check(part, is_sqlite=True)
            return
        if (
            _run(["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", TABLES], database_url).strip()
            != "0"
        ):
            raise BackupError("There are tables in the database; a backup is restored into an empty one.")
        command = ["pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--verbose", "--dbname="]
        _run([*command, str(file)], database_url, tell)


@contextmanager
def _new(file: Path) -> Iterator[Path]:
    """Give a file beside another, which becomes that one if nothing fails."""
    if file.exists():
        raise BackupError(f"{file} exists, and is not overwritten.")
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
        descriptor = os.open(part, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        # Unlike a rename, it fails where somebody has made that file meanwhile.
        os.link(part, file)
    finally:
        part.unlink(missing_ok=True)


def _copy_sqlite(source: Path, target: Path, tell: Tell) -> None:
    def progress(_status: int, remaining: int, total: int) -> None:
        tell(f"{100 * (total - remaining) // max(total, 1)} %")

    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        # One snapshot for all steps: else each write of another process would make the backup begin anew.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reading.backup(writing, pages=PAGES, progress=progress)
        # The log belongs to a database in use; a copy is one file.
        writing.execute("PRAGMA journal_mode=DELETE")


def _check(file: Path, *, is_sqlite: bool) -> None:
    """Raise a `BackupError` if a backup is damaged."""
    if not file.is_file():
        raise BackupError(f"{file} is no file.")
    if not is_sqlite:
        _run(["pg_restore", "--list", str(file)], None)
        return
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if found != "ok":
            raise BackupError(f"{file} is damaged: {found}")


def _run(command: Sequence[str], database_url: str | None, tell: Tell | None = None) -> str:
    """Run a program of PostgreSQL's, tell of the tables it comes to, and return what it prints."""
    environment = os.environ | ({} if database_url is None else _environment(database_url))
    with subprocess.Popen(  # noqa: S603 - PostgreSQL's own programs; only the name of the file is the user's.
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if tell is not None and ("contents of table" in line or "data for table" in line):
                tell(line.split('"')[1])
    if process.returncode:
        raise BackupError(f"{command[0]} failed: {''.join(lines[-3:]).strip()}")
    return "".join(lines)


def _environment(database_url: str) -> dict[str, str]:
    """Return what libpq is told; not by arguments, which all users of a machine can see."""
    url, arguments = parse_url(database_url)
    given = dict(parse_qsl(urlsplit(database_url).query))
    hosts, ports = arguments.get("host", url.host), arguments.get("port", url.port)
    told = {
        "PGHOST": ",".join(hosts) if isinstance(hosts, list) else hosts,
        "PGPORT": ",".join(map(str, ports)) if isinstance(ports, list) else ports and str(ports),
        "PGUSER": arguments.get("user", url.username),
        "PGPASSWORD": arguments.get("password", url.password),
        "PGPASSFILE": given.get("passfile"),
        "PGDATABASE": arguments.get("database", url.database),
    }
    told |= {f"PG{name.upper()}": given[name] for name in ENCRYPTION if name in given}
    if "ssl" in given:
        told["PGSSLMODE"] = {"true": "require", "false": "disable"}.get(given["ssl"], given["ssl"])
    return {name: str(value) for name, value in told.items() if value}


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        hint = " Install PostgreSQL's client." if missing in {"pg_dump", "pg_restore", "psql"} else ""
        raise BackupError(f"{error.filename}: {error.strerror}.{hint}") from error
    except (OSError, sqlite3.Error) as error:
        raise BackupError(str(error)) from error
