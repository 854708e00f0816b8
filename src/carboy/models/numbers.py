"""Columns of numbers."""

from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, Dialect, Double, Integer, Numeric, TypeDecorator
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeEngine

MAX_DIGITS = 18
"""Digits of the largest decimal that a signed 64-bit integer holds whatever they are."""


class Amount(TypeDecorator[Decimal]):
    """An exact decimal: ``weight: Mapped[Decimal] = mapped_column(Amount(9, 3))``.

    PostgreSQL keeps it as NUMERIC. SQLite has no exact decimals, so that it keeps the number of units of the last
    digit, an integer: 12.30 with a scale of 2 is 1230. Both compare, sort and add it as a number.

    Args:
        digits: How many it has in all, at most `MAX_DIGITS`.
        scale: How many of them stand behind the point.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, digits: int, scale: int) -> None:
        if not 0 <= scale <= digits <= MAX_DIGITS:
            raise ValueError(f"Amount({digits}, {scale}): wants 0 <= scale <= digits <= {MAX_DIGITS}.")
        super().__init__(digits, scale)
        self.digits = digits
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return BigInteger() if dialect.name == "sqlite" else Numeric(self.digits, self.scale)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        # PostgreSQL would round, and nobody would know.
        units = Decimal(value).scaleb(self.scale)
        if units != units.to_integral_value():
            raise ValueError(f"An amount of this column has at most {self.scale} decimals.")
        return int(units) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return Decimal(value).scaleb(-self.scale) if dialect.name == "sqlite" else Decimal(value)


Whole = Annotated[int, mapped_column(Integer)]
"""A column of whole numbers of 32 bits: ``quantity: Mapped[Whole]``."""

BigWhole = Annotated[int, mapped_column(BigInteger)]
"""A column of whole numbers of 64 bits."""

Number = Annotated[float, mapped_column(Double)]
"""A column of floating-point numbers of 64 bits."""

Money = Annotated[Decimal, mapped_column(Amount(14, 2))]
"""A column of amounts with two decimals, below a million millions either way. See `Amount`."""
