"""The guides to adding a domain, followed word by word in a copy of the project."""

import os
import shutil
from pathlib import Path

import pytest
from support.integration import REQUIRED_VARIABLE

from bench.guide import copy_project, follow, run

TESTS = {"notes": 1, "invoices": 14}
"""How many tests each guide has, by its domain. They run in memory, and again on each database."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("domain", TESTS)
def test_the_guide_leads_to_a_domain_that_works_on_both_databases(tmp_path: Path, domain: str) -> None:
    copy_project(tmp_path)
    follow(domain, tmp_path)
    [migration] = (tmp_path / "src/app/migrations").glob(f"*create_{domain}.py")
    assert "create_table(" in migration.read_text()
    run(tmp_path, "flask", "db", "check")
    shutil.copy(tmp_path / f"tests/app/unit/test_{domain}.py", tmp_path / "tests/app/integration")
    said = run(tmp_path, "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/app", "-k", domain)
    number = TESTS[domain]
    is_whole = f"{3 * number} passed" in said
    assert is_whole or (f"{2 * number} passed" in said and not os.environ.get(REQUIRED_VARIABLE)), said
    run(tmp_path, "mypy", "src/app", "containers.py")
    run(tmp_path, "ruff", "check", "src/app", "tests/app", "containers.py")
    run(tmp_path, "ruff", "format", "--check", f"src/app/{domain}", "tests/app", "containers.py", "src/app/__init__.py")
    run(tmp_path, "importlinter.cli", "lint-imports", "--no-cache")
    one = domain.removesuffix("s")
    assert f"{one}_not_found" in run(tmp_path, "flask", "errors")
    assert f"{one}_service" in run(tmp_path, "flask", "container", "graph")
