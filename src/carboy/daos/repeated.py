"""For statements that each request runs: what SQLAlchemy would do anew each time is done once."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import StatementLambdaElement, lambda_stmt, literal_column


def constant(value: str) -> Any:
    """Return a constant that is part of the SQL: it costs nothing when the statement runs, where a parameter does.

    SQLAlchemy would put the separator of an aggregate into the text each time.

    Args:
        value: Text of the code, never of a request.
    """
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'")


@lru_cache
def once(build: Callable[[], Any]) -> StatementLambdaElement:
    """Return a statement that SQLAlchemy knows by the function that builds it, which takes no arguments.

    It knows others by all that they consist of, and looks that through each time: for a long one that takes as long as
    SQLite takes to run it. All DAOs get the same object: to another one, though it is equal, SQLAlchemy would adapt
    what it knows of the rows.
    """
    return lambda_stmt(build, enable_tracking=False)
