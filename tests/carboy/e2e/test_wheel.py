"""The kit as a dependency: its wheel, in an environment where there is no other ``carboy``, below an application."""

import json
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from contextlib import closing
from pathlib import Path
from venv import EnvBuilder

import httpx
import pytest
from support.carboy_server import free_port, wait_for
from support.server import NO_TLS
from support.sizes import size

from bench.guide import FLASK

ROOT = Path(__file__).parents[3]
OURS = [
    "asgi.py",
    "containers.py",
    "config.yaml",
    "pyproject.toml",
    "src/app",
    "tests/app",
    "tests/support",
    "tests/conftest.py",
]


NEW_MODEL = """
from sqlalchemy.orm import Mapped

from carboy.models import Base


class Letter(Base):
    __tablename__ = "letters"

    text: Mapped[str]
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the kit is built from, as building leaves files beside it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return source


def build(source: Path, folder: Path) -> Path:
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    [wheel] = folder.glob("carboy-*.whl")
    return wheel


@pytest.fixture(scope="module")
def project(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application without ``src/carboy``, beside an environment that has the wheel and what it depends on."""
    project = tmp_path_factory.mktemp("project")
    EnvBuilder(symlinks=True).create(project / "venv")
    scheme = {"base": str(project / "venv"), "platbase": str(project / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    # Of a folder that a .pth file names no other .pth file is read: what is installed here as editable is not there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install(project, build(source, tmp_path_factory.mktemp("dist")))
    for name in OURS:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, project / name)
    return project


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the tests choose what is run.


def install(project: Path, wheel: Path) -> None:
    python = str(project / "venv/bin/python")
    pip("--python", python, "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))


def python(project: Path, *arguments: str, kit: str = "") -> str:
    """Run Python where the wheel is installed; with a folder of the kit's sources, these stand before the wheel."""
    done = subprocess.run(  # noqa: S603 - likewise.
        [project / "venv/bin/python", *arguments],
        cwd=project,
        env={"PYTHONPATH": f"{project}/src:{kit}".rstrip(":"), "PATH": "", "FLASK_APP": "asgi"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def flask(project: Path, *commands: list[str], kit: str = "") -> str:
    """Run commands of flask's one after the other in one process, as to start it takes longer than most of them."""
    return python(project, "-c", FLASK, json.dumps(commands), kit=kit)


def test_the_wheel_holds_the_kit_alone_and_imports_no_extra(project: Path) -> None:
    # Where the benchmarks are installed, the container's library imports FastAPI, and that an extra.
    code = (
        "import sys; sys.modules['fastapi'] = None; "
        "import app, carboy, containers; print(app.__file__, carboy.__file__, *sys.modules, sep='\\n')"
    )
    found = python(project, "-c", code).splitlines()
    assert [Path(file).is_relative_to(project) for file in found[:2]] == [True, True]
    assert not (project / "src/carboy").exists()
    assert not list((project / "venv").rglob("app/__init__.py"))
    # They are imported where their settings want them.
    assert not {"opentelemetry", "sentry_sdk", "redis"} & {name.partition(".")[0] for name in found[2:]}


def test_an_application_on_the_wheel_migrates_and_serves(project: Path) -> None:
    upgrade, create = ["db", "upgrade"], ["users", "create", "root", "root@example.org", "--admin"]
    key = flask(project, upgrade, create, ["tokens", "create", "root"]).split()[-1]
    with free_port() as port:
        server = subprocess.Popen(  # noqa: S603 - likewise.
            [project / "venv/bin/python", "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "asgi:app"],
            cwd=project,
            env={"PYTHONPATH": f"{project}/src", "PATH": ""},
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(url), "The server does not answer.")
            user = {"username": "ada", "email": "ada@example.org"}
            headers = {"Authorization": f"Bearer {key}"}
            assert httpx.post(f"{url}/api/users", json=user, headers=headers).status_code == 201
            # What the kit brings besides code: the page's files.
            assert "swagger" in httpx.get(f"{url}/api/docs").text
            assert httpx.get(f"{url}/api/docs/docs.js").status_code == 200
        finally:
            server.terminate()
            assert server.wait(20) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", verify=NO_TLS).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.timeout(300)
def test_the_tests_of_an_application_pass_on_the_wheel(project: Path) -> None:
    # Those of one domain and of what it stands on: `make torture` runs all of them.
    tests = size(["test_users_routes.py", "test_user_service.py", "test_logging_in.py"], [""])
    files = [f"tests/app/unit/{test}" for test in tests]
    said = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files)
    assert " passed" in said


def test_an_upgrade_of_the_kit_may_bring_a_table(project: Path, source: Path, tmp_path: Path) -> None:
    flask(project, ["db", "upgrade"])
    (source / "src/carboy/letters").mkdir()
    (source / "src/carboy/letters/__init__.py").touch()
    (source / "src/carboy/letters/models.py").write_text(NEW_MODEL)
    # Whoever works on the kit writes its revision among its sources, as a team writes its own.
    flask(project, ["db", "revision", "--kit", "add letters"], kit=f"{source}/src")
    assert list((source / "src/carboy/migrations").glob("*_add_letters.py"))
    install(project, build(source, tmp_path / "upgrade"))

    before = set((project / "src/app/migrations").iterdir())
    flask(project, ["db", "upgrade"], ["db", "check"], ["db", "revision", "nothing of the kit's"])
    with closing(sqlite3.connect(project / "var/carboy.db")) as database:
        assert database.execute("SELECT count(*) FROM letters").fetchone() == (0,)
    [revision] = set((project / "src/app/migrations").iterdir()) - before
    assert "letters" not in revision.read_text()
