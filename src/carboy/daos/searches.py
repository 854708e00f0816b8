"""Looks for text in columns: by reading rows, or by a search index where the table has one."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, false, or_

from carboy.models.search import TEXT_LENGTH, trigrams
from carboy.schemas.text import spellings

RARE = 80
"""What one row in so many has is found by reading rows in order, anything else by the search index: to fill a page the
one reads so many rows for each of the page's, and the other all that match. Measured in ADR 0009."""


def has_text(columns: Iterable[ColumnElement[Any]], patterns: int) -> ColumnElement[bool]:
    """Return the condition that one of some columns matches one of the patterns that `text_parameters` gives."""
    names = [f"row_pattern_{index}" for index in range(patterns)]
    return or_(false(), *(column.like(bindparam(name), escape="/") for column in columns for name in names))


def text_parameters(search: str | None) -> dict[str, object]:
    """Return the parameters of a statement that may look for text: a pattern for each spelling, mostly one.

    No character of the text stands for another.
    """
    texts = [] if search is None else [re.sub("[/%_]", r"/\g<0>", text) for text in spellings(search)]
    return {f"row_pattern_{index}": f"%{text}%" for index, text in enumerate(texts)}


def index_parameters(search: str, limit: int) -> dict[str, object]:
    """Return the parameters of statements that use a search index; none for a text that it is no help with.

    Args:
        search: The text, of which three letters or digits must stand together.
        limit: The rows that are wanted.
    """
    texts = spellings(search)
    if not all(re.search(rf"[^\W_]{{{TEXT_LENGTH}}}", text) for text in texts):
        return {}
    match = " OR ".join(f"({trigrams(text)})" for text in texts)
    return {"row_match": match, "row_window": RARE * limit}
