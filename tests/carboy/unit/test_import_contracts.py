"""Arrows between the layers point one way."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from grimp import ImportGraph
from importlinter.cli import lint_imports

import carboy
from carboy.testing.contracts import DomainsContract
from containers import CONFIG_FILE

PACKAGE = Path(carboy.__file__).parent
ROOTS = {"containers", "asgi"}


def imports_of(source: str) -> Iterator[str]:
    """Yield the first name of each module that a source text imports, also within functions and by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def test_carboy_never_imports_its_composition_root() -> None:
    sources = list(PACKAGE.rglob("*.py"))
    assert len(sources) > 30
    found = {path.name: ROOTS & set(imports_of(path.read_text(encoding="utf-8"))) for path in sources}
    assert {name: roots for name, roots in found.items() if roots} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import containers",
        "import os, asgi as a",
        "from containers import Container",
        "def f():\n    from asgi import app",
        "importlib.import_module('containers')",
        "__import__('asgi')",
    ],
)
def test_the_walk_finds_each_kind_of_import(source: str) -> None:
    assert ROOTS & set(imports_of(source))


def test_routes_keep_their_annotations_evaluated() -> None:
    hidden = [
        path.name for path in (PACKAGE / "routes").rglob("*.py") if "__future__" in set(imports_of(path.read_text()))
    ]
    assert hidden == []


def test_the_contracts_of_the_import_linter_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    status = lint_imports(config_filename=str(CONFIG_FILE.with_name("pyproject.toml")), no_cache=True)
    said = capsys.readouterr().out
    assert status == 0, said
    assert " kept, 0 broken." in said


@pytest.mark.parametrize(
    ("importer", "imported", "is_kept"),
    [
        ("shop.orders.services", "shop.users.daos", False),
        ("shop.orders.services", "shop.users.daos.archive", False),
        ("shop.orders.services", "shop.users.services", True),
        ("shop.users.services", "shop.users.daos", True),
        ("shop", "shop.users.daos", True),
    ],
)
def test_a_domain_must_not_use_what_is_private_to_another(importer: str, imported: str, is_kept: bool) -> None:  # noqa: FBT001 - a case.
    graph = ImportGraph()
    graph.add_import(importer=importer, imported=imported)
    contract = DomainsContract("domains", {}, {"package": "shop", "private": ["daos"]})
    assert contract.check(graph, verbose=False).kept == is_kept
