"""The guides to adding a domain and the pages of docs/how-to, followed word by word in one copy of the project.

One copy and one look at its types for all: these take longer than all else here.
"""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.how_to import follow
from support.integration import REQUIRED_VARIABLE

from bench.guide import ROOT, copy_project, flask, run, write

TESTS = {"notes": 1, "invoices": 14, "letters": 4, "digests": 1, "rates": 5, "parcels": 3, "visits": 2}
"""How many tests each guide or page has that leads to a domain, by that."""
WITH_TABLES = ("notes", "invoices")
"""Domains whose tests run on each database besides."""
MORE_TESTS = {"tests/app/unit/test_following_letters.py": 1}
"""Tests of a page besides those of its domain."""
OF_ALL_DOMAINS = {
    "tests/app/unit/test_access_matrix.py::test_each_route_says_who_may_use_it": 1,
    "tests/app/unit/test_personal_data.py::test_each_table_that_leads_to_a_person_is_cared_for": 1,
    "tests/app/unit/test_audit.py::test_each_method_that_changes_something_must_write_an_event": 1,
    "tests/carboy/unit/test_relations.py": 12,
    "tests/carboy/unit/test_owned_rows.py": 1,
}
"""Tests of the project that look at each domain, or whose own models must not meet a domain's; how many each has."""
CHANGES = {"send-a-mail.md": 2}
"""How many tests each other page has."""


@dataclass
class Project:
    """A copy of the project that the pages have been followed in."""

    folder: Path
    changed: list[str]

    @property
    def tests(self) -> list[str]:
        own = [f"tests/app/unit/test_{domain}.py" for domain in TESTS]
        return [*own, *MORE_TESTS, *(file for file in self.changed if file.startswith("tests/"))]

    @property
    def on_databases(self) -> list[str]:
        return [f"tests/app/integration/test_{domain}.py" for domain in WITH_TABLES]

    @property
    def written(self) -> list[str]:
        domains = [f"src/app/{domain}" for domain in TESTS]
        python = [file for file in self.changed if file.endswith(".py")]
        return [*dict.fromkeys([*domains, *self.tests, *python, "containers.py", "src/app/__init__.py"])]

    def check_code(self) -> None:
        # With the types of the project's own check, if there was one.
        run(self.folder, "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), *self.written)
        run(self.folder, "ruff", "check", *self.written)
        run(self.folder, "ruff", "format", "--check", *self.written)
        kept = run(self.folder, "--no-cache", program=[Path(sys.executable).with_name("lint-imports")])
        assert "0 broken" in kept

    def check_commands(self) -> None:
        """Write the migration of all domains, apply it, and ask for what follows from the domains."""
        said = flask(
            self.folder,
            ["db", "upgrade"],
            ["db", "revision", "create tables"],
            ["db", "upgrade"],
            ["db", "check"],
            ["errors"],
            ["container", "graph"],
            CARBOY_DATABASE__URL=f"sqlite+aiosqlite:///{self.folder}/var/pages.db",
        )
        [migration] = (self.folder / "src/app/migrations").glob("*create_tables.py")
        assert migration.read_text().count("create_table(") >= len(WITH_TABLES)
        for one in (domain.removesuffix("s") for domain in WITH_TABLES):
            assert f"{one}_not_found" in said
            assert f"{one}_service" in said

    def run_tests(self) -> None:
        options = ("-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist")
        said = run(self.folder, "pytest", *options, *OF_ALL_DOMAINS, *self.tests, *self.on_databases)
        alone = sum({**OF_ALL_DOMAINS, **TESTS, **MORE_TESTS, **CHANGES}.values())
        on_one = sum(TESTS[domain] for domain in WITH_TABLES)
        is_whole = f"{alone + 2 * on_one} passed" in said
        assert is_whole or (f"{alone + on_one} passed" in said and not os.environ.get(REQUIRED_VARIABLE)), said


@pytest.fixture
def project(tmp_path: Path) -> Project:
    copy_project(tmp_path)
    (tmp_path / "var").mkdir()
    for domain in TESTS:
        write(domain, tmp_path)
    for domain in WITH_TABLES:
        shutil.copy(tmp_path / f"tests/app/unit/test_{domain}.py", tmp_path / "tests/app/integration")
    pages = [ROOT / "docs" / "how-to" / page for page in CHANGES]
    return Project(tmp_path, [file for page in pages for file in follow(page, tmp_path)])


@pytest.mark.timeout(300)
def test_what_the_pages_say_works(project: Project) -> None:
    with ThreadPoolExecutor() as threads:
        checked = threads.submit(project.check_code)
        # The tests on databases need the migration.
        project.check_commands()
        project.run_tests()
        checked.result()
