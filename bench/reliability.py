"""Draws what `make torture` has measured, and writes it into docs/reliability.md: ``python -m bench.reliability``."""

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

ROOT = Path(__file__).parents[1]
MEASURED, PAGE, DRAWING = ROOT / "var" / "torture.json", ROOT / "docs" / "reliability.md", "reliability.svg"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "nginx": "nginx", "haproxy": "HAProxy"}
SHOWN_BY, FIGURES = 2, 3
"""The columns of the page's table with the test, and with what it measured."""
KEPT, BROKEN, TRACK = "#059669", "#c2410c", "#e5e7eb"

Measured = dict[str, dict[str, dict[str, Any]]]
"""By test file and test: its text, and what is promised of its figures."""


class Row(NamedTuple):
    """A bar: what a test has measured of the most that is promised."""

    title: str
    value: float
    most: float

    @property
    def is_kept(self) -> bool:
        return self.value <= self.most


def rows_of(measured: Measured) -> list[Row]:
    """Return a row for each promise."""
    return [
        Row(f"{file.removeprefix('test_').removesuffix('.py').replace('_', ' ')}, {named(part)}: {promise}", *figures)
        for file, parts in sorted(measured.items())
        for part, kept in sorted(parts.items())
        for promise, figures in kept["promises"].items()
    ]


def named(part: str) -> str:
    """Return the parameters of a test, such as the database, as people call them."""
    parameters = part.partition("[")[2].rstrip("]")
    return ", ".join(NAMES.get(one, one) for one in parameters.split("-")) or "alone"


def draw(rows: list[Row], path: Path) -> None:
    """Draw each promise as a bar: how much of what is allowed was needed."""
    mpl.use("svg")
    # The same figures make the same file.
    mpl.rcParams["svg.hashsalt"] = "carboy"
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the backend must be chosen before.

    figure, axis = plt.subplots(figsize=(12, 0.8 + 0.3 * len(rows)), layout="constrained")
    places = range(len(rows))
    axis.barh(places, [1] * len(rows), color=TRACK, height=0.6)
    shares = [min(row.value / row.most, 1) if row.most else float(not row.is_kept) for row in rows]
    axis.barh(places, shares, color=[KEPT if row.is_kept else BROKEN for row in rows], height=0.6)
    for place, row in zip(places, rows, strict=True):
        axis.text(1.01, place, f"{row.value:,.3g} (at most {row.most:,.3g})", va="center", fontsize="small")
    axis.set_yticks(places, [row.title for row in rows], fontsize="small")
    axis.invert_yaxis()
    axis.set_xlim(0, 1.3)
    axis.set_xticks([0, 1], ["0", "the most that is promised"])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False)
    axis.set_title("What was measured, of the most that is promised: less is better")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def filled(page: str, measured: Measured) -> str:
    """Return the page with the figures of those tests that have any, in their rows of the table."""
    return "\n".join(_filled_line(line, measured) for line in page.split("\n"))


def _filled_line(line: str, measured: Measured) -> str:
    cells = line.strip("|").split(" | ")
    if not line.startswith("| ") or len(cells) <= FIGURES:
        return line
    texts = [
        f"{named(part)}: {kept['text']}"
        for file in re.findall(r"`(test_\w+\.py)`", cells[SHOWN_BY])
        for part, kept in sorted(measured.get(file, {}).items())
    ]
    return line if not texts else "|" + " | ".join([*cells[:FIGURES], ". ".join(texts).replace("|", "/")]) + " |"


def main() -> None:
    """Draw what was measured, and write it down.

    Raises:
        SystemExit: Nothing was measured.
    """
    if not MEASURED.exists():
        raise SystemExit("Nothing was measured: make torture")
    measured: Measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    rows = rows_of(measured)
    draw(rows, PAGE.with_name(DRAWING))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    sys.stdout.write(f"{sum(row.is_kept for row in rows)} of {len(rows)} promises kept: docs/{DRAWING}\n")


if __name__ == "__main__":
    main()
