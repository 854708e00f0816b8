"""The pages of docs/how-to, followed word by word in one copy of the project."""

from pathlib import Path

import pytest
from support.how_to import follow

from bench.guide import ROOT, copy_project, run, write

TESTS = {"rates": 5, "letters": 4, "digests": 1, "visits": 2}
"""How many tests each page that leads to a domain has, by its domain."""
CHANGES = {"send-a-mail.md": 2}
"""How many tests each other page has."""


@pytest.mark.timeout(300)
def test_what_the_pages_say_works(tmp_path: Path) -> None:
    copy_project(tmp_path)
    for domain in TESTS:
        write(domain, tmp_path)
    changed = [file for page in CHANGES for file in follow(ROOT / "docs" / "how-to" / page, tmp_path)]
    tests = [f"tests/app/unit/test_{domain}.py" for domain in TESTS]
    tests += [file for file in changed if file.startswith("tests/")]
    said = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)
    assert f"{sum(TESTS.values()) + sum(CHANGES.values())} passed" in said
    # One look at all of them, as a cold one takes its time.
    domains = [f"src/app/{domain}" for domain in TESTS]
    python = [file for file in changed if file.endswith(".py")]
    written = list(dict.fromkeys([*domains, *tests, *python, "containers.py", "src/app/__init__.py"]))
    run(tmp_path, "mypy", *written)
    run(tmp_path, "ruff", "check", *written)
    run(tmp_path, "ruff", "format", "--check", *written)
    run(tmp_path, "importlinter.cli", "lint-imports", "--no-cache")
