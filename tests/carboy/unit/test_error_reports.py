"""Sentry is told what is our fault, each error with the id of its own request or job, and nothing of anybody's."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from pydantic import SecretStr
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from support.asgi import ask
from support.traced import TracedContainer, api, meeting, parts, plain

from carboy.config.settings import Environment, SentrySettings, Settings
from carboy.server import create_asgi
from carboy.telemetry.error_reports import ErrorReports
from carboy.testing import MemoryDatabase, client_of, drain, override

DSN = "https://key@sentry.invalid/1"


class Collect(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.reports += [item.payload.json for item in envelope.items if item.payload.json is not None]


@pytest.fixture
def sent() -> Collect:
    return Collect()


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase, sent: Collect) -> Iterator[TracedContainer]:
    container = TracedContainer()
    wanted = SentrySettings(dsn=SecretStr(DSN), release="2026.11.3")
    changes = parts(database) | {"error_reports": ErrorReports(wanted, Environment.TESTING, sent)}
    with override(container, settings=settings, **changes):
        yield container


@pytest.fixture
def app(app: Flask) -> Flask:
    app.register_blueprint(api)
    app.register_blueprint(plain)
    return app


async def test_forty_failures_at_once_are_reported_each_with_its_own_id(
    container: TracedContainer, app: Flask, sent: Collect
) -> None:
    asgi = create_asgi(container, app)
    # As many as fail on the loop's thread, and on threads of their own.
    paths = [f"/traced/{kind}/{number}" for kind in ("meets", "sync-meets") for number in range(20)]
    meeting.expect(len(paths))
    async with client_of(asgi):
        requests = [
            ask(asgi, path, headers=[(b"x-request-id", path.replace("/", ".").encode()), (b"x-secret", b"Zq7")])
            for path in paths
        ]
        assert {answer.status for answer in await asyncio.gather(*requests)} == {500}
    assert len(sent.reports) == 40
    told = {report["exception"]["values"][-1]["value"]: report for report in sent.reports}
    assert sorted(told) == sorted(paths)
    for path, report in told.items():
        assert report["tags"] == {"request_id": path.replace("/", ".")}
        assert report["transaction"] == f"GET {path.rpartition('/')[0]}/<int:number>"
        assert (report["environment"], report["release"], report["level"]) == ("testing", "2026.11.3", "error")
    everything = json.dumps(sent.reports)
    assert "Zq7" not in everything
    assert not {"user", "request", "breadcrumbs"} & set().union(*sent.reports)
    assert '"vars"' not in everything


async def test_a_job_that_is_dead_is_reported_and_what_is_expected_is_not(
    container: TracedContainer, app: Flask, sent: Collect
) -> None:
    async with client_of(create_asgi(container, app)) as client:
        assert (await client.get("/traced/order/0")).status_code == 404
        assert (await client.get("/nowhere")).status_code == 404
        assert (await client.post("/traced/fail")).status_code == 405
        await client.get("/traced/order/7")
        await client.get("/traced/order/13", headers={"X-Request-ID": "mine-1"})
        assert await drain(container) == 2
    [report] = sent.reports
    assert report["exception"]["values"][-1]["type"] == "LookupError"
    assert report["transaction"] == "job traced.remind"
    assert report["tags"] == {"request_id": "mine-1", "job": "traced.remind", "job_id": "2", "attempt": "1"}


async def test_a_stream_that_fails_is_reported_with_the_id_of_its_request(
    container: TracedContainer, app: Flask, sent: Collect
) -> None:
    asgi = create_asgi(container, app)

    async def served(*connection: Any) -> None:
        """Log what fails, as servers do."""
        try:
            await asgi(*connection)
        except LookupError:
            logging.getLogger("hypercorn.error").exception("Error in ASGI Framework")

    async with client_of(asgi):
        await ask(served, "/traced/breaks/1", headers=[(b"x-request-id", b"mine-1")])
    [report] = sent.reports
    assert report["tags"] == {"request_id": "mine-1"}
    assert report["transaction"] == "GET /traced/breaks/<int:number>"


async def test_what_is_logged_as_an_error_is_reported_without_its_values(sent: Collect) -> None:
    reports = ErrorReports(SentrySettings(dsn=SecretStr(DSN), release=None), Environment.TESTING, sent)
    reports.open()
    # Not in one piece, as a report shows lines of the source.
    owner = "QUEEN-OF-HEARTS".lower()
    logging.getLogger("shop").error("the purse of %s is empty", owner)
    logging.getLogger("shop").warning("it is late")
    logging.getLogger("opentelemetry.exporter").error("nobody takes spans")
    try:
        int("gone")
    except ValueError:
        structlog.stdlib.get_logger("shop").exception("no purse", owner=owner)
    await reports.close()
    logging.getLogger("shop").error("nobody listens any more")
    said, failed = sent.reports
    assert said["message"] == "the purse of %s is empty"
    assert failed["exception"]["values"][-1]["type"] == "ValueError"
    assert "queen-of-hearts" not in json.dumps(sent.reports)


async def test_nothing_is_reported_where_there_is_no_dsn(sent: Collect) -> None:
    before = logging.getLogger().handlers[:]
    reports = ErrorReports(SentrySettings(dsn=None, release=None), Environment.TESTING, sent)
    reports.open()
    assert logging.getLogger().handlers == before
    await reports.close()
