"""Reads database URLs as providers hand them out; unknown arguments are refused by name.

No message quotes a value: where a URL is misread, a part of its password may be taken for one.
"""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from carboy.config import postgresql_arguments as postgresql

DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
SQLITE_ARGUMENTS = {"cached_statements"}
SERVERS = re.compile(r"(?P<before>[\w+]+://(?:[^:/]*(?::[^@]*)?@)?)(?P<servers>[^/?]*,[^/?]*)(?P<after>.*)", re.DOTALL)
"""A URL with several servers. Which part is the user and which the password is as SQLAlchemy has it."""


class DatabaseUrl(NamedTuple):
    """A URL, and the arguments that were part of it as the driver takes them."""

    url: URL
    arguments: dict[str, Any]


def parse_url(text: str) -> DatabaseUrl:
    """Read a database URL.

    Raises:
        ValueError: It names no supported database, or has an argument that is unknown or wrong.
    """
    several = SERVERS.fullmatch(text)
    try:
        url = make_url(several["before"] + several["after"] if several else text)
    except (ArgumentError, ValueError):
        raise ValueError("not a database URL") from None
    if url.drivername not in DRIVERS:
        raise ValueError(f"{url.drivername}:// is not supported; use postgresql:// or sqlite:///")
    url = url.set(drivername=DRIVERS[url.drivername])
    is_plain = "@" not in text.partition("?")[2]
    if url.get_backend_name() == "sqlite":
        _check_arguments(url, SQLITE_ARGUMENTS, is_plain=is_plain)
        _check_file(url)
        return DatabaseUrl(url, {})
    _check_arguments(url, postgresql.ARGUMENTS, is_plain=is_plain)
    query = {**url.query} if several is None else {"host": several["servers"], **url.query}
    return DatabaseUrl(url.set(query={}), postgresql.translate(query))


def _check_arguments(url: URL, known: Collection[str], *, is_plain: bool) -> None:
    unknown = sorted(set(url.query) - set(known))
    if unknown:
        # With an @ among the arguments, this may be a part of the password.
        named = f"the argument {unknown[0]!r}" if is_plain else "one of its arguments"
        raise ValueError(f"{named} is not known; a {url.get_backend_name()} URL takes {', '.join(sorted(known))}")


def _check_file(url: URL) -> None:
    # All tasks would share the one connection of a database in memory, and with it one transaction.
    if url.database in {None, "", ":memory:"}:
        raise ValueError("a SQLite database must be a file")
    if url.host:
        raise ValueError("a relative path begins after sqlite:///, an absolute one after sqlite:////")
    if str(url.database).startswith("file:"):
        raise ValueError("a SQLite database must be a path, not a file: URI")
