"""`flask openapi` prints the document, or says what in it would break clients of another."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from carboy.api.openapi.document import describe, spell


@pytest.fixture
def released(app: Flask, tmp_path: Path) -> Any:
    """Write the document of a release, as a change makes it, and return its path."""

    def write(change: Any = lambda document: document) -> str:
        document = json.loads(spell(describe(app)))
        change(document)
        path = tmp_path / "released.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return str(path)

    return write


def test_the_document_is_printed_as_it_is_kept(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["openapi"])
    assert (result.exit_code, result.output) == (0, spell(describe(app)))


def test_each_schema_of_the_document_is_used(app: Flask) -> None:
    text = spell(describe(app))
    used = re.findall(r'"#/components/schemas/([^"]+)"', text)
    assert set(json.loads(text)["components"]["schemas"]) == set(used)


def test_a_document_that_breaks_no_client_is_said_to_be_so(app: Flask, released: Any) -> None:
    result = app.test_cli_runner().invoke(args=["openapi", "--against", released()])
    assert (result.exit_code, result.output) == (0, "No client would break.\n")


def test_changes_that_break_clients_are_named(app: Flask, released: Any) -> None:
    def offer_more(document: Any) -> None:
        document["paths"]["/api/users"]["put"] = document["paths"]["/api/users"]["post"]

    result = app.test_cli_runner().invoke(args=["openapi", "--against", released(offer_more)])
    assert result.exit_code == 1
    assert "Clients would break:" in result.output
    assert "PUT /api/users" in result.output
