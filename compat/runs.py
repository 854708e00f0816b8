"""Runs a suite, and reads how each of its tests ended."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from compat.environments import ROOT, Environment
from compat.suites import Suite

Way = Literal["wsgi", "bridge", "control"]
Outcome = Literal["passed", "skipped", "failed"]
WORST_FIRST: tuple[Outcome, ...] = ("failed", "skipped", "passed")
LONGEST_SECONDS = 1200
RAN = {0, 1}
"""pytest's exit codes when its tests ran to the end."""


@dataclass(frozen=True)
class Run:
    """How each test of a suite ended, and how many requests were served in this way."""

    outcomes: dict[str, Outcome]
    requests: int = 0

    def count(self, outcome: Outcome) -> int:
        return sum(each == outcome for each in self.outcomes.values())


class SuiteError(Exception):
    """A suite did not run to its end."""


def run_suite(suite: Suite, environment: Environment, way: Way) -> Run:
    """Run a suite by WSGI as it is, through the bridge, or by WSGI in a thread that is not the test's.

    Raises:
        SuiteError: pytest did not run to the end.
    """
    log, requests = environment.folder / f"{way}.json", environment.folder / f"{way}.requests"
    for path in (log, requests):
        path.unlink(missing_ok=True)
    left_out = [argument for some in suite.left_out for argument in some.arguments]
    plugin = [] if way == "wsgi" else ["-p", "through_bridge"]
    # Without the options that a suite sets for its developers, such as measuring its coverage.
    pytest = [str(environment.python), "-m", "pytest", "-o", "addopts=", "-q", "--tb=native", *plugin]
    with (environment.folder / f"{way}.txt").open("w", encoding="utf-8") as output:
        ended = subprocess.run(
            [*pytest, f"--rootdir={environment.source}", f"--report-log={log}", *left_out, *suite.tests],
            cwd=environment.source,
            env=_variables(way, requests),
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    if ended.returncode not in RAN:
        raise SuiteError(f"pytest ended with {ended.returncode}; see {output.name}")
    return Run(read_outcomes(log), int(requests.read_text(encoding="utf-8")) if requests.exists() else 0)


def _variables(way: Way, requests: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CARBOY_", "FLASK_", "PYTEST_"))}
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "compat" / "plugin")])
    control = {"COMPAT_CONTROL": "1"} if way == "control" else {}
    return kept | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "COMPAT_REQUESTS": str(requests)} | control


def read_outcomes(log: Path) -> dict[str, Outcome]:
    """Read how each test ended from what pytest-reportlog wrote; the worst of its phases counts."""
    outcomes: dict[str, Outcome] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        report: dict[str, Any] = json.loads(line)
        kind, outcome = report.get("$report_type"), report.get("outcome")
        if outcome is None or (kind == "CollectReport" and outcome == "passed"):
            continue
        known = outcomes.get(report["nodeid"], "passed")
        outcomes[report["nodeid"]] = min(known, outcome, key=WORST_FIRST.index)
    return outcomes
