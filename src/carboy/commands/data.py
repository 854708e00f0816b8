"""`flask data ...`: what is kept, and for how long."""

from collections.abc import Sequence

import click
from flask import current_app
from flask.cli import AppGroup

from carboy.di.lifecycle import opened
from carboy.di.wiring import current_container
from carboy.errors import CarboyError
from carboy.retention.schemas import Swept
from carboy.retention.services import Sweeper

data = AppGroup("data", help="Look after what is kept.")


@data.command("sweep")
def sweep() -> None:
    """Delete what is kept no longer, now, and print how much that was; the schedule of `retention` does it too."""

    async def work() -> Sequence[Swept]:
        container = current_container()
        async with opened(container):
            sweeper: Sweeper = container.sweeper()
            return await sweeper.sweep()

    try:
        swept = current_app.async_to_sync(work)()
    except CarboyError as error:
        raise click.ClickException(str(error)) from error
    width = max(len(one.name) for one in swept)
    for one in swept:
        click.echo(f"{one.name:<{width}}  {one.rows:>9}  {one.seconds:8.2f} s")
