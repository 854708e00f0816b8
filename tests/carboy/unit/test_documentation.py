"""What the documentation says is so."""

import json
import re
import tomllib
from pathlib import Path

from flask import Flask

from carboy.api.compatibility.documents import breaking_changes
from carboy.api.openapi.document import describe, spell
from carboy.errors import all_errors

ROOT = Path(__file__).parents[3]


def test_the_readme_names_the_pythons_that_the_package_names() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [found[1] for line in metadata["classifiers"] if (found := re.search(r"Python :: (3\.\d+)$", line))]
    assert f"CPython {', '.join(named[:-1])} and {named[-1]}." in readme
    assert metadata["requires-python"] == f">={named[0]}"


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_the_document_of_the_api_is_the_one_in_the_file(app: Flask) -> None:
    kept = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert kept == spell(describe(app)), "Write it anew: make openapi"


def test_each_problem_is_documented_with_its_detail_and_whether_to_try_again(app: Flask) -> None:
    passing = {kind.code for kind in all_errors() if kind.retry_after is not None}
    components = describe(app)["components"]
    assert passing & set(components["examples"])
    assert all(example["value"]["detail"] for example in components["examples"].values())
    for answer in components["responses"].values():
        examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
        assert bool(passing & set(examples)) == ("Retry-After" in answer["headers"])


def test_no_client_of_the_last_release_would_break(app: Flask) -> None:
    released = json.loads((ROOT / "docs" / "openapi-released.json").read_text(encoding="utf-8"))
    assert breaking_changes(released, describe(app)) == []
