"""Searches columns for text, with the search index if the table has one."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, false, or_

from carboy.models.search import TEXT_LENGTH, trigrams
from carboy.schemas.text import spellings

WINDOWS = (8, 80)
"""How many rows to read in order for each row of a page, in a first and a second attempt, before the search index is
used. A word that one row in eighty contains fills its page by then; the matches of a rarer one are few enough to sort.
Measured in ADR 0009."""


def has_text(columns: Iterable[ColumnElement[Any]], patterns: int) -> ColumnElement[bool]:
    """Return the condition that one of the columns matches one of the patterns of `text_parameters`."""
    return or_(
        false(), *(column.like(pattern, escape="/") for column in columns for pattern in text_patterns(patterns))
    )


def text_patterns(patterns: int) -> list[BindParameter[str]]:
    """Return the parameters that hold the patterns of `text_parameters`."""
    return [bindparam(f"row_pattern_{index}") for index in range(patterns)]


def text_parameters(search: str | None) -> dict[str, object]:
    """Return the parameters of a statement that searches for text: a pattern for each spelling, mostly one.

    Wildcards in the text are escaped.
    """
    texts = [] if search is None else [re.sub("[/%_]", r"/\g<0>", text) for text in spellings(search)]
    return {f"row_pattern_{index}": f"%{text}%" for index, text in enumerate(texts)}


def index_parameters(search: str) -> dict[str, object]:
    """Return the parameters of a statement that uses the search index; none if the index cannot find this text.

    It finds text that contains three consecutive letters or digits.
    """
    texts = spellings(search)
    if not all(re.search(rf"[^\W_]{{{TEXT_LENGTH}}}", text) for text in texts):
        return {}
    match = " OR ".join(f"({trigrams(text)})" for text in texts)
    return {"row_match": match}
