"""Kinds of number, each with the limits of its column in `carboy.models`."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from carboy.schemas.text import Described

MAX_WHOLE = 2**31 - 1
MAX_BIG_WHOLE = 2**63 - 1

Whole = Annotated[int, Field(ge=-MAX_WHOLE - 1, le=MAX_WHOLE), Described(format="int32")]
"""A whole number of 32 bits. Narrow it with ``Annotated[Whole, Field(ge=1)]``."""

BigWhole = Annotated[int, Field(ge=-MAX_BIG_WHOLE - 1, le=MAX_BIG_WHOLE), Described(format="int64")]
"""A whole number of 64 bits. JavaScript keeps those beyond 2**53 inexactly; hey-api's clients make a BigInt of it."""

Reference = Annotated[int, Field(ge=1, le=MAX_BIG_WHOLE)]
"""The id of another row. It has no format, like ids in answers: of int64 TypeScript clients make a BigInt, which no
JSON can say."""

Number = Annotated[float, Field(allow_inf_nan=False), Described(format="double")]
"""A floating-point number of 64 bits, neither infinite nor NaN."""


def accept_integral_floats(schema: CoreSchema) -> CoreSchema:
    """Return the schema of a model, which from now on accepts 7.0 for each whole number in it, however deep.

    JSON Schema counts it among them, and some languages write it.
    """
    _accept_within(schema)
    return schema


def _accept_within(part: Any) -> None:
    if isinstance(part, list | tuple):
        for inner in part:
            _accept_within(inner)
    elif isinstance(part, dict) and part.get("type") == "int":
        whole = part.copy()
        part.clear()
        part.update(core_schema.no_info_before_validator_function(_integral, whole))
    elif isinstance(part, dict) and part.get("function") != {"type": "no-info", "function": _integral}:
        for inner in part.values():
            _accept_within(inner)


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


SAFE_DIGITS = 15
"""Digits that a JSON number keeps in every language, most of which read it as a float of 64 bits."""


class Amount:
    """An exact decimal: ``weight: Annotated[Decimal, Amount(9, 3)]``. In answers it is text, such as ``"12.300"``.

    In requests it is text too, or a number if it has at most `SAFE_DIGITS` digits; spelled without an exponent.

    Args:
        digits: How many it has in all.
        scale: How many of them stand behind the point; fewer are taken, more are an error.
        signed: Whether it may be less than zero.
    """

    def __init__(self, digits: int, scale: int, *, signed: bool = True) -> None:
        self._digits, self._scale, self._signed = digits, scale, signed
        whole = f"[0-9]{{1,{digits - scale}}}" if digits > scale else "0"
        fraction = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
        self._pattern = f"^{'-?' if signed else ''}{whole}{fraction}$"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        limits = core_schema.decimal_schema(max_digits=self._digits, decimal_places=self._scale, strict=False)
        return core_schema.no_info_before_validator_function(self._read, limits)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text = {"type": "string", "pattern": self._pattern}
        if handler.mode == "serialization" or self._digits > SAFE_DIGITS:
            return text
        most = (10**self._digits - 1) / 10**self._scale
        least = -most if self._signed else 0
        return {"anyOf": [{"type": "number", "minimum": least, "maximum": most, "multipleOf": 10**-self._scale}, text]}

    def _read(self, value: object) -> Decimal:
        text = self._plain(value)
        if not re.fullmatch(self._pattern[1:-1], text):
            raise ValueError(self._wanted())
        return Decimal(text)

    def _plain(self, value: object) -> str:
        if isinstance(value, Decimal):
            return f"{value:f}"
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or self._digits > SAFE_DIGITS:
            raise ValueError(self._wanted())
        # What a program has worked out as 0.1 + 0.2 means 0.3.
        rounded = round(value, self._scale)
        return f"{Decimal(repr(rounded if math.isclose(value, rounded, rel_tol=1e-15) else value)):f}"

    def _wanted(self) -> str:
        kind = "a decimal" if self._signed else "a decimal, not negative,"
        number = "" if self._digits > SAFE_DIGITS else "number or "
        whole = self._digits - self._scale
        return (
            f"must be {kind} as {number}text, with at most {whole} digits before the point and {self._scale} after it"
        )


Money = Annotated[Decimal, Amount(14, 2)]
"""An amount with two decimals, below a million millions either way."""
