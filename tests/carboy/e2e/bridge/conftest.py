from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import Server, serve

FILE = bytes(range(256)) * 4096


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo application on each kind of event loop that hypercorn offers here."""
    file = tmp_path_factory.mktemp("demo") / "file.bin"
    file.write_bytes(FILE)
    with serve("support.demo:asgi", worker=str(request.param), environment={"DEMO_FILE": str(file)}) as server:
        yield server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the demo application writes what happens, also while it stops."""
    path = tmp_path / "events"
    path.touch()
    return path
