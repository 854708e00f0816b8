"""Compares how a suite ended in both ways with what the table says."""

from dataclasses import dataclass

from compat.runs import Run
from compat.suites import Difference, Suite


@dataclass(frozen=True)
class Result:
    """How a suite ended in each way; the control runs only where there are differences."""

    suite: Suite
    wsgi: Run
    bridge: Run
    control: Run | None = None

    def differences(self) -> list[str]:
        return differing(self.wsgi, self.bridge)


def differing(one: Run, other: Run) -> list[str]:
    """Return the tests that ended otherwise, or ran in one of two runs only."""
    tests = one.outcomes | other.outcomes
    return sorted(test for test in tests if one.outcomes.get(test) != other.outcomes.get(test))


def problems(result: Result) -> list[str]:
    """Return what is wrong: differences that the table does not explain, or that it explains wrongly."""
    stated = {test: difference for difference in result.suite.differences for test in difference.tests}
    seen = result.differences()
    return [
        *(f"{test}: {_ways(result, test)}, without a reason" for test in seen if test not in stated),
        *(f"{test}: has a reason, but is no difference" for test in stated if test not in seen),
        *(
            f"{test}: {_ways(result, test)}, so it is not the harness's"
            for test in seen
            if test in stated and not _is_as_stated(result, test, stated[test])
        ),
    ]


def _is_as_stated(result: Result, test: str, difference: Difference) -> bool:
    if difference.kind != "harness" or result.control is None:
        return True
    return result.control.outcomes.get(test) != result.wsgi.outcomes.get(test)


def _ways(result: Result, test: str) -> str:
    runs = {"WSGI": result.wsgi, "bridge": result.bridge, "WSGI in another thread": result.control}
    return ", ".join(f"{run.outcomes.get(test, 'not run')} ({way})" for way, run in runs.items() if run is not None)
