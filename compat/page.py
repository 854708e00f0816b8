"""Writes what was measured into docs/compatibility.md."""

import re
import sys

from compat.environments import OWN_PINS, ROOT, pinned
from compat.judging import Result
from compat.runs import Outcome

PAGE = ROOT / "docs" / "compatibility.md"
MARKS = "<!-- measured -->", "<!-- /measured -->"
COUNTED: tuple[Outcome, ...] = ("passed", "failed", "skipped")


def write_page(results: list[Result]) -> None:
    first, last = MARKS
    page = PAGE.read_text(encoding="utf-8")
    measured = "\n".join([first, *measured_lines(results), last])
    PAGE.write_text(re.sub(f"{first}.*{last}", lambda _: measured, page, flags=re.DOTALL), encoding="utf-8")


def measured_lines(results: list[Result]) -> list[str]:
    """Return the page's tables: the counts, the differences, and what was left out."""
    packages = ", ".join(pinned(OWN_PINS)).replace("==", " ")
    return [
        f"With Python {sys.version_info.major}.{sys.version_info.minor}, {packages}:",
        "",
        *_counts(results),
        "",
        "### Differences",
        "",
        *(line for result in results for line in _differences(result)),
        "### Left out",
        "",
        *(line for result in results for line in _left_out(result)),
    ]


def _counts(results: list[Result]) -> list[str]:
    return [
        "| suite | version | passed, WSGI / bridge | failed | skipped | requests through the bridge |",
        "|---|---|---:|---:|---:|---:|",
        *(
            f"| {result.suite.name} | {result.suite.version} | {_both([result])} | {result.bridge.requests} |"
            for result in results
        ),
        f"| **all** | | {_both(results)} | {sum(result.bridge.requests for result in results)} |",
    ]


def _both(results: list[Result]) -> str:
    return " | ".join(
        f"{sum(result.wsgi.count(outcome) for result in results)}"
        f" / {sum(result.bridge.count(outcome) for result in results)}"
        for outcome in COUNTED
    )


def _differences(result: Result) -> list[str]:
    lines: list[str] = []
    for difference in result.suite.differences:
        tests = [f"- `{test}`" for test in sorted(difference.tests)]
        number = f"{len(tests)} {'test' if len(tests) == 1 else 'tests'}"
        summary = f"<details><summary>{result.suite.name}: {number}</summary>"
        lines += [f"**{result.suite.name}**, {number}, {difference.kind}. {difference.reason}", ""]
        lines += [summary, "", *tests, "", "</details>", ""]
    return lines


def _left_out(result: Result) -> list[str]:
    return [f"- **{result.suite.name}**: `{' '.join(some.arguments)}`. {some.reason}" for some in result.suite.left_out]
