"""The image that deploy/Dockerfile starts from: pulled, or else made of Debian's packages and this machine's Python."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from support.carboy_server import PROJECT
from support.compose import programs_of_postgresql
from support.containers import Store, run
from support.proxies import program_of

DOCKERFILE = PROJECT / "deploy/Dockerfile"
NAMED = re.compile(r"^ARG PYTHON=(python:(3\.\d+)\.\d+-slim-(\w+))$", re.MULTILINE)
LIBRARIES = (
    *("ca-certificates", "netbase", "tzdata", "libbz2-1.0", "libffi8", "liblzma5", "libncursesw6", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
)
"""What Python's own image has beside Debian's smallest system."""

LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists",
)
"""What Debian's own slim image has not either."""

TOOLS = ("buildah", "podman", "debootstrap", "nginx", "setpriv", "unshare")


@dataclass
class Base:
    """An image to start from.

    Attributes:
        name: What it is called where it is stored.
        is_made: Whether it was made here.
        options: What a build is told so that pip finds packages.
    """

    name: str
    is_made: bool = False
    options: list[str] = field(default_factory=list)


def named() -> tuple[str, str, str]:
    """Return the name of the image in the Dockerfile, its Python's version and its Debian's."""
    found = NAMED.search(DOCKERFILE.read_text(encoding="utf-8"))
    assert found is not None, "The base is pinned to a version of three numbers."
    return found[1], found[2], found[3]


def why_not() -> str | None:
    """Return why no image can be built here, or None if one can."""
    missing = [tool for tool in TOOLS if program_of(tool) is None]
    missing += ["postgresql"] if programs_of_postgresql() is None else []
    if missing:
        return f"install {' '.join(missing)}"
    if os.geteuid() != 0:
        return "it takes root to make a system of Debian's packages"
    return (
        None if interpreter(named()[1]) else f"no Python {named()[1]} of its own folder is on the PATH or among pyenv's"
    )


def interpreter(version: str) -> Path | None:
    """Return the folder of a Python that can be copied whole: not Debian's own, which is spread over the system."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    paths = (Path(folder, f"python{version}") for folder in os.environ["PATH"].split(":"))
    for candidate in chain(pyenv.glob(f"{version}.*/bin/python"), paths):
        if candidate.exists():
            asked = [
                str(candidate),
                "-c",
                f"import sys; print(sys.base_prefix if sys.version.startswith('{version}.') else '')",
            ]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - a Python.
            if (prefix := done.stdout.strip()) not in {"", "/usr"}:
                return Path(prefix)
    return None


def get(store: Store, folder: Path) -> Base:
    name, version, debian = named()
    if store.podman("pull", "--quiet", name, check=False).returncode == 0:
        return Base(name)
    prefix = interpreter(version)
    assert prefix is not None
    root = folder / "base"
    run("debootstrap", "--variant=minbase", f"--include={','.join(LIBRARIES)}", debian, root)
    for path in LEFT_OUT:
        shutil.rmtree(root / path, ignore_errors=True)
    install(prefix, root)
    store.add(f"localhost/{name}", root)
    return Base(f"localhost/{name}", is_made=True, options=list(packages(prefix, folder)))


def install(prefix: Path, root: Path) -> None:
    """Copy a Python to where Python's own image has it, without what that leaves out."""
    left_out = shutil.ignore_patterns("__pycache__", "test", "idlelib", "site-packages", "*.a")
    shutil.copytree(prefix / "lib", root / "usr/local/lib", symlinks=True, ignore=left_out, dirs_exist_ok=True)
    for program in (prefix / "bin").glob("python*"):
        shutil.copy2(program, root / "usr/local/bin", follow_symlinks=False)
    run("chroot", root, "ldconfig")
    run("chroot", root, "python", "-m", "ensurepip", "--default-pip")
    for compiled in [*(root / "usr/local").rglob("__pycache__")]:
        shutil.rmtree(compiled)


def packages(prefix: Path, folder: Path) -> Iterator[str]:
    """Download what the locks pin, by hash, and yield what makes the pip of a build take it from there."""
    wheels, settings = folder / "wheels", folder / "pip.conf"
    settings.write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="utf-8")
    for lock in ("run", "extras"):
        file = PROJECT / f"requirements/{lock}.txt"
        run(
            prefix / "bin/python",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "-r",
            file,
            "-d",
            wheels,
        )
    yield f"--volume={wheels}:/wheels:ro"
    yield f"--volume={settings}:/etc/pip.conf:ro"
