"""``make compat``: runs the suites in both ways, compares, and writes docs/compatibility.md.

Set SUITES to names with spaces between them to run only those, which leaves the page as it is. The exit code is 1 if
there is a difference without a reason, or a reason without a difference.
"""

import os
import subprocess
import sys
import time

from compat.environments import prepare
from compat.judging import Result, differing, problems
from compat.page import write_page
from compat.runs import SuiteError, run_suite
from compat.suites import Suite, Table, read_table


def chosen(table: Table) -> list[Suite]:
    """Return the suites that SUITES names, all if it is not set.

    Raises:
        SystemExit: It names one that there is not.
    """
    names = os.environ.get("SUITES", "").split()
    known = [suite.name for suite in table.suites]
    if unknown := set(names) - set(known):
        raise SystemExit(f"SUITES: no such suite: {', '.join(sorted(unknown))}; there are {' '.join(known)}.")
    return [suite for suite in table.suites if not names or suite.name in names]


def test(suite: Suite, packages_until: str) -> Result:
    """Run a suite by WSGI and through the bridge, and a control where they differ."""
    environment = prepare(suite, packages_until)
    wsgi, bridge = run_suite(suite, environment, "wsgi"), run_suite(suite, environment, "bridge")
    control = run_suite(suite, environment, "control") if differing(wsgi, bridge) else None
    return Result(suite, wsgi, bridge, control)


def main() -> int:
    table = read_table()
    suites = chosen(table)
    results, wrong = [], False
    for number, suite in enumerate(suites, 1):
        print(f"[{number}/{len(suites)}] {suite.name} {suite.version} ... ", end="", flush=True)
        began = time.monotonic()
        try:
            result = test(suite, table.packages_until)
        except (SuiteError, subprocess.SubprocessError) as error:
            print(error, getattr(error, "stderr", None) or "", sep="\n")
            wrong = True
            continue
        passed = f"{result.wsgi.count('passed')} / {result.bridge.count('passed')} passed"
        print(f"{passed}, {result.bridge.requests} requests through the bridge, {time.monotonic() - began:.0f} s")
        results.append(result)
        for problem in problems(result):
            print(f"  {problem}")
            wrong = True
    total = [
        sum(way.count("passed") for way in ways) for ways in ([r.wsgi for r in results], [r.bridge for r in results])
    ]
    print(f"{len(results)} suites: {total[0]} / {total[1]} passed, WSGI / bridge")
    if suites == table.suites and len(results) == len(suites):
        write_page(results)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
