"""``make bench``: measures, then writes ``var/bench.json`` and plots, and prints the tables.

Set BENCH_PIECES, BENCH_JOBS, BENCH_PEERS, BENCH_DB or BENCH_SERVERS to comma-separated names to measure less,
BENCH_ROUNDS to another number of rounds, BENCH_USERS to how many users are searched, and QUICK=1 for the comparison on
SQLite alone, briefly.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from bench.compare import AGAIN, Plan, compare, compare_invoices
from bench.domains import measure_domains
from bench.endurance import measure_memory, measure_workers
from bench.growth import measure_growth
from bench.jobs import JOBS
from bench.load import pin_postgresql, require_wrk
from bench.plot import save_plots
from bench.report import describe_machine, print_report
from bench.search import measure_search
from bench.servers import PEERS, ROOT, Cores
from bench.telemetry import measure_telemetry

QUICK = bool(os.environ.get("QUICK"))
OUTPUT = ROOT / "var" / "bench.json"
PIECES = ["compare", "invoices", "growth", "search", "domains", "memory", "workers", "telemetry"]


def chosen(variable: str, all_names: list[str], quick: list[str] | None = None) -> list[str]:
    """Return the names that a variable chooses; all of them, or those for a quick run, if it is not set.

    Raises:
        SystemExit: It names something that there is not.
    """
    usual = quick if QUICK and quick is not None else all_names
    names = [name for name in os.environ.get(variable, "").split(",") if name] or usual
    unknown = set(names) - set(all_names)
    if unknown:
        raise SystemExit(f"{variable}: no such name: {', '.join(sorted(unknown))}; there are {', '.join(all_names)}.")
    return names


def rounds() -> int:
    """Return how many rounds to measure.

    Raises:
        SystemExit: BENCH_ROUNDS is no number.
    """
    given = os.environ.get("BENCH_ROUNDS") or ("2" if QUICK else "10")
    if not given.isdigit() or not int(given):
        raise SystemExit(f"BENCH_ROUNDS: {given!r} is no number of rounds.")
    return int(given)


def main() -> None:
    require_wrk()
    names = chosen("BENCH_JOBS", [job.name for job in JOBS])
    jobs = [job for job in JOBS if job.name in names]
    peers = chosen("BENCH_PEERS", list(PEERS))
    if "carboy" not in peers:
        raise SystemExit("BENCH_PEERS: carboy must be among them, as all others are compared with it.")
    kinds = chosen("BENCH_DB", ["sqlite", "postgresql"], quick=["sqlite"])
    servers = chosen("BENCH_SERVERS", ["hypercorn", "uvicorn"], quick=["hypercorn"])
    pieces = chosen("BENCH_PIECES", PIECES, quick=["compare"])
    cores, number = Cores.found(), rounds()
    if "postgresql" in kinds and cores.load is not None:
        pin_postgresql(cores.load)
    report = _read() | {"machine": describe_machine()}
    report |= {piece: measure_domains() if piece == "domains" else [] for piece in pieces}
    plan = Plan(number, cores, quick=QUICK)
    measures: dict[str, Callable[[str], list[dict[str, Any]]]] = {
        "compare": lambda kind: [one for each in servers for one in compare(kind, each, jobs, [*peers, AGAIN], plan)],
        "invoices": lambda kind: compare_invoices(kind, plan),
        "growth": lambda kind: [measure_growth(kind, cores)],
        "search": lambda kind: [measure_search(kind, cores)],
        "memory": lambda kind: [measure_memory(kind, cores)],
        "workers": lambda kind: [measure_workers(kind)],
        "telemetry": lambda kind: [measure_telemetry(kind, jobs, number, cores)],
    }
    for kind in kinds:
        for piece in (one for one in measures if one in pieces):
            report[piece] += measures[piece](kind)
    OUTPUT.write_text(json.dumps(report, indent=1), encoding="utf-8")
    save_plots(report, OUTPUT.parent)
    print_report(report)


def _read() -> dict[str, Any]:
    """Return what was measured before, so that pieces can be measured one at a time."""
    report: dict[str, Any] = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() and not QUICK else {}
    return {piece: report[piece] for piece in PIECES if piece in report}


if __name__ == "__main__":
    main()
