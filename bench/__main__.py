"""``make bench``: measures, then writes ``var/bench.json`` and plots, and prints the tables.

Set BENCH_PIECES, BENCH_JOBS, BENCH_PEERS, BENCH_DB or BENCH_SERVERS to comma-separated names to measure less,
BENCH_ROUNDS to another number of rounds, BENCH_USERS to another number of users to search, and QUICK=1 for the comparison
on SQLite alone, briefly.
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

QUICK = bool(os.environ.get("QUICK"))
OUTPUT = ROOT / "var" / "bench.json"
ON_EACH_DATABASE: dict[str, Callable[[str, Cores], dict[str, Any]]] = {
    "growth": measure_growth,
    "search": measure_search,
    "memory": measure_memory,
    "workers": lambda kind, _cores: measure_workers(kind),
}
PIECES = ["compare", "invoices", "domains", *ON_EACH_DATABASE]


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
    for kind in kinds:
        if "compare" in pieces:
            for server in servers:
                report["compare"] += compare(kind, server, jobs, [*peers, AGAIN], Plan(number, cores, quick=QUICK))
        if "invoices" in pieces:
            report["invoices"] += compare_invoices(kind, Plan(number, cores, quick=QUICK))
        for piece, measure in ON_EACH_DATABASE.items():
            if piece in pieces:
                report[piece].append(measure(kind, cores))
    OUTPUT.write_text(json.dumps(report, indent=1), encoding="utf-8")
    save_plots(report, OUTPUT.parent)
    print_report(report)


def _read() -> dict[str, Any]:
    """Return what was measured before, so that pieces can be measured one at a time."""
    report: dict[str, Any] = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() and not QUICK else {}
    return {piece: report[piece] for piece in PIECES if piece in report}


if __name__ == "__main__":
    main()
