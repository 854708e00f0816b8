"""Writes projects with many domains, each of which is `users` under another name, and measures what they cost."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.guide import INSERTED, ROOT, insert

DOMAIN = Path("src", "app", "users")
COPIED = ("asgi.py", "containers.py", "config.yaml")
NUMBERS = (1, 10, 50, 200)
ROUNDS = 3
OF_USERS = "ForeignFieldError|LastAdministratorError"
PROVIDERS = """\
    {one}_dao = providers.Singleton({One}Dao, database=database)
    {one}_service = providers.Singleton(
        {One}Service, unit_of_work=database, {one}s={one}_dao, cursors=cursors, accounts=peoples_accounts, audit=audit
    )
"""


def write_project(folder: Path, number: int) -> Path:
    """Copy the application into a folder, with as many domains besides `users`; the kit is the one that is installed.

    Args:
        folder: Where to; it is made. To start the project its ``src`` has to be on Python's path, first.
        number: How many domains to add.
    """
    shutil.copytree(ROOT / "src" / "app", folder / "src" / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        shutil.copy(ROOT / name, folder)
    # Where the database is to be.
    (folder / "var").mkdir()
    names = [f"thing{index:03}" for index in range(number)]
    for name in names:
        _write_domain(folder, name)
    providers = (
        _import(one, "daos", "Dao") + _import(one, "services", "Service") + PROVIDERS.format(one=one, One=one.title())
        for one in names
    )
    blueprints = (
        f"from app.{one}s.routes import {one}s as {one}s_routes\n    app.register_blueprint({one}s_routes)\n"
        for one in names
    )
    for (file, before), lines in zip(INSERTED.items(), (providers, blueprints), strict=True):
        insert(folder / file, "".join(lines), before)
    return folder


def _write_domain(folder: Path, name: str) -> None:
    target = folder / DOMAIN.with_name(f"{name}s")
    target.mkdir()
    for source in (ROOT / DOMAIN).glob("*.py"):
        text = source.read_text(encoding="utf-8")
        # Neither part of `username` nor of another word.
        for old, new in (("user", name), ("User", name.title())):
            text = re.sub(rf"(?<![a-zA-Z]){old}(?!name)", new, text)
        # What only users have: errors that come of their accounts, and POST as an alias of PATCH.
        text = re.sub(f"({OF_USERS}), |, ({OF_USERS})", "", text)
        text = re.sub(r"# POST is an alias.*\n@.*_by_post.*\n", "", text)
        text = re.sub('code = "(email|username)_', rf'code = "{name}_\1_', text)
        (target / source.name).write_text(text, encoding="utf-8")


def _import(one: str, module: str, suffix: str) -> str:
    return f"from app.{one}s.{module} import {one.title()}{suffix}\n"


def probe(folder: Path, *options: str) -> dict[str, float]:
    """Return what `bench.domain_probe` says of a project."""
    path = os.pathsep.join(map(str, (folder / "src", folder, ROOT)))
    # Their coverage is not the project's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "bench.domain_probe", *options],
        cwd=folder,
        env=environment | {"PYTHONPATH": path, "CARBOY_ENV": "testing", "CARBOY_LOGGING__LEVEL": "ERROR"},
        check=True,
        stdout=subprocess.PIPE,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure_domains() -> list[dict[str, float]]:
    """Return the medians of what projects of 1, 10, 50 and 200 domains cost."""
    results: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in NUMBERS:
            project = write_project(Path(folder, str(number)), number - 1)
            runs = [probe(project) for _ in range(ROUNDS + 1)][1:]  # The first one compiles.
            results.append({"domains": number} | {name: median(run[name] for run in runs) for name in runs[0]})
    return results
