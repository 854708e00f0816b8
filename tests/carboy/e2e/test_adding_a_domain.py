"""The guide to adding a domain, followed word by word in a copy of the project."""

import os
import shutil
from pathlib import Path

import pytest
from support.integration import REQUIRED_VARIABLE

from bench.guide import copy_project, follow, run


@pytest.mark.timeout(120)
def test_the_guide_leads_to_a_domain_that_works_on_both_databases(tmp_path: Path) -> None:
    copy_project(tmp_path)
    follow("notes", tmp_path)
    [migration] = (tmp_path / "src/app/migrations").glob("*_create_notes.py")
    assert "create_table(" in migration.read_text()
    run(tmp_path, "flask", "db", "check")
    shutil.copy(tmp_path / "tests/app/unit/test_notes.py", tmp_path / "tests/app/integration/test_notes.py")
    said = run(tmp_path, "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/app", "-k", "notes")
    assert "3 passed" in said or ("2 passed" in said and not os.environ.get(REQUIRED_VARIABLE)), said
    run(tmp_path, "mypy", "src/app", "containers.py")
    run(tmp_path, "ruff", "check", "src/app", "tests/app", "containers.py")
    run(tmp_path, "ruff", "format", "--check", "src/app/notes", "tests/app", "containers.py", "src/app/__init__.py")
    assert "note_not_found" in run(tmp_path, "flask", "errors")
    assert "note_service" in run(tmp_path, "flask", "container", "graph")
