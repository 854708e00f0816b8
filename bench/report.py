"""Shows what was measured: tables on the terminal, and a plot."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

from bench.jobs import JOBS
from bench.servers import PEERS
from bench.stats import estimate

PACKAGES = ("hypercorn", "uvicorn", "uvloop", "flask", "asgiref", "quart", "fastapi", "litestar", "starlette",
            "sqlalchemy", "aiosqlite", "asyncpg", "pydantic")  # fmt: skip
HEADINGS = ("contender", "µs CPU", "ratio", "95 %", "req/s", "p50 ms", "p99 ms", "MB rest", "MB after")
TITLES = {job.name: job.title for job in JOBS}


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


def ratios(result: dict[str, Any], peer: str, measure: str = "cpu") -> list[float]:
    """Return Carboy's figure over the contender's, within each round."""
    ours, theirs = result[measure]["carboy"], result[measure].get(peer, [])
    return [our / their for our, their in zip(ours, theirs, strict=True)] if theirs else []


def print_tables(report: dict[str, Any]) -> None:
    console = Console()
    for result in report["results"]:
        title = f"{TITLES[result['job']]}, {result['database']}, {result['server']}"
        table = Table(title=title, title_justify="left")
        for heading in HEADINGS:
            table.add_column(heading, justify="left" if heading == "contender" else "right")
        for peer in result["cpu"]:
            table.add_row(*_row(result, peer))
        console.print(table)
        for peer, reason in result["voided"].items():
            console.print(f"  does not count: {peer}: {reason}")


def _row(result: dict[str, Any], peer: str) -> list[str]:
    ratio = estimate(ratios(result, peer))
    late = result["latency"][peer]
    return [
        PEERS.get(peer, "Carboy again (noise)"),
        f"{median(result['cpu'][peer]):.0f}",
        f"{ratio.median:.2f}",
        f"{ratio.low:.2f}-{ratio.high:.2f}",
        f"{median(result['throughput'][peer]):.0f}",
        f"{late['p50']:.1f}",
        f"{late['p99']:.1f}",
        f"{result['memory_at_rest'][peer] / 1e6:.0f}",
        f"{result['memory_after'][peer] / 1e6:.0f}",
    ]


def save_plot(report: dict[str, Any], path: Path) -> None:
    """Draw the CPU time per request: a group of bars for each job, a panel for each database and server."""
    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the backend must be chosen before.

    panels = sorted({(result["database"], result["server"]) for result in report["results"]})
    figure, axes = plt.subplots(len(panels), 1, figsize=(10, 4 * len(panels)), squeeze=False, layout="constrained")
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        results = [result for result in report["results"] if (result["database"], result["server"]) == panel]
        for offset, (peer, name) in enumerate(PEERS.items()):
            places = [index + (offset - 3) * 0.12 for index in range(len(results))]
            heights = [median(result["cpu"][peer]) if result["cpu"].get(peer) else 0 for result in results]
            axis.bar(places, heights, width=0.11, label=name)
        axis.set_xticks(range(len(results)), [TITLES[result["job"]] for result in results])
        axis.set_title(f"{panel[0]}, {panel[1]}")
        axis.set_ylabel("CPU µs per request")
    axes[0, 0].legend(ncols=4, fontsize="small")
    figure.savefig(path)
