"""Gathers the root of the image: Python, what it runs, and the libraries that these are linked to.

There is no shell in it and no package manager: nobody who breaks in finds them, and it is half as large. The
Dockerfile runs this where it builds: ``python rootfs.py ROOT FOLDER...`` copies the folders with all that they need.
"""

import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

STDLIB = Path(sysconfig.get_path("stdlib"))
UNUSED = (
    "__pycache__",
    "config-*",
    "ensurepip",
    "idlelib",
    "pydoc_data",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
)
"""Folders of the standard library that no server needs; of pip's packages, those of the virtual environment count."""

SOURCES = ("__pycache__", "*.c", "*.cpp", "*.h", "*.pxd", "*.pyi", "*.pyx")
"""What wheels hold besides code that runs."""

SYSTEM = (
    *("/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo"),
    *("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/nsswitch.conf"),
    *("/etc/ld.so.conf", "/etc/ld.so.conf.d"),
)
PACKAGES = ("ca-certificates", "tzdata")
LINKED = re.compile(r"^\t(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
"""What ldd says of a library that it has found."""

OWNER = re.compile(r"^([a-z0-9][a-z0-9+.-]+)(?::\w+)?: /", re.MULTILINE)
"""What dpkg-query says of the package that a file is of."""

USERS = {
    "passwd": "root:x:0:0::/root:/usr/sbin/nologin\ncarboy:x:10001:10001::/srv/carboy:/usr/sbin/nologin\n",
    "group": "root:x:0:\ncarboy:x:10001:\n",
}


def gather(root: Path, folders: list[Path]) -> None:
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for folder in folders:
        shutil.copytree(folder, below(root, folder), symlinks=True, ignore=shutil.ignore_patterns(*SOURCES))
    shutil.copytree(STDLIB, below(root, STDLIB), symlinks=True, ignore=shutil.ignore_patterns(*UNUSED))
    interpreters = ("python", "python3", "python{}.{}".format(*sys.version_info))
    copy(root, *(Path(sys.base_exec_prefix, "bin", name) for name in interpreters), *map(Path, SYSTEM))
    libraries = linked_to(root)
    copy(root, *libraries, follow_links=True)
    for name, lines in USERS.items():
        (root / "etc" / name).write_text(lines)
    shrink(root)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    run("ldconfig", "-r", root)
    compile_all(root)
    tell_scanners(root, libraries)


def below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def copy(root: Path, *paths: Path, follow_links: bool = False) -> None:
    """Copy what is there to the same place below the root."""
    for path in paths:
        target = below(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        elif path.exists():
            shutil.copy2(path, target, follow_symlinks=follow_links)


def linked_to(root: Path) -> list[Path]:
    """Return the libraries that the programs and modules below the root need, by the names that they ask for."""
    return sorted({Path(name) for name in LINKED.findall(run("ldd", *elves(root)))})


def elves(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def shrink(root: Path) -> None:
    """Take debug symbols away, which are half of what wheels hold, and let everybody read the rest."""
    run("strip", "--strip-unneeded", *elves(root))
    run("chmod", "--recursive", "u+w,go-w,a+rX", *root.iterdir())


def compile_all(root: Path) -> None:
    """Compile what will be read from a root that may be read-only.

    Bytecode is not compared with the times of its source: engines that build images change these by a fraction of a
    second, and then half of the modules would be compiled anew at each start.
    """
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    # Not all of it need compile: a package may hold templates of code.
    compileall.compile_dir(root, quiet=2, workers=0, stripdir=str(root), prependdir="/", invalidation_mode=unchecked)


def tell_scanners(root: Path, libraries: list[Path]) -> None:
    """Write down which packages of Debian are in it, where scanners for vulnerabilities look in images like this."""
    owners = run("dpkg-query", "--search", *(f"*/{library.name}" for library in libraries), may_fail=True)
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    for package in sorted({*OWNER.findall(owners), *PACKAGES}):
        (folder / package).write_text(run("dpkg-query", "--status", package))


def run(*command: str | Path, may_fail: bool = False) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=not may_fail).stdout


if __name__ == "__main__":
    gather(Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]])
