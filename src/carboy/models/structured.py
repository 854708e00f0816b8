"""Columns that hold more than one value."""

from typing import Annotated, Any

from sqlalchemy import JSON
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

JsonType = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON: text on SQLite, JSONB on PostgreSQL. None is NULL there, so that there is one way to have nothing."""

Json = Annotated[Any, mapped_column(JsonType)]
"""A column of JSON: ``extra: Mapped[Json]``."""

Tags = Annotated[list[str], mapped_column(JsonType)]
"""A column of a list of text that nobody looks for by its items; what is looked for is a table of its own."""
