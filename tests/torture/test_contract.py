"""100,000 generated requests a database: no answer is 5xx, and none is another than the document says.

10,000 more are for the invoices of docs/a-larger-domain.md.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from contract.running import SHIPPED, Tried, hold_to_document
from support.carboy_server import HYPERCORN, PRODUCTION, serve
from support.databases import migrated
from support.larger import add_owner, follow_guide

CASES = 100_000
INVOICE_CASES = 10_000
EXAMPLES = 500
"""Of each operation before the progress is shown."""


def try_cases(url: str, folder: Path, tried: Tried, number: int, tell: Callable[[str], None]) -> None:
    cases, began = 0, time.perf_counter()
    for seed in itertools.count(1):
        outcome = hold_to_document(url, folder, tried, seed=seed, examples=EXAMPLES)
        cases += outcome.cases
        tell(f"{cases:,} of {number:,} cases in {time.perf_counter() - began:.0f} s")
        if not outcome.passed:
            pytest.fail(outcome.report, pytrace=False)
        if cases >= number:
            break


@pytest.mark.timeout(4 * 3600)
def test_a_hundred_thousand_answers_are_as_the_document_says(
    database_url: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        try_cases(server.url, tmp_path, SHIPPED, CASES, tell)


@pytest.mark.timeout(3600)
def test_so_are_ten_thousand_of_the_domain_that_the_guide_adds(
    database_url: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    migrated(f"sqlite+aiosqlite:///{tmp_path}/template.db")
    folder = tmp_path / "project"
    folder.mkdir()
    project = follow_guide(folder, tmp_path / "template.db")
    project.migrate(database_url)
    with project.serve({"CARBOY_DATABASE__URL": database_url}) as server:
        add_owner(server)
        try_cases(server.url, tmp_path, Tried(project.document, "^/api/invoices"), INVOICE_CASES, tell)
