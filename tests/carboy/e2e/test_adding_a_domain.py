"""The guide to adding a domain, followed word by word in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.integration import REQUIRED_VARIABLE

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "adding-a-domain.md"
COPIED = ["asgi.py", "containers.py", "config.yaml", "pyproject.toml", "src", "tests"]
INSERTED = {"containers.py": "", "src/app/__init__.py": "\n    wire(container, app)"}
"""Files that get lines, by what they stand before; nothing is the end."""


def code_in(guide: str) -> list[tuple[str, str]]:
    """Return what the guide's code writes: the file that a comment names, and the lines up to the next such comment."""
    code = "".join(re.findall(r"```python\n(.*?)```\n", guide, flags=re.DOTALL))
    nothing, *parts = re.split(r"^# ([\w/]+\.py)(?=[:,\n])", code, flags=re.MULTILINE)
    assert not nothing
    # What stands between two files is one blank line, which no file ends with.
    return [
        (file, text.partition("\n")[2].rstrip("\n") + "\n") for file, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def insert(file: Path, lines: str, before: str) -> None:
    """Add imports at the top, and what is indented before a line of the file, or at its end."""
    imports = "".join(line for line in lines.splitlines(keepends=True) if not line.startswith(" "))
    indented = "".join(line for line in lines.splitlines(keepends=True) if line.startswith(" "))
    text = file.read_text()
    assert before in text
    place = text.index(before) if before else len(text)
    body = text[:place] + indented + text[place:]
    first = re.search(r"^(?:from|import) ", body, re.MULTILINE)
    assert first is not None
    file.write_text(body[: first.start()] + imports + body[first.start() :])


def run(project: Path, *arguments: str) -> str:
    # The copy's coverage is not the project's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(  # noqa: S603 - the tests choose what is run.
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=environment | {"PYTHONPATH": str(project / "src"), "FLASK_APP": "asgi"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.timeout(120)
def test_the_guide_leads_to_a_domain_that_works_on_both_databases(project: Path) -> None:
    (project / "src/app/notes").mkdir()
    (project / "src/app/notes/__init__.py").touch()
    for file, code in code_in(GUIDE.read_text()):
        if file in INSERTED:
            insert(project / file, code, before=INSERTED[file])
        else:
            (project / file).write_text(code)
    run(project, "ruff", "check", "--fix-only", "src/app", "containers.py")
    shutil.copy(project / "tests/app/unit/test_notes.py", project / "tests/app/integration/test_notes.py")

    run(project, "flask", "db", "upgrade")
    # The two commands of `make migration`.
    run(project, "flask", "db", "revision", "create notes")
    run(project, "ruff", "format", "--quiet", "src/app/migrations")
    [migration] = (project / "src/app/migrations").glob("*_create_notes.py")
    assert "create_table(" in migration.read_text()
    run(project, "flask", "db", "upgrade")
    run(project, "flask", "db", "check")
    said = run(project, "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/app", "-k", "notes")
    assert "3 passed" in said or ("2 passed" in said and not os.environ.get(REQUIRED_VARIABLE)), said
    run(project, "mypy", "src/app", "containers.py")
    run(project, "ruff", "check", "src/app", "tests/app", "containers.py")
    run(project, "ruff", "format", "--check", "src/app/notes", "tests/app", "containers.py", "src/app/__init__.py")
    assert "note_not_found" in run(project, "flask", "errors")
    assert "note_service" in run(project, "flask", "container", "graph")
