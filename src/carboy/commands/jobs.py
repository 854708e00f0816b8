"""`flask jobs ...`: what waits, runs and failed; and the worker."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import click
from dependency_injector.containers import Container
from flask import current_app
from flask.cli import AppGroup

from carboy.config import SettingsError
from carboy.config.extras import missing_extras
from carboy.di.lifecycle import opened
from carboy.di.wiring import current_container
from carboy.errors import CarboyError
from carboy.jobs.schemas import JobRead, State
from carboy.jobs.services import Jobs
from carboy.jobs.worker import Worker

T = TypeVar("T")

jobs = AppGroup("jobs", help="Look at background jobs, and work on them.")
job_ids = click.argument("job_ids", metavar="ID...", type=click.IntRange(min=1), nargs=-1, required=True)


@jobs.command("work")
@click.option("--queue", "queues", multiple=True, help="Only jobs of this queue; repeatable.")
def work(queues: tuple[str, ...]) -> None:
    """Work on jobs until SIGTERM or SIGINT; what runs then may end within `jobs.grace_seconds`."""
    with _told():
        asyncio.run(_work(current_container(), queues))


async def _work(container: Container, queues: Sequence[str]) -> None:
    if missing := [*missing_extras(container.settings())]:
        raise SettingsError("\n".join(missing))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(container):
        worker: Worker = container.job_worker()
        if queues:
            worker.serve_only(queues)
        async with worker.working():
            click.echo(f"working on {', '.join(worker.queues)}", err=True)
            await stop.wait()
            click.echo("stopping", err=True)


@jobs.command("queues")
def show_queues() -> None:
    """Print what waits and runs in each queue."""

    async def look(service: Jobs) -> tuple[Sequence[Any], list[str], datetime]:
        return await service.counts(), await service.paused(), current_container().clock()()

    counts, paused, now = _asked(look)
    rows = [("QUEUE", "DUE", "LATER", "RUNNING", "OLDEST", "")]
    for one in counts:
        age = "-" if one.oldest_due_at is None else f"{(now - one.oldest_due_at).total_seconds():.0f} s"
        rows.append((one.queue, str(one.due), str(one.later), str(one.running), age, "paused" * (one.queue in paused)))
    rows += [(queue, "0", "0", "0", "-", "paused") for queue in paused if queue not in {one.queue for one in counts}]
    _print(rows)


@jobs.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([one.value for one in State]),
    help="Only in this state; repeatable.",
)
@click.option("--kind", help="Only of this kind, such as users.send_welcome.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The most to print.")
def show_list(states: tuple[str, ...], kind: str | None, limit: int) -> None:
    """Print jobs, those enqueued last first."""
    found = _asked(lambda service: service.newest(states=[State(one) for one in states], kind=kind, limit=limit))
    rows = [("ID", "STATE", "KIND", "ATTEMPT", "DUE", "PROGRESS OR ERROR")]
    rows += [
        (str(one.id), one.state, one.kind, str(one.attempt), f"{one.due_at:%Y-%m-%d %H:%M:%S}", _remark(one))
        for one in found
    ]
    _print(rows)


@jobs.command("show")
@click.argument("job_id", metavar="ID", type=click.IntRange(min=1))
def show(job_id: int) -> None:
    """Print all that is known of a job, with its errors."""
    found = _asked(lambda service: service.status(job_id))
    fields = found.model_dump(mode="json", exclude={"history"})
    width = max(map(len, fields))
    for name, value in fields.items():
        if value is not None:
            click.echo(f"{name:<{width}}  {value}")
    for entry in found.history:
        click.echo(f"{entry['at']}  attempt {entry['attempt']} at {entry['worker']}: {entry['error']}")


@jobs.command("retry")
@job_ids
def retry(job_ids: tuple[int, ...]) -> None:
    """Let dead or cancelled jobs be run again, with all their attempts."""
    _each(job_ids, Jobs.retry, "waits again")


@jobs.command("cancel")
@job_ids
def cancel(job_ids: tuple[int, ...]) -> None:
    """Cancel jobs: at once if they wait; those that run, at their worker's next heartbeat."""
    _each(job_ids, Jobs.cancel, "is cancelled, or will be when its worker notices")


@jobs.command("drop")
@job_ids
def drop(job_ids: tuple[int, ...]) -> None:
    """Delete jobs that do not run, and all that is known of them."""
    _each(job_ids, Jobs.drop, "is deleted")


@jobs.command("pause")
@click.argument("queue")
def pause(queue: str) -> None:
    """Let no more jobs of a queue begin, at any worker; those that run go on."""
    is_new = _asked(lambda service: service.pause(queue))
    click.echo(f"{queue} is paused." if is_new else f"{queue} was paused already.")


@jobs.command("resume")
@click.argument("queue")
def resume(queue: str) -> None:
    """Let jobs of a paused queue begin again."""
    was_paused = _asked(lambda service: service.resume(queue))
    click.echo(f"{queue} goes on." if was_paused else f"{queue} was not paused.")


def _each(job_ids: Sequence[int], method: Callable[[Jobs, int], Awaitable[object]], done: str) -> None:
    """Do something to each job, also after one that it could not be done to, and exit with 1 then."""

    async def run(service: Jobs) -> list[str]:
        problems = []
        for job_id in job_ids:
            try:
                await method(service, job_id)
            except CarboyError as error:
                problems.append(f"{job_id}: {error}")
            else:
                click.echo(f"{job_id} {done}.")
        return problems

    if problems := _asked(run):
        raise click.ClickException("\n".join(problems))


def _asked(question: Callable[[Jobs], Awaitable[T]]) -> T:
    """Ask the service of jobs something, and close the database after it."""

    async def ask() -> T:
        container = current_container()
        try:
            return await question(container.jobs())
        finally:
            await container.database().close()

    with _told():
        run: Callable[[], T] = current_app.async_to_sync(ask)
        return run()


@contextmanager
def _told() -> Iterator[None]:
    try:
        with suppress(KeyboardInterrupt):
            yield
    except (CarboyError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


def _remark(job: JobRead) -> str:
    if job.state is State.RUNNING and job.progress is not None:
        return f"{job.progress:.0%} {job.progress_text or ''}".rstrip()
    return (job.last_error or "").partition("\n")[0][:100]


def _print(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
