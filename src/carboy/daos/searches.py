"""Looks for text in columns: by reading rows, or by a search index where the table has one."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, false, or_

from carboy.models.search import TEXT_LENGTH, trigrams
from carboy.schemas.text import spellings

WINDOWS = (8, 80)
"""How many rows are read in order for each row of a page, at first and then, before the search index is asked. A word
that one row in eighty has fills its page by then; one that is rarer has so few rows that sorting them all costs
no more. Measured in ADR 0009."""


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


def index_parameters(search: str) -> dict[str, object]:
    """Return the parameters of statements that use a search index; none for a text that it is no help with.

    It helps with one in which three letters or digits stand together.
    """
    texts = spellings(search)
    if not all(re.search(rf"[^\W_]{{{TEXT_LENGTH}}}", text) for text in texts):
        return {}
    match = " OR ".join(f"({trigrams(text)})" for text in texts)
    return {"row_match": match}
