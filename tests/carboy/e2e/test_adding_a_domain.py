"""The guides to adding a domain, followed word by word in a copy of the project."""

import os
import shutil
from pathlib import Path

import pytest
from support.integration import REQUIRED_VARIABLE

from bench.guide import copy_project, follow, run

TESTS = {"notes": 1, "invoices": 14}
"""How many tests each guide has, by its domain. They run in memory, and again on each database."""


# One test for both, as copying a project and checking its types takes longer than all else here.
@pytest.mark.timeout(300)
def test_the_guides_lead_to_domains_that_work_on_both_databases(tmp_path: Path) -> None:
    copy_project(tmp_path)
    for domain in TESTS:
        follow(domain, tmp_path)
        [migration] = (tmp_path / "src/app/migrations").glob(f"*create_{domain}.py")
        assert "create_table(" in migration.read_text()
        shutil.copy(tmp_path / f"tests/app/unit/test_{domain}.py", tmp_path / "tests/app/integration")
    run(tmp_path, "flask", "db", "check")
    files = [f"tests/app/{folder}/test_{domain}.py" for folder in ("unit", "integration") for domain in TESTS]
    said = run(tmp_path, "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", *files)
    number = sum(TESTS.values())
    is_whole = f"{3 * number} passed" in said
    assert is_whole or (f"{2 * number} passed" in said and not os.environ.get(REQUIRED_VARIABLE)), said
    run(tmp_path, "mypy", "src/app", "containers.py")
    run(tmp_path, "ruff", "check", "src/app", "tests/app", "containers.py")
    run(tmp_path, "ruff", "format", "--check", "src/app", "tests/app", "containers.py")
    run(tmp_path, "importlinter.cli", "lint-imports", "--no-cache")
    errors, graph = run(tmp_path, "flask", "errors"), run(tmp_path, "flask", "container", "graph")
    for one in (domain.removesuffix("s") for domain in TESTS):
        assert f"{one}_not_found" in errors
        assert f"{one}_service" in graph
