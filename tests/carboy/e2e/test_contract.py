"""The API answers as its document says. `make torture` tries it with many more requests."""

from pathlib import Path

import pytest
from contract.running import Tried, hold_to_document
from support.carboy_server import HYPERCORN, PRODUCTION, migrated_copy, serve
from support.larger import LargerProject, add_owner


@pytest.mark.timeout(300)
def test_every_answer_is_as_the_document_says(environment: dict[str, str], tmp_path: Path) -> None:
    with serve(HYPERCORN, environment | PRODUCTION) as server:
        outcome = hold_to_document(server.url, tmp_path, seed=1, examples=15)
    if not outcome.passed:
        pytest.fail(outcome.report, pytrace=False)
    assert outcome.cases > 500
    assert outcome.never_accepted == []


@pytest.mark.timeout(300)
def test_so_is_every_answer_of_the_domain_that_the_guide_adds(larger_project: LargerProject, tmp_path: Path) -> None:
    with larger_project.serve(migrated_copy(larger_project.database, tmp_path)) as server:
        add_owner(server)
        tried = Tried(larger_project.document, "^/api/invoices")
        outcome = hold_to_document(server.url, tmp_path, tried, seed=1, examples=5)
    if not outcome.passed:
        pytest.fail(outcome.report, pytrace=False)
    assert outcome.cases > 300
    assert outcome.never_accepted == []
