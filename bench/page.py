"""Puts what was last measured into the documentation: ``python -m bench.page``, after ``make bench``."""

import json
import re
import shutil
from pathlib import Path

from bench.__main__ import OUTPUT
from bench.plot import save_plots
from bench.report import Table, tables
from bench.servers import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "performance.md"
FIGURES = DOCS / "performance-figures.md"
MARKS = "<!-- measured -->", "<!-- /measured -->"


def main() -> None:
    report = json.loads(OUTPUT.read_text(encoding="utf-8"))
    machine = report["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    said = (
        f"Measured on {machine['cores']} cores ({machine['processor']}), Python {machine['python']}, with {packages}."
    )
    charts = ["", "![CPU time per request of each contender](performance.svg)"]
    if report.get("growth"):
        charts += ["", "![CPU time per request by number of users](growth.svg)"]
    targets: list[str] = []
    others: list[str] = []
    for table in tables(report):
        lines = targets if table.title.startswith("Targets") else others
        lines += ["", f"### {table.title}", "", *_markdown(table)]
    _write(PAGE, [said, *charts, *targets])
    _write(FIGURES, [said, *others])
    save_plots(report, OUTPUT.parent)
    for name in ("performance.svg", "growth.svg"):
        if (OUTPUT.parent / name).exists():
            shutil.copy(OUTPUT.parent / name, DOCS / name)


def _write(page: Path, lines: list[str]) -> None:
    """Replace what stands between the marks of a page."""
    first, last = MARKS
    text = page.read_text(encoding="utf-8")
    text = re.sub(f"{first}.*{last}", lambda _: "\n".join([first, *lines, last]), text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def _markdown(table: Table) -> list[str]:
    rows = [table.headings, tuple(["---"] + ["---:"] * (len(table.headings) - 1)), *table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for note in table.notes:
        lines += ["", note]
    return lines


if __name__ == "__main__":
    main()
