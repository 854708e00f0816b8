"""What `flask doctor` looks at, each for itself."""

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dependency_injector.containers import Container
from sqlalchemy import text

from carboy.config.database_urls import parse_url
from carboy.config.settings import MailSettings, Settings
from carboy.config.surroundings import unfit_surroundings
from carboy.db import Database
from carboy.db.migrations import Migrations
from carboy.errors import CarboyError
from carboy.jobs.services import Jobs
from carboy.mail.errors import MailError
from carboy.mail.transports import SmtpTransport, Transport

TIMEOUT_SECONDS = 10.0
"""For each check."""
MOST_CLOCK_SECONDS = 5.0
"""How far this machine's clock may be off the database's: leases, cursors and expiries compare the two."""
LEAST_FREE_BYTES = 256 * 1024 * 1024
MOST_LATE_SECONDS = 600.0
"""How long a job may be due before somebody should ask where the workers are."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)( ;)?", re.MULTILINE)
"""A package in a lock, and whether it is for some platforms only."""
VERSIONS = {"sqlite": "SELECT sqlite_version(), NULL", "postgresql": "SHOW server_version"}


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    name: str
    is_ok: bool
    detail: str


class UnfitError(Exception):
    """A check has found something to mend; its text says what."""


async def diagnose(container: Container, package: str, root: Path) -> AsyncIterator[Finding]:
    """Yield what each check finds. One that fails keeps no other from looking.

    Args:
        container: The application's.
        package: The application's, which holds its migrations.
        root: The folder with the locks of packages.
    """
    settings: Settings = container.settings()
    database: Database = container.database()
    checks: dict[str, Callable[[], Awaitable[str]]] = {
        "configuration": partial(_look_at_configuration, settings),
        "database": partial(_look_at_database, database, container.engines().reader.dialect.name),
        "migrations": partial(_look_at_migrations, Migrations(database, package)),
        "clock": partial(_look_at_clock, database, container.engines().reader.dialect.name),
        "jobs": partial(_look_at_jobs, container.jobs()),
        "mail": partial(_look_at_mail, settings.mail, container.mail_transport()),
        "disk": partial(_look_at_disk, settings),
        "versions": partial(_look_at_versions, root / "requirements" / "run.txt"),
    }
    for name, check in checks.items():
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield Finding(name, is_ok=True, detail=await check())
        except TimeoutError:
            yield Finding(name, is_ok=False, detail=f"no answer within {TIMEOUT_SECONDS:g} seconds")
        except (UnfitError, MailError) as error:
            yield Finding(name, is_ok=False, detail=str(error))
        except (CarboyError, OSError) as error:
            yield Finding(name, is_ok=False, detail=" ".join(f"{error.__cause__ or error}".split()))


async def _look_at_configuration(settings: Settings) -> str:
    problems = [*unfit_surroundings(settings, os.environ)]
    if problems:
        raise UnfitError(" ".join(problems))
    return f"{settings.environment}; nothing is unsafe"


async def _look_at_database(database: Database, dialect: str) -> str:
    began = time.perf_counter()
    await database.ping()
    milliseconds = (time.perf_counter() - began) * 1000
    [(found, *_)] = await database.read(lambda: database.execute(text(VERSIONS[dialect])))
    return f"{dialect} {found}, can be written to, answers in {milliseconds:.0f} ms"


async def _look_at_migrations(migrations: Migrations) -> str:
    problem = await migrations.ping()
    if problem is not None:
        raise UnfitError(f"{problem}: flask db {'merge' if problem == 'two heads' else 'upgrade'}")
    return "up to date"


async def _look_at_clock(database: Database, dialect: str) -> str:
    if dialect == "sqlite":
        return "the database has the same"
    [(theirs,)] = await database.read(lambda: database.execute(text("SELECT clock_timestamp()")))
    ahead = (datetime.now(UTC) - theirs).total_seconds()
    if abs(ahead) > MOST_CLOCK_SECONDS:
        raise UnfitError(f"{ahead:+.1f} s from the database's")
    return f"{ahead:+.3f} s from the database's"


async def _look_at_jobs(jobs: Jobs) -> str:
    queues = await jobs.counts()
    now = datetime.now(UTC)
    for queue in queues:
        late = 0 if queue.oldest_due_at is None else (now - queue.oldest_due_at).total_seconds()
        if late > MOST_LATE_SECONDS:
            raise UnfitError(f"{queue.due} of queue {queue.queue} wait, the oldest for {late:.0f} s: do workers run?")
    return f"{sum(queue.due for queue in queues)} due, {sum(queue.running for queue in queues)} running"


async def _look_at_mail(mail: MailSettings, transport: Transport | None) -> str:
    if not isinstance(transport, SmtpTransport):
        return f"transport: {mail.transport or 'none'}"
    await transport.check()
    return f"{mail.host}:{mail.port} lets us in"


async def _look_at_disk(settings: Settings) -> str:
    url = parse_url(settings.database.url.get_secret_value()).url
    folders = [Path(tempfile.gettempdir())]
    if url.get_backend_name() == "sqlite":
        folders.append(Path(url.database or "").parent)
    free = {folder: shutil.disk_usage(folder).free for folder in folders}
    for folder, count in free.items():
        if count < LEAST_FREE_BYTES:
            raise UnfitError(f"{count // 2**20} MiB are free in {folder}")
    return ", ".join(f"{count / 2**30:.1f} GiB free in {folder}" for folder, count in free.items())


async def _look_at_versions(lock: Path) -> str:
    return await asyncio.to_thread(_compare_versions, lock)


def _compare_versions(lock: Path) -> str:
    try:
        found: Sequence[tuple[str, str, str]] = PIN.findall(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "there is no lock here"
    # Some platforms, and some versions of Python, have pins of their own.
    pins: dict[str, set[str]] = {}
    for name, pinned, is_for_some in found:
        pins.setdefault(name, set()).update({pinned, ""} if is_for_some else {pinned})
    differing = [
        f"{name} is {installed or 'missing'}, not {' or '.join(sorted(filter(None, wanted)))}"
        for name, wanted in pins.items()
        if (installed := _installed(name)) not in wanted
    ]
    if differing:
        raise UnfitError("; ".join(differing))
    return f"{len(pins)} packages are as the lock has them"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
