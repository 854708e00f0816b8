"""Checks that columns can hold values, alike on each database: SQLite itself takes almost anything."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Integer, SmallInteger, String, Table
from sqlalchemy.types import Float, TypeEngine

from carboy.errors import FieldProblem, InvalidInputError
from carboy.models.moments import UtcDateTime
from carboy.models.numbers import Amount
from carboy.schemas.moments import RANGE, is_in_range

Check = Callable[[Any], str | None]
"""Takes a value other than None, and returns what is wrong with it, or None."""

BITS: dict[type[Integer], int] = {SmallInteger: 16, BigInteger: 64, Integer: 32}
"""Checks by type, subclasses first."""


class Limits:
    """The limits of a table's columns.

    Schemas check what clients send. This checks values that a service computes, and those of a schema that allows more
    than its column holds.
    """

    def __init__(self, table: Table) -> None:
        found = {column.name: check_of(column.type) for column in table.columns}
        self._checks = {name: check for name, check in found.items() if check is not None}

    def require(self, values: Mapping[str, object]) -> None:
        """Check that columns can hold these values.

        Raises:
            InvalidInputError: One cannot; the error names it as a field.
        """
        checks = self._checks
        wrong = [
            FieldProblem(pointer=f"#/{name}", detail=detail)
            for name, value in values.items()
            if value is not None and name in checks and (detail := checks[name](value)) is not None
        ]
        if wrong:
            raise InvalidInputError(wrong)


def check_of(kind: TypeEngine[Any]) -> Check | None:
    """Return the check for a column's type; None if any value is allowed."""
    for its_type, check in CHECKS.items():
        if isinstance(kind, its_type):
            return check(kind)
    return None


def _whole(kind: Integer) -> Check:
    most = 2 ** (next(bits for its_type, bits in BITS.items() if isinstance(kind, its_type)) - 1) - 1
    detail = f"Must be a whole number from {-most - 1} to {most}."
    return lambda value: detail if isinstance(value, int) and not -most - 1 <= value <= most else None


def _text(kind: String) -> Check:
    most = math.inf if kind.length is None else kind.length

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        if len(value) > most:
            return f"Must be at most {most} characters."
        return "Must not contain NUL." if "\0" in value else None

    return check


def _decimal(kind: Amount) -> Check:
    most, scale = 10 ** (kind.digits - kind.scale), kind.scale
    detail = f"Must be a decimal below {most}, with at most {scale} decimals."

    def check(value: Any) -> str | None:
        if not isinstance(value, Decimal | int):
            return None
        number = Decimal(value)
        fits = number.is_finite() and abs(number) < most and number == round(number, scale)
        return None if fits else detail

    return check


def _number(_kind: Float[Any]) -> Check:
    return lambda value: None if not isinstance(value, float) or math.isfinite(value) else "Must be a finite number."


def _moment(_kind: UtcDateTime) -> Check:
    return lambda value: None if not isinstance(value, datetime) or is_in_range(value) else RANGE


CHECKS: dict[type[TypeEngine[Any]], Callable[[Any], Check]] = {
    Integer: _whole,
    String: _text,
    Amount: _decimal,
    Float: _number,
    UtcDateTime: _moment,
}
