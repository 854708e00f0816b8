"""Turns what was measured into tables, for a terminal or for a page of the documentation."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from bench.jobs import INVOICE_JOBS, JOBS
from bench.servers import PEERS
from bench.stats import estimate
from bench.targets import TARGETS, Target, ratios
from bench.telemetry import NOTHING, VARIANTS

PACKAGES = ("hypercorn", "uvicorn", "uvloop", "flask", "asgiref", "quart", "fastapi", "litestar", "starlette",
            "sqlalchemy", "aiosqlite", "asyncpg", "pydantic")  # fmt: skip
TITLES = {job.name: job.title for job in (*JOBS, *INVOICE_JOBS)}
MEGABYTE = 1e6


@dataclass(frozen=True)
class Table:
    """A table with a title; the first column is text, the others are numbers."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: list[str]


def describe_machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    model = next(models, platform.machine())
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "packages": {name: version(name) for name in PACKAGES},
    }


def tables(report: dict[str, Any]) -> Iterator[Table]:
    """Yield all tables of a report, those against the targets last."""
    for result in (*report.get("compare", []), *report.get("invoices", [])):
        yield _comparison(result)
    for result in report.get("growth", []):
        yield _growth(result)
    for result in report.get("search", []):
        yield _search(result)
    for result in report.get("telemetry", []):
        yield _telemetry(result)
    for piece, make in (("domains", _domains), ("memory", _memory), ("workers", _workers)):
        if report.get(piece):
            yield make(report[piece])
    for kind in dict.fromkeys(result["database"] for result in report.get("compare", [])):
        yield _targets(report, kind)


def print_report(report: dict[str, Any]) -> None:
    console = Console()
    for table in tables(report):
        drawn = RichTable(title=table.title, title_justify="left")
        for index, heading in enumerate(table.headings):
            drawn.add_column(heading, justify="right" if index else "left", no_wrap=True)
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
        for note in table.notes:
            console.print(note)


def _comparison(result: dict[str, Any]) -> Table:
    headings = ("contender", "µs CPU", "ratio", "95 %", "req/s", "p50 ms", "p99 ms", "MB rest", "MB after")
    notes = [f"{PEERS.get(peer, peer)} does not count: {reason}" for peer, reason in result["voided"].items()]
    if "raw" in result["cpu"]:
        share = [their / our for our, their in zip(result["cpu"]["carboy"], result["cpu"]["raw"], strict=True)]
        notes.append(f"Carboy reaches {median(share):.0%} of the limit.")
    if result["job"] in {job.name for job in INVOICE_JOBS}:
        notes.append("At most 0.60 of FastAPI's is wanted.")
    notes += _against_no_account(result)
    crowd = result["crowd"]
    if crowd.get("flask"):
        times = median(crowd["carboy"]) / median(crowd["flask"])
        notes.append(f"With 32 connections Carboy serves {times:.1f} times as many requests as Flask + WsgiToAsgi.")
    title = f"{TITLES[result['job']]}, {result['database']}, {result['server']}"
    return Table(title, headings, [_row(result, peer) for peer in result["cpu"]], notes)


def _against_no_account(result: dict[str, Any]) -> Iterator[str]:
    without = result.get("without_account")
    if without:
        ratio = estimate([ours / same for ours, same in zip(result["cpu"]["carboy"], without, strict=True)])
        told = f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"
        yield f"It takes {told} times what the same takes without an account; at most 1.35 is wanted."


def _row(result: dict[str, Any], peer: str) -> tuple[str, ...]:
    ratio = estimate(ratios(result, peer))
    late = result["latency"][peer]
    return (
        PEERS.get(peer, "Carboy again (noise)"),
        f"{median(result['cpu'][peer]):.0f}",
        f"{ratio.median:.2f}",
        f"{ratio.low:.2f}-{ratio.high:.2f}",
        f"{median(result['throughput'][peer]):.0f}",
        f"{late['p50']:.1f}",
        f"{late['p99']:.1f}",
        f"{result['memory_at_rest'][peer] / MEGABYTE:.0f}",
        f"{result['memory_after'][peer] / MEGABYTE:.0f}",
    )


def _growth(result: dict[str, Any]) -> Table:
    sizes = list(next(iter(result["cpu"].values())))
    rows = []
    for title, by_size in result["cpu"].items():
        base = by_size[sizes[0]]
        ratio = [estimate([our / first for our, first in zip(by_size[size], base, strict=True)]) for size in sizes[1:]]
        rows.append(
            (
                title,
                *(f"{median(by_size[size]):.0f}" for size in sizes),
                *(f"{one.median:.2f} ({one.low:.2f}-{one.high:.2f})" for one in ratio),
            )
        )
    base_name = f"{int(sizes[0]):,}"
    headings = ("µs CPU by users", *(f"{int(size):,}" for size in sizes),
                *(f"{int(size):,} / {base_name}" for size in sizes[1:]))  # fmt: skip
    return Table(f"Growth, {result['database']}", headings, rows, ["A ratio of at most 1.20 is wanted."])


def _search(result: dict[str, Any]) -> Table:
    headings = ("a search for", "least ms", "median ms", "p99 ms", "µs CPU of the server")
    rows = [
        (title, *(f"{one[name]:.1f}" for name in ("min", "median", "p99")), f"{one['cpu_us']:.0f}")
        for title, one in result["searches"].items()
    ]
    notes = ["A p99 of at most 20 ms is wanted for a rare word, of 100 ms for a frequent one."]
    return Table(f"Search among {result['users']:,} users, {result['database']}", headings, rows, notes)


def _telemetry(result: dict[str, Any]) -> Table:
    rows = []
    for variant in VARIANTS:
        row = [variant]
        for by_variant in result["cpu"].values():
            taken = by_variant[variant]
            ratio = estimate([one / plain for one, plain in zip(taken, by_variant[NOTHING], strict=True)])
            row.append(f"{min(taken):.0f}, {ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})")
        rows.append(tuple(row))
    headings = ("on", *(TITLES[job] for job in result["cpu"]))
    notes = [
        "The least µs CPU of a request without a server, and the ratio of each round's least.",
        "A probe, as the static JSON, is not traced.",
        "Of metrics at most 1.03 is wanted.",
    ]
    return Table(f"Telemetry, {result['database']}", headings, rows, notes)


def _domains(results: list[dict[str, float]]) -> Table:
    first, last = results[0], results[-1]
    columns = (("start_ms", 1.0), ("document", 1e3), ("memory", MEGABYTE), ("request_us", 1.0))
    rows = [(f"{one['domains']}", *(f"{one[name] / unit:.0f}" for name, unit in columns)) for one in results]
    further = last["domains"] - first["domains"]
    each = (f"{(last[name] - first[name]) / further / unit:.1f}" for name, unit in columns)
    notes = ["At most 12 ms, 15 KB and 1 MB for each further domain are wanted, and nothing for a request."]
    headings = ("domains", "start, ms CPU", "document, KB", "memory, MB", "a request, µs CPU")
    return Table("Growth in domains", headings, [*rows, ("each further one", *each)], notes)


def _memory(results: list[dict[str, Any]]) -> Table:
    milestones = list(results[0]["bytes"])
    rows = []
    for result in results:
        first, last = (result["bytes"][milestone] for milestone in milestones)
        rows.append((result["database"], *(f"{size / MEGABYTE:.1f}" for size in (first, last)), f"{last / first:.3f}"))
    headings = ("MB of a worker after", *(f"{int(milestone):,} requests" for milestone in milestones), "ratio")
    return Table("Memory", headings, rows, ["A ratio of at most 1.05 is wanted."])


def _workers(results: list[dict[str, Any]]) -> Table:
    rows = []
    for result in results:
        one, two = result["throughput"]["1"], result["throughput"]["2"]
        ratio = estimate([more / less for less, more in zip(one, two, strict=True)])
        rows.append(
            (
                result["database"],
                f"{median(one):.0f}",
                f"{median(two):.0f}",
                f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})",
                f"{median(result['taken_by_others']):.0%} of {result['cores']} cores",
            )
        )
    headings = ("one user, requests a second", "1 worker", "2 workers", "ratio", "taken by load and database")
    notes = ["A ratio of at least 1.70 is wanted where two cores have nothing else to do; the last column tells."]
    return Table("Workers", headings, rows, notes)


def _targets(report: dict[str, Any], kind: str) -> Table:
    results = {result["job"]: result for result in report["compare"]
               if result["database"] == kind and result["server"] == "hypercorn"}  # fmt: skip
    rows = [
        (target.title, *(_against(target, results.get(job.name), job.name) for job in JOBS)) for target in TARGETS[kind]
    ]
    return Table(f"Targets, {kind}, hypercorn", ("measured (wanted)", *(job.title for job in JOBS)), rows, [])


def _against(target: Target, result: dict[str, Any] | None, job: str) -> str:
    wanted, values = target.wanted.get(job), target.values(result) if result else []
    if not values:
        return "-"
    measured = estimate(values).median
    if wanted is None:
        return f"{measured:{target.form}}"
    met = measured <= wanted if target.at_most else measured >= wanted
    sign, verdict = "≤" if target.at_most else "≥", "met" if met else "MISSED"
    return f"{measured:{target.form}} ({sign} {wanted:{target.form}}) {verdict}"
