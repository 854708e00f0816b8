"""The kit as a dependency: its wheel, in an environment where there is no other ``carboy``, below an application."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from venv import EnvBuilder

import httpx
import pytest
from support.carboy_server import free_port, wait_for

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A copy, as building leaves files beside the sources.
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(dist), str(source))
    [wheel] = dist.glob("carboy-*.whl")
    return wheel


@pytest.fixture(scope="module")
def project(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application without ``src/carboy``, beside an environment that has the wheel and what it depends on."""
    project = tmp_path_factory.mktemp("project")
    EnvBuilder(symlinks=True).create(project / "venv")
    scheme = {"base": str(project / "venv"), "platbase": str(project / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    # Of a folder that a .pth file names no other .pth file is read: what is installed here as editable is not there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip("--python", str(project / "venv/bin/python"), "install", "--no-deps", "--no-index", str(wheel))
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


def python(project: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - likewise.
        [project / "venv/bin/python", *arguments],
        cwd=project,
        env={"PYTHONPATH": f"{project}/src", "PATH": "", "CARBOY_ENV": "development"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_kit_alone(project: Path) -> None:
    found = python(project, "-c", "import app, carboy; print(app.__file__, carboy.__file__, sep='\\n')").splitlines()
    assert [Path(file).is_relative_to(project) for file in found] == [True, True]
    assert not (project / "src/carboy").exists()
    assert not list((project / "venv").rglob("app/__init__.py"))


def test_an_application_on_the_wheel_migrates_and_serves(project: Path) -> None:
    python(project, "-m", "flask", "--app", "asgi", "db", "upgrade")
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
            assert httpx.post(f"{url}/api/users", json=user).status_code == 201
            # What the kit brings besides code: the page's files.
            assert "swagger" in httpx.get(f"{url}/api/docs").text
            assert httpx.get(f"{url}/api/docs/docs.js").status_code == 200
        finally:
            server.terminate()
            assert server.wait(20) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_the_tests_of_an_application_pass_on_the_wheel(project: Path) -> None:
    said = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/app/unit")
    assert " passed" in said
