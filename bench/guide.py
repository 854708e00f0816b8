"""Writes the project that a guide of the documentation leads to, word by word."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDES = {
    "notes": ROOT / "docs" / "adding-a-domain.md",
    "invoices": ROOT / "docs" / "a-larger-domain.md",
    "letters": ROOT / "docs" / "how-to" / "add-a-job.md",
    "digests": ROOT / "docs" / "how-to" / "add-a-schedule.md",
    "rates": ROOT / "docs" / "how-to" / "call-an-api.md",
    "parcels": ROOT / "docs" / "how-to" / "stream-events.md",
    "visits": ROOT / "docs" / "how-to" / "keep-and-erase-data.md",
}
"""The guides, by the domain that each leads to."""
COPIED = ["asgi.py", "containers.py", "config.yaml", "pyproject.toml", "src", "tests"]
PYTHON_MODULE = (sys.executable, "-m")
INSERTED = {"containers.py": "", "src/app/__init__.py": "\n    wire(container, app)"}
"""Files that get lines, by what they stand before; nothing is the end."""


def copy_project(folder: Path) -> None:
    """Copy what a domain is added to into an empty folder."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, folder)


def follow(domain: str, folder: Path) -> None:
    """Add a domain to a project as its guide says, with its migration, and bring the configured database up to date.

    Raises:
        RuntimeError: A command of the guide failed, with what it printed.
    """
    write(domain, folder)
    run(folder, "flask", "db", "upgrade")
    # The commands of `make migration`.
    run(folder, "flask", "db", "revision", f"create {domain}")
    run(folder, "ruff", "check", "--quiet", "--fix-only", "src/app/migrations")
    run(folder, "ruff", "format", "--quiet", "src/app/migrations")
    run(folder, "flask", "db", "upgrade")


def write(domain: str, folder: Path) -> None:
    """Add a domain to a project as its guide says, without what it needs of the database.

    Raises:
        RuntimeError: The linter does not understand the code.
    """
    (folder / "src/app" / domain).mkdir()
    (folder / "src/app" / domain / "__init__.py").touch()
    for file, code in _code_in(GUIDES[domain].read_text(encoding="utf-8")):
        if file in INSERTED:
            insert(folder / file, code, before=INSERTED[file])
        else:
            (folder / file).write_text(code, encoding="utf-8")
    # The two commands of `make format`.
    run(folder, "ruff", "check", "--fix-only", "src/app", "containers.py", "tests/app")
    run(folder, "ruff", "format", "--quiet", "src/app", "containers.py", "tests/app")


FLASK = """
import json, sys
from flask.cli import cli
for arguments in json.loads(sys.argv[1]):
    cli.main(arguments, prog_name="flask", standalone_mode=False)
"""


def flask(folder: Path, *commands: Sequence[str], **environment: str) -> str:
    """Run commands of flask's in a project, one after the other in one process, and return what they print.

    Raises:
        RuntimeError: One failed, with what they printed.
    """
    return run(folder, json.dumps(commands), program=[sys.executable, "-c", FLASK], **environment)


def run(folder: Path, *arguments: str, program: Sequence[str | Path] = PYTHON_MODULE, **environment: str) -> str:
    """Run a module, or another program, in a project, and return what it prints.

    Raises:
        RuntimeError: It failed, with what it printed.
    """
    # The copy's coverage is not the project's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(folder / "src"), "FLASK_APP": "asgi"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def _code_in(guide: str) -> list[tuple[str, str]]:
    """Return what the guide's code writes: the file that a comment names, and the lines up to the next such comment."""
    code = "".join(re.findall(r"```python\n(.*?)```\n", guide, flags=re.DOTALL))
    _, *parts = re.split(r"^# ([\w/]+\.py)(?=[:,\n])", code, flags=re.MULTILINE)
    # What stands between two files is one blank line, which no file ends with.
    return [
        (file, text.partition("\n")[2].rstrip("\n") + "\n") for file, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def insert(file: Path, lines: str, before: str) -> None:
    """Add imports at the top, and what is indented before a line of the file, or at its end."""
    imports = "".join(line for line in lines.splitlines(keepends=True) if not line.startswith(" "))
    indented = "".join(line for line in lines.splitlines(keepends=True) if line.startswith(" "))
    text = file.read_text(encoding="utf-8")
    place = text.index(before) if before else len(text)
    body = text[:place] + indented + text[place:]
    first = body.index("\nfrom ") + 1
    file.write_text(body[:first] + imports + body[first:], encoding="utf-8")
