"""`flask doctor`: whether this could serve, without serving."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click
from dependency_injector.containers import Container
from flask import current_app
from flask.cli import with_appcontext

from carboy.commands.diagnosis import Finding, diagnose
from carboy.di.wiring import current_container


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_appcontext
def doctor(*, as_json: bool) -> None:
    """Check configuration, database, migrations, clock, jobs, mail, disk and packages; exit with 1 if one fails.

    Settings that are wrong in themselves end every command before it begins, with all that is wrong.
    """
    findings = asyncio.run(_find(current_container(), current_app.import_name, Path(current_app.root_path)))
    is_ok = all(finding.is_ok for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": is_ok, "checks": [_plain(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.is_ok else 'FAIL'}  {finding.name:<13}  {finding.detail}")
    if not is_ok:
        raise SystemExit(1)


async def _find(container: Container, package: str, application: Path) -> list[Finding]:
    try:
        # The locks stand beside src.
        return [finding async for finding in diagnose(container, package, application.parents[1])]
    finally:
        await container.database().close()


def _plain(finding: Finding) -> dict[str, object]:
    fields = asdict(finding)
    return {"name": fields["name"], "ok": fields["is_ok"], "detail": fields["detail"]}
