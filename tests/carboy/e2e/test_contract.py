"""The API answers as its document says. `make torture` tries it with many more requests."""

from pathlib import Path

import pytest
from contract.running import hold_to_document
from support.carboy_server import HYPERCORN, PRODUCTION, serve


@pytest.mark.timeout(300)
def test_every_answer_is_as_the_document_says(environment: dict[str, str], tmp_path: Path) -> None:
    with serve(HYPERCORN, environment | PRODUCTION) as server:
        outcome = hold_to_document(server.url, tmp_path, seed=1, examples=15)
    if not outcome.passed:
        pytest.fail(outcome.report, pytrace=False)
    assert outcome.cases > 500
    assert outcome.never_accepted == []
