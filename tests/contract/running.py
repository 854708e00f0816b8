"""Holds a running server to the API's document, by the command of schemathesis."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from support.accounts import HEADERS
from support.carboy_server import HOST, PROJECT

SETTINGS = "tests/contract/schemathesis.toml"

PATHS = r"^/(health|api/users|api/roles|api/audit-events)"
"""What is tried at random. Elsewhere a request may revoke the very key that all of them are sent with, or wants a
person: that key is a service's, which has no profile."""


class Tried(NamedTuple):
    """What is tried: the document's file, and a regular expression of paths."""

    document: Path
    paths: str


SHIPPED = Tried(PROJECT / "docs" / "openapi.json", PATHS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of some requests.

    Attributes:
        passed: Whether all answers were as the document says.
        cases: The number of requests.
        never_accepted: The operations that have refused whatever was sent, so that only their refusals are tried.
        report: What schemathesis says of them: for each failure the answer, and a command that sends the request again.
    """

    passed: bool
    cases: int
    never_accepted: list[str]
    report: str


def hold_to_document(url: str, folder: Path, tried: Tried = SHIPPED, *, seed: int, examples: int) -> Outcome:
    """Send requests that the document suggests, and check each answer.

    Args:
        url: Where the server is.
        folder: Where files may be written.
        tried: What to try.
        seed: The same seed makes the same requests, as long as the answers are the same.
        examples: How many random requests to send to each operation, at most, besides those for the corners of its
            schemas; and about as many sequences of requests to send.
    """
    counts = folder / "schemathesis.json"
    result = subprocess.run(  # noqa: S603 - the command is all ours.
        [
            *(
                sys.executable,
                "-m",
                "schemathesis.cli",
                "--config-file",
                SETTINGS,
                "run",
                str(tried.document),
                "--no-color",
            ),
            *("--url", url, "--seed", str(seed), "--max-examples", str(examples), "--report-json-path", str(counts)),
            *("--include-path-regex", tried.paths, "--header", f"Authorization: {HEADERS['Authorization']}"),
        ],
        cwd=PROJECT,
        # The order of sets would make other requests of the same seed. No proxy is asked for what is here.
        env=os.environ | {"PYTHONHASHSEED": "0", "NO_PROXY": HOST},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not counts.exists():
        return Outcome(passed=False, cases=0, never_accepted=[], report=result.stdout)
    counted = json.loads(counts.read_text(encoding="utf-8"))
    return Outcome(
        passed=result.returncode == 0,
        cases=counted["test_cases"]["generated"],
        never_accepted=[
            operation
            for operation, phases in counted["valid_rates"].items()
            if not any(rates["accepted"] for rates in phases.values())
        ],
        report=result.stdout,
    )
