"""What the documentation says is so."""

import json
import re
import tomllib
from pathlib import Path

from flask import Flask
from support.problems import all_errors

from carboy.api.compatibility.documents import breaking_changes
from carboy.api.openapi.document import describe, spell
from carboy.di.graph import draw_graph
from containers import Container

ROOT = Path(__file__).parents[3]


def test_the_drawn_container_is_the_container(app: Flask) -> None:
    drawn = draw_graph(Container(), app)
    kept = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{drawn}```" in kept, "Draw it anew in docs/architecture.md: .venv/bin/flask container graph"


def test_the_layout_in_the_readme_names_each_module_and_nothing_else() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    layout = readme.partition("## Layout")[2].partition("```")[2].partition("```")[0]
    listed, folders = set(), [Path()]
    for line in layout.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        path = folders[depth] / line.split()[0]
        folders[depth + 1 :] = [path]
        listed.add(path)
    missing = {str(path) for path in listed if not (ROOT / path).exists()}
    modules = {
        path.relative_to(ROOT)
        for path in (ROOT / "src" / "carboy").rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
    }
    assert (missing, modules - listed) == (set(), set())


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


def test_every_code_of_a_problem_is_explained() -> None:
    explained = set(
        re.findall(r"^\| \d{3} \| `(\w+)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE)
    )
    ours = {f"{kind.code}" for kind in all_errors() if kind.__module__ == "carboy.errors"}
    of_flask = {"bad_request", "not_found", "method_not_allowed", "internal_server_error", "content_too_large",
                "request_timeout", "uri_too_long", "range_not_satisfiable"}  # fmt: skip
    assert explained == ours | of_flask, "Make the table in docs/errors.md tell of these codes and no others."


def test_the_document_of_the_api_is_the_one_in_the_file(app: Flask) -> None:
    kept = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert kept == spell(describe(app)), "Write it anew: make openapi"


def test_each_problem_is_documented_with_its_detail_and_whether_to_try_again(app: Flask) -> None:
    passing = {kind.code for kind in all_errors() if kind.retry_after is not None}
    operations = [operation for path in describe(app)["paths"].values() for operation in path.values()]
    answers = [answer for operation in operations for answer in operation["responses"].values()]
    for answer in answers:
        examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
        assert all(example["value"]["detail"] for example in examples.values())
        assert bool(passing & set(examples)) == ("Retry-After" in answer["headers"])


def test_no_client_of_the_last_release_would_break(app: Flask) -> None:
    released = json.loads((ROOT / "docs" / "openapi-released.json").read_text(encoding="utf-8"))
    assert breaking_changes(released, describe(app)) == []
