"""What goes in and out: pydantic models that routes, services and DAOs share, and the kinds of field."""

from carboy.schemas.moments import Date, Moment
from carboy.schemas.numbers import Amount, BigWhole, Money, Number, Reference, Whole
from carboy.schemas.structured import Json, Tag, Tags
from carboy.schemas.text import Prose, Text

__all__ = [
    "Amount",
    "BigWhole",
    "Date",
    "Json",
    "Moment",
    "Money",
    "Number",
    "Prose",
    "Reference",
    "Tag",
    "Tags",
    "Text",
    "Whole",
]
