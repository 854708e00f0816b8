"""Fetches a suite's source distribution, and makes a virtual environment of its own for it."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from compat.suites import Suite

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "var" / "compat"
OWN_PINS = ["flask", "werkzeug", "asgiref", "greenlet"]
"""What the bridge stands on: each suite runs with the versions that Carboy pins."""
ALWAYS = ["pytest<9.1", "pytest-reportlog"]
"""What runs every suite. Flask's own imports what pytest 9.1 no longer has."""
STOPS = ["pytest.ini", ".flaskenv", ".env"]
"""What pytest and Flask look for in all folders above a suite, where they would find this project's."""


@dataclass(frozen=True)
class Environment:
    """Where a suite is, and the Python that runs it."""

    folder: Path
    source: Path
    python: Path


def pinned(names: list[str]) -> list[str]:
    """Return requirements for the versions that are installed here."""
    return [f"{name}=={version(name)}" for name in names]


def prepare(suite: Suite, packages_until: str) -> Environment:
    """Return a suite's environment, making it unless it is there as the table wants it.

    Raises:
        subprocess.CalledProcessError: A package could not be fetched or installed, or is not what is pinned.
    """
    folder = CACHE / suite.name
    packages = [*pinned(OWN_PINS), *ALWAYS]
    wanted = json.dumps(
        [suite.model_dump(include={"package", "version", "sha256", "folder", "needs"}), packages_until, packages]
    )
    stamp = folder / "made.json"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in STOPS:
            (folder / name).touch()
        _unpack(_fetch(suite, folder), folder / "source")
        _install(suite, folder, packages, packages_until)
        stamp.write_text(wanted, encoding="utf-8")
    return Environment(folder, _source(suite, folder), _python(folder))


def _fetch(suite: Suite, folder: Path) -> Path:
    """Download a source distribution; pip refuses one whose hash is another."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{suite.package}=={suite.version} --hash=sha256:{suite.sha256}\n", encoding="utf-8")
    into = folder / "sdist"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
    _run([*pip, "--no-binary", suite.package, "--require-hashes", "-r", str(requirement), "-d", str(into)])
    (archive,) = into.iterdir()
    return archive


def _unpack(archive: Path, into: Path) -> None:
    shutil.unpack_archive(archive, into, filter="data")


def _source(suite: Suite, folder: Path) -> Path:
    (source,) = (folder / "source").iterdir()
    return source / suite.folder


def _python(folder: Path) -> Path:
    return folder / "venv" / "bin" / "python"


def _install(suite: Suite, folder: Path, packages: list[str], until: str) -> None:
    uv = [sys.executable, "-m", "uv", "--quiet"]
    _run([*uv, "venv", "--python", sys.executable, str(folder / "venv")])
    install = [*uv, "pip", "install", "--python", str(_python(folder)), "--exclude-newer", until]
    _run([*install, "-e", str(_source(suite, folder)), *suite.needs, *packages])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
