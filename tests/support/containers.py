"""Images and containers of podman's, in a store of their own."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.carboy_server import PROJECT

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""Engines ask for more by default than a sandbox may give."""

Done = subprocess.CompletedProcess[str]


def run(*command: object, check: bool = True, environment: Mapping[str, str] | None = None) -> Done:
    words = [str(word) for word in command]
    done = subprocess.run(  # noqa: S603 - tests name it.
        words, capture_output=True, text=True, check=False, env=environment and {**environment}, cwd=PROJECT
    )
    assert done.returncode == 0 or not check, f"{' '.join(words)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


class Store:
    """Images and containers in a folder."""

    def __init__(self, folder: Path) -> None:
        self._place = (f"--root={folder}/images", f"--runroot={folder}/run")
        self._runtime: tuple[str, ...] = ()

    @property
    def engine(self) -> str:
        """What builds into this store: ``make image ENGINE=...``."""
        return " ".join(("buildah", *self._place))

    def podman(self, *arguments: str, check: bool = True) -> Done:
        return run("podman", "--log-level=fatal", *self._place, *self._runtime, *arguments, check=check)

    def add(self, name: str, root: Path) -> None:
        """Make an image of a folder."""
        archive = root.with_suffix(".tar")
        run("tar", "--create", f"--file={archive}", f"--directory={root}", ".")
        self.podman("import", "--quiet", str(archive), name)
        archive.unlink()

    def find_runtime(self, image: str) -> bool:
        """Choose what starts containers here: crun, podman's own choice, does not bear every kind of control groups."""
        for runtime in ((), ("--runtime=runc",), ("--runtime=crun",)):
            self._runtime = runtime
            if self.run(image, "python", "-V", check=False).returncode == 0:
                return True
        return False

    def run(self, image: str, *command: str, check: bool = True) -> Done:
        return self.podman("run", "--rm", "--network=host", "--read-only", *LIMITS, image, *command, check=check)

    def start(self, name: str, image: str, options: list[str], *command: str) -> None:
        self.podman("run", "--detach", f"--name={name}", "--network=host", *LIMITS, *options, image, *command)

    def status(self, name: str, what: str) -> str:
        return self.podman("inspect", "--format", f"{{{{.State.{what}}}}}", name).stdout.strip()

    def size(self, image: str) -> int:
        return int(self.podman("image", "inspect", "--format", "{{.Size}}", image).stdout)

    def compressed_size(self, image: str, folder: Path) -> int:
        """Return what is sent when the image is pulled."""
        run(*self.engine.split(), "push", "--quiet", image, f"oci:{folder}:image")
        return sum(file.stat().st_size for file in (folder / "blobs").rglob("*") if file.is_file())


@contextmanager
def new_store() -> Iterator[Store]:
    """Yield a store that is gone in the end, with all that it holds and runs."""
    # Its path is short, as those of sockets have to be.
    folder = Path(tempfile.mkdtemp(prefix="carboy-"))
    store = Store(folder)
    try:
        yield store
    finally:
        store.podman("rm", "--all", "--force", "--time=0", check=False)
        store.podman("rmi", "--all", "--force", check=False)
        run("umount", "--recursive", "--quiet", folder / "images/overlay", check=False)
        shutil.rmtree(folder, ignore_errors=True)
