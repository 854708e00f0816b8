"""What every table has, and the kinds of column. A field that fits one has the same name in `carboy.schemas`."""

from carboy.models.base import Base, KeyText
from carboy.models.choices import Choice, choice
from carboy.models.links import link_table
from carboy.models.moments import Date, Moment
from carboy.models.numbers import Amount, BigWhole, Money, Number, Whole
from carboy.models.references import reference
from carboy.models.soft_deletion import SoftDeleted, unique_unless_deleted
from carboy.models.sortable import sortable
from carboy.models.structured import Json, Tags

__all__ = [
    "Amount",
    "Base",
    "BigWhole",
    "Choice",
    "Date",
    "Json",
    "KeyText",
    "Moment",
    "Money",
    "Number",
    "SoftDeleted",
    "Tags",
    "Whole",
    "choice",
    "link_table",
    "reference",
    "sortable",
    "unique_unless_deleted",
]
