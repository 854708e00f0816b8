"""Columns that hold more than one value."""

from typing import Annotated, Any

from sqlalchemy import JSON, Dialect, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column


class JsonDocument(TypeDecorator[Any]):
    """JSON: text on SQLite, JSONB on PostgreSQL. None is NULL there, so that there is one way to have nothing."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True)


Json = Annotated[Any, mapped_column(JsonDocument)]
"""A column of JSON: ``extra: Mapped[Json]``."""

Tags = Annotated[list[str], mapped_column(JsonDocument)]
"""A column of a list of text that nobody looks for by its items; what is looked for is a table of its own."""
