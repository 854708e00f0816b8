"""What each contender is asked to do, and what it must answer."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

USERS = 1000
"""Rows in the table before the first request."""


@dataclass(frozen=True)
class Job:
    """One kind of request.

    Attributes:
        name: What it is called on the command line and in tables.
        title: What it is called in prose.
        method: The HTTP method.
        path: The path, in which ``{id}`` stands for the id of some user.
        body: The JSON body, in which ``{unique}`` stands for text that no other request has; empty for none.
        status: The expected status.
        writes: Whether it changes the table.
        token: What to send as a bearer token.
        theirs: The path at the others, if it is another one.
        peers: Those that have it; None for all.
    """

    name: str
    title: str
    method: str
    path: str
    body: str = ""
    status: int = 200
    writes: bool = False
    token: str = ""
    theirs: str | None = None
    peers: frozenset[str] | None = None

    def path_at(self, peer: str) -> str:
        """Return the path at a contender, such as ``carboy`` or ``carboy-again``."""
        return self.path if self.theirs is None or peer.startswith("carboy") else self.theirs

    def is_at(self, peer: str) -> bool:
        """Tell whether a contender has it."""
        return self.peers is None or peer.partition("-")[0] in self.peers

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def without_account(self) -> "Job":
        """The same request of whoever, who shows no token."""
        return replace(self, token="")


TOKEN = "carboy_access_ForTheBenchmarkOnly0000000000000000000000014a5MFR"  # noqa: S105 - it opens databases of a benchmark.
PERMISSION = "users:read"
"""What whoever holds it may do."""
GUARDED = "/api/guarded/users/{id}"
"""Where the others want a token; elsewhere they let everybody in."""

JOBS = (
    Job("static", "static JSON", "GET", "/health/live"),
    Job("one", "one user", "GET", "/api/users/{id}"),
    Job("list", "50 users", "GET", "/api/users?limit=50"),
    Job("update", "update", "PATCH", "/api/users/{id}", '{{"full_name": "Name {unique}"}}', writes=True),
    Job(
        "create",
        "create",
        "POST",
        "/api/users",
        '{{"username": "u{unique}", "email": "U{unique}@example.com"}}',
        status=201,
        writes=True,
    ),
    Job(
        "me",
        "one user, by token",
        "GET",
        "/api/users/{id}",
        token=TOKEN,
        theirs=GUARDED,
        peers=frozenset({"carboy", "fastapi", "litestar", "starlette"}),
    ),
)

INVOICE_JOBS = (
    Job("invoice", "an invoice", "GET", "/api/invoices/{id}"),
    Job("invoices", "50 invoices", "GET", "/api/invoices?limit=50"),
    Job(
        "bill",
        "create an invoice",
        "POST",
        "/api/invoices",
        '{{"number": "n{unique}", "owner_id": 7, "amount": "12.50", "due_on": "2026-12-24", "tags": ["blue", "red"]}}',
        status=201,
        writes=True,
    ),
)
"""What those are asked who have invoices: each has an owner, a line and two tags."""


def comparable(answer: Any) -> Any:
    """Reduce an answer to what all contenders must agree on.

    Moments are compared as moments, however they are spelt, those of a new or changed row only by being there; a
    cursor only by being there, as its form is each one's own.
    """
    if isinstance(answer, list):
        return [comparable(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    reduced = {name: comparable(value) for name, value in answer.items()}
    for name in ("created_at", "updated_at"):
        if name in reduced:
            reduced[name] = datetime.fromisoformat(reduced[name]).utcoffset() is not None
    if "next_cursor" in reduced:
        reduced["next_cursor"] = reduced["next_cursor"] is not None
    # A new row's id depends on how many there were, and a row's version on how often it was changed.
    return {name: value for name, value in reduced.items() if name not in {"id", "version"}}
