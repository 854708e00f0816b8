"""What is tested: the table in suites.toml."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TABLE = Path(__file__).with_name("suites.toml")


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Difference(Row):
    """Tests that end otherwise through the bridge, and why. There is no kind for the bridge's own faults: mend them."""

    tests: list[str] = Field(min_length=1)
    kind: Literal["by definition", "harness"]
    """By definition: the test is about WSGI itself. Harness: it fails too where WSGI runs in another thread."""
    reason: str


class LeftOut(Row):
    """Tests that cannot run at all, given as pytest's arguments, and why."""

    arguments: list[str] = Field(min_length=1)
    reason: str


class Suite(Row):
    """A source distribution and how its tests are run."""

    name: str
    package: str
    version: str
    sha256: str
    """Of the source distribution."""
    folder: str = "."
    """Where in it pytest runs, and what is installed."""
    needs: list[str]
    """What is installed beside it."""
    tests: list[str]
    """Where pytest looks for tests."""
    left_out: list[LeftOut] = []
    differences: list[Difference] = []


class Table(Row):
    """All suites, and the day after which no release of a dependency counts, so that a run can be repeated."""

    packages_until: str
    suites: list[Suite]


def read_table(path: Path = TABLE) -> Table:
    """Read the table.

    Raises:
        pydantic.ValidationError: It is not as it must be.
    """
    return Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
