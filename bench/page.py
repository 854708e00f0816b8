"""Puts what was last measured into the documentation: ``python -m bench.page``, after ``make bench``."""

import json
import re
import shutil

from bench.__main__ import OUTPUT
from bench.plot import save_plots
from bench.report import Table, tables
from bench.servers import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "performance.md"
MARKS = "<!-- measured -->", "<!-- /measured -->"


def main() -> None:
    report = json.loads(OUTPUT.read_text(encoding="utf-8"))
    machine = report["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    lines = [
        f"Measured on {machine['cores']} cores ({machine['processor']}), Python {machine['python']}, with {packages}.",
        "",
        "![CPU time per request of each contender](performance.svg)",
    ]
    if report.get("growth"):
        lines += ["", "![CPU time per request by number of users](growth.svg)"]
    for table in sorted(tables(report), key=lambda table: not table.title.startswith("Targets")):
        lines += ["", f"### {table.title}", "", *_markdown(table)]
    first, last = MARKS
    page = PAGE.read_text(encoding="utf-8")
    page = re.sub(f"{first}.*{last}", lambda _: "\n".join([first, *lines, last]), page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")
    save_plots(report, OUTPUT.parent)
    for name in ("performance.svg", "growth.svg"):
        if (OUTPUT.parent / name).exists():
            shutil.copy(OUTPUT.parent / name, DOCS / name)


def _markdown(table: Table) -> list[str]:
    rows = [table.headings, tuple(["---"] + ["---:"] * (len(table.headings) - 1)), *table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for note in table.notes:
        lines += ["", note]
    return lines


if __name__ == "__main__":
    main()
