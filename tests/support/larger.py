"""The project with the invoices of docs/a-larger-domain.md, for real servers and generated clients."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from support.carboy_server import HYPERCORN, PRODUCTION, PROJECT, CarboyServer, database_file, database_in, serve
from support.users import registration

from bench.guide import copy_project, flask, run, write

TESTING = {"CARBOY_ENV": "testing"}


@dataclass(frozen=True)
class LargerProject:
    """A copy of the project in which the guide was followed.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """A SQLite file with all of its tables; for copying."""
        return database_file(database_in(self.folder / "var"))

    @property
    def document(self) -> Path:
        """The file of its API's document, which has streams of events besides."""
        return self.folder / "openapi.json"

    def migrate(self, url: str) -> None:
        flask(self.folder, ["db", "upgrade"], CARBOY_DATABASE__URL=url, **TESTING)

    @contextmanager
    def serve(self, environment: Mapping[str, str]) -> Iterator[CarboyServer]:
        path = {"PYTHONPATH": str(self.folder / "src")}
        with serve(HYPERCORN, {**PRODUCTION, **path, **environment}, folder=self.folder) as server:
            yield server


def follow_guide(folder: Path, migrated: Path) -> LargerProject:
    """Follow the guide in a copy of the project.

    Args:
        folder: An empty folder for it.
        migrated: A SQLite file of the project as it stands here, which `flask db upgrade` has brought up to date.
    """
    copy_project(folder)
    shutil.copy(PROJECT / "hypercorn.toml", folder)
    (folder / "var").mkdir()
    write("invoices", folder)
    project = LargerProject(folder)
    environment = TESTING | database_in(folder / "var")
    shutil.copy(migrated, project.database)
    flask(folder, ["db", "revision", "create invoices"], ["db", "upgrade"], **environment)
    path = f"{folder}/src:{folder}/tests"
    project.document.write_text(run(folder, "support.documents", **TESTING | {"PYTHONPATH": path}), encoding="utf-8")
    return project


def add_owner(server: CarboyServer) -> None:
    """Add the user who can be given invoices, the first of all."""
    with server.client() as client:
        answer = client.post("/api/users", json=registration("owner"))
    assert (answer.status_code, answer.json()["id"]) == (HTTPStatus.CREATED, 1)
