"""The comparison of `make compat`: which differences it accepts, and what it writes."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from compat.judging import Result, problems
from compat.page import measured_lines
from compat.runs import Outcome, Run, read_outcomes
from compat.suites import Difference, Suite, read_table


def suite(*differences: Difference) -> Suite:
    return Suite(
        name="flask-x",
        package="flask-x",
        version="1.0",
        sha256="0" * 64,
        needs=[],
        tests=["tests"],
        differences=list(differences),
    )


def difference(kind: str) -> Difference:
    return Difference.model_validate({"tests": ["t::one"], "kind": kind, "reason": "It must be so."})


def run(one: Outcome, two: Outcome = "passed") -> Run:
    return Run({"t::one": one, "t::two": two}, requests=3)


def test_two_equal_runs_are_no_problem() -> None:
    assert problems(Result(suite(), run("failed"), run("failed"))) == []


def test_a_difference_without_a_reason_is_a_problem() -> None:
    (problem,) = problems(Result(suite(), run("passed"), run("failed"), run("passed")))
    assert problem.startswith("t::one: passed (WSGI), failed (bridge)")


def test_a_test_that_runs_in_one_way_only_is_a_difference() -> None:
    assert problems(Result(suite(), run("passed"), Run({"t::two": "passed"})))


def test_a_reason_without_a_difference_is_a_problem() -> None:
    (problem,) = problems(Result(suite(difference("by definition")), run("passed"), run("passed")))
    assert problem == "t::one: has a reason, but is no difference"


def test_a_difference_by_definition_needs_its_reason_only() -> None:
    assert problems(Result(suite(difference("by definition")), run("passed"), run("failed"), run("passed"))) == []


def test_a_difference_of_the_harness_is_one_that_the_control_shows_too() -> None:
    assert problems(Result(suite(difference("harness")), run("passed"), run("failed"), run("failed"))) == []


def test_a_difference_that_the_control_does_not_show_is_not_the_harness_s() -> None:
    (problem,) = problems(Result(suite(difference("harness")), run("passed"), run("failed"), run("passed")))
    assert problem.endswith("so it is not the harness's")


def test_a_difference_cannot_be_put_down_to_the_bridge() -> None:
    with pytest.raises(ValidationError, match="kind"):
        difference("bridge")


def test_the_worst_phase_of_a_test_is_its_outcome(tmp_path: Path) -> None:
    reports = [
        {"$report_type": "CollectReport", "nodeid": "t", "outcome": "passed"},
        {"$report_type": "CollectReport", "nodeid": "u", "outcome": "failed"},
        {"$report_type": "TestReport", "nodeid": "t::one", "when": "setup", "outcome": "passed"},
        {"$report_type": "TestReport", "nodeid": "t::one", "when": "call", "outcome": "passed"},
        {"$report_type": "TestReport", "nodeid": "t::one", "when": "teardown", "outcome": "failed"},
        {"$report_type": "TestReport", "nodeid": "t::two", "when": "setup", "outcome": "skipped"},
        {"$report_type": "SessionFinish", "exitstatus": 1},
    ]
    log = tmp_path / "log.json"
    log.write_text("\n".join(json.dumps(report) for report in reports), encoding="utf-8")
    assert read_outcomes(log) == {"u": "failed", "t::one": "failed", "t::two": "skipped"}


def test_the_page_counts_both_ways_and_tells_each_reason() -> None:
    page = "\n".join(
        measured_lines([Result(suite(difference("harness")), run("passed"), run("failed"), run("failed"))])
    )
    assert "| flask-x | 1.0 | 2 / 1 | 0 / 1 | 0 / 0 | 3 |" in page
    assert "| **all** | | 2 / 1 | 0 / 1 | 0 / 0 | 3 |" in page
    assert "harness. It must be so." in page
    assert "- `t::one`" in page


def test_the_table_has_flask_its_tutorial_and_twelve_extensions_each_once() -> None:
    names = [each.name for each in read_table().suites]
    assert {"flask", "tutorial", "flask-security", "apiflask"} <= set(names)
    assert len(names) == len(set(names)) >= 14
