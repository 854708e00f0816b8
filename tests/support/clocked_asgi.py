"""What a server is pointed at whose clock is set while it serves: as in `support.rolling`, with a schedule."""

from threading import Event
from typing import Annotated

from dependency_injector.wiring import Provide
from support.rolling import Ledger, RollingContainer, linger, rolling

from app import create_app
from carboy.db import sqlite_connection
from carboy.jobs import INJECTED, Cron, JobRun, job
from carboy.server import create_asgi

# clock_nanosleep, by which Python sleeps, fails under libfaketime 0.9.10. Who waits for SQLite's lock does so this way.
vars(sqlite_connection)["sleep"] = Event().wait


@job(name="strike", schedule=Cron("*/5 * * * * *"))
async def strike(ledger: Annotated[Ledger, Provide["ledger"]] = INJECTED, run: JobRun = INJECTED) -> None:
    """Write the tick down."""
    ledger.note("strike", int(run.scheduled_at.timestamp()))


RollingContainer.job_kinds.add_args(linger, strike)
_container = RollingContainer()
_app = create_app(_container)
_app.register_blueprint(rolling)
asgi = create_asgi(_container, _app)
