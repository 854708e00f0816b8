"""The pages of docs/how-to that lead to a domain, followed word by word in one copy of the project."""

from pathlib import Path

import pytest

from bench.guide import copy_project, run, write

TESTS = {"rates": 5, "letters": 4, "digests": 1}
"""How many tests each page has, by its domain."""


@pytest.mark.timeout(300)
def test_the_pages_lead_to_domains_that_work(tmp_path: Path) -> None:
    copy_project(tmp_path)
    for domain in TESTS:
        write(domain, tmp_path)
    tests = [f"tests/app/unit/test_{domain}.py" for domain in TESTS]
    said = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)
    assert f"{sum(TESTS.values())} passed" in said
    # One look at all of them, as a cold one takes its time.
    written = [*(f"src/app/{domain}" for domain in TESTS), *tests, "containers.py", "src/app/__init__.py"]
    run(tmp_path, "mypy", *written)
    run(tmp_path, "ruff", "check", *written)
    run(tmp_path, "ruff", "format", "--check", *written)
    run(tmp_path, "importlinter.cli", "lint-imports", "--no-cache")
