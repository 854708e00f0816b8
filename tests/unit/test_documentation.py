"""What the documentation says is so."""

import re
from pathlib import Path

from flask import Flask

from carboy.graph import draw_graph
from containers import Container

ROOT = Path(__file__).parent.parent.parent


def test_the_drawn_container_is_the_container(app: Flask) -> None:
    drawn = draw_graph(Container(), app)
    assert f"```mermaid\n{drawn}```" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


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


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []
