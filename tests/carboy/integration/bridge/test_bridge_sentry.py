"""Sentry's SDK, unchanged, tells requests apart and reports what it reports under WSGI."""

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from typing import Any

import pytest
from support.monitoring import GIVEN_UP, LEFT, OTHERS, STREAMS, VIEWS
from support.server import TESTS

Report = dict[str, Any]
RUN_ON = ["auto", "view", "worker"]
PREFIXES = tuple(f"/{kind}/" for kind in VIEWS)


@cache
def told_to_sentry(how: str) -> dict[str, list[Report]]:
    """Run the application in a process of its own and return what Sentry was told of it."""
    command = [sys.executable, "-W", "error", "-m", "support.monitoring", how]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=50, check=False)  # noqa: S603 - ours.
    assert done.returncode == 0, done.stderr
    told: dict[str, list[Report]] = json.loads(done.stdout)
    return told


def path_of(report: Report) -> str:
    return str(report.get("request", {}).get("url")).removeprefix("http://testserver")


def is_transaction(report: Report) -> bool:
    return report.get("type") == "transaction"


def failures_of(report: Report) -> list[str]:
    return [f"{error['type']}: {error['value']}" for error in report.get("exception", {}).get("values", [])]


def breadcrumbs_of(report: Report) -> list[str]:
    return [str(crumb["message"]) for crumb in report.get("breadcrumbs", {}).get("values", [])]


def essence_of(report: Report) -> dict[str, Any]:
    """Return what does not differ from one run to the next."""
    trace = report["contexts"]["trace"]
    return {
        "request": {key: report.get("request", {}).get(key) for key in ("url", "method", "query_string", "headers")},
        "contexts": {key: report["contexts"].get(key) for key in ("hook", "view", "body")},
        "trace": {key: trace.get(key) for key in ("op", "status", "origin")} if is_transaction(report) else {},
        "spans": [
            (span["description"], span["parent_span_id"] == trace["span_id"]) for span in report.get("spans", [])
        ],
        "failures": [
            (failures_of(report), error["mechanism"]) for error in report.get("exception", {}).get("values", [])
        ],
        "breadcrumbs": breadcrumbs_of(report),
    } | {key: report.get(key) for key in ("type", "transaction", "transaction_info", "level", "message", "tags")}


@pytest.mark.parametrize("run_on", RUN_ON)
def test_forty_requests_at_once_are_told_apart(run_on: str) -> None:
    assert sum(VIEWS.values()) == 40
    views = [report for report in told_to_sentry(run_on)["answered"] if path_of(report).startswith(PREFIXES)]
    paths = [f"/{kind}/{kind}-0{number}" for kind, count in VIEWS.items() for number in range(count)]
    events = [report for report in views if not is_transaction(report)]
    transactions = [report for report in views if is_transaction(report)]

    assert sorted(path_of(event) for event in events) == sorted(paths)
    assert sorted(path_of(transaction) for transaction in transactions) == sorted(paths)
    for report in views:
        _, kind, own = path_of(report).split("/")
        assert report["request"]["method"] == "GET"
        assert report["transaction"] == kind.replace("-", "_")
        assert report["tags"]["request"] == path_of(report)
        assert report["contexts"]["view"] == {"number": own}
    for event in events:
        own = path_of(event).split("/")[2]
        assert breadcrumbs_of(event) == [f"hook {own}", f"view {own}"]
    for transaction in transactions:
        own = path_of(transaction).split("/")[2]
        assert [span["description"] for span in transaction["spans"]] == [f"meeting {own}"]


@pytest.mark.parametrize("run_on", RUN_ON)
def test_sentry_gets_the_same_events_as_under_wsgi(run_on: str) -> None:
    """Failing views, hooks, streams and functions that a response calls on close, logged by the server too."""
    by_wsgi, by_bridge = (
        sorted((essence_of(report) for report in told_to_sentry(how)["answered"]), key=str) for how in ("wsgi", run_on)
    )
    requests = sum(sum(counts.values()) for counts in (VIEWS, STREAMS, OTHERS))
    assert sum(is_transaction(report) for report in by_wsgi) == requests
    assert by_bridge == by_wsgi


@pytest.mark.parametrize("run_on", RUN_ON)
def test_a_failure_after_the_client_has_left_is_reported_once_for_its_own_request(run_on: str) -> None:
    """That an async body is cancelled then is no failure."""
    events = [report for report in told_to_sentry(run_on)["abandoned"] if not is_transaction(report)]
    left = [
        f"{kind}-{round_}{n}"
        for round_ in (1, 2)
        for kind in ("sync-streams", "async-streams")
        for n in range(LEFT[kind])
    ]
    given_up = [f"{kind}-0{n}" for kind, count in GIVEN_UP.items() for n in range(count)]

    failures = Counter(failure for event in events for failure in failures_of(event))
    assert failures == {
        **{f"LookupError: body {own}": 1 for own in left},
        **{f"LookupError: close {own}": 1 for own in given_up},
    }
    for event in events:
        told = event.get("message") or failures_of(event)[0]
        own = str(told).rpartition(" ")[2]
        # A thread that goes on after its request has ended is no longer part of it.
        assert event.get("tags", {}) in ({}, {"request": f"/{own[:-3]}/{own}"})
        assert all(
            crumb.endswith(own) for crumb in breadcrumbs_of(event) if crumb.split()[0] in {"hook", "view", "body"}
        )
