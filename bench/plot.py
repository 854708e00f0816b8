"""Draws what was measured."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

from bench.report import TITLES
from bench.servers import PEERS

mpl.use("svg")
# The same figures make the same file.
mpl.rcParams["svg.hashsalt"] = "carboy"

COLOURS = {"carboy": "#c2410c", "carboy-again": "#fdba74", "raw": "#111827", "flask": "#9ca3af", "quart": "#7c3aed",
           "fastapi": "#059669", "litestar": "#2563eb", "starlette": "#60a5fa"}  # fmt: skip


def save_plots(report: dict[str, Any], folder: Path) -> None:
    """Write ``performance.svg``, and ``growth.svg`` where growth was measured, into a folder."""
    if report.get("compare"):
        _comparison(report["compare"], folder / "performance.svg")
    if report.get("growth"):
        _growth(report["growth"], folder / "growth.svg")


def _comparison(results: list[dict[str, Any]], path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the backend must be chosen before.

    panels = list(dict.fromkeys((result["database"], result["server"]) for result in results))
    figure, axes = plt.subplots(len(panels), 1, figsize=(10, 3.6 * len(panels)), squeeze=False, layout="constrained")
    peers = ["carboy", "carboy-again", *(peer for peer in PEERS if peer != "carboy")]
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        shown = [result for result in results if (result["database"], result["server"]) == panel]
        for offset, peer in enumerate(peers):
            places = [index + (offset - (len(peers) - 1) / 2) * 0.105 for index in range(len(shown))]
            values = [result["cpu"].get(peer) or [0] for result in shown]
            heights = [median(value) for value in values]
            spread = [
                [height - min(value) for height, value in zip(heights, values, strict=True)],
                [max(value) - height for height, value in zip(heights, values, strict=True)],
            ]
            label = PEERS.get(peer, "Carboy again (noise)")
            axis.bar(places, heights, width=0.095, label=label, color=COLOURS[peer], yerr=spread, ecolor="#00000060")
        axis.set_xticks(range(len(shown)), [TITLES[result["job"]] for result in shown])
        axis.set_title(f"{panel[0]}, {panel[1]}: less is better; the lines span all rounds")
        axis.set_ylabel("CPU µs per request")
    axes[0, 0].legend(ncols=2, fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _growth(results: list[dict[str, Any]], path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - likewise.

    figure, axes = plt.subplots(1, len(results), figsize=(5 * len(results), 4), squeeze=False, layout="constrained")
    for axis, result in zip(axes[0], results, strict=True):
        for title, by_size in result["cpu"].items():
            sizes = [int(size) for size in by_size]
            axis.plot(sizes, [median(values) for values in by_size.values()], marker="o", label=title)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_xlabel("users in the table")
        axis.set_ylabel("CPU µs per request")
        axis.set_title(result["database"])
    axes[0, 0].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
