"""100,000 generated requests a database: no answer is 5xx, and none is another than the document says."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from contract.running import hold_to_document
from support.carboy_server import HYPERCORN, PRODUCTION, serve

CASES = 100_000
EXAMPLES = 500
"""Of each operation before the progress is shown."""


@pytest.mark.timeout(4 * 3600)
def test_a_hundred_thousand_answers_are_as_the_document_says(
    database_url: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    cases, began = 0, time.perf_counter()
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        for seed in itertools.count(1):
            outcome = hold_to_document(server.url, tmp_path, seed=seed, examples=EXAMPLES)
            cases += outcome.cases
            tell(f"{cases:,} of {CASES:,} cases in {time.perf_counter() - began:.0f} s")
            if not outcome.passed:
                pytest.fail(outcome.report, pytrace=False)
            if cases >= CASES:
                break
