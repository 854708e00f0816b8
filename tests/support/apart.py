"""Models of tests, which are not the application's: a team may have classes and tables of the same names."""

from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, registry

from carboy.models import Base


class Apart(Base, DeclarativeBase):
    """A base whose models are found by name by each other only, in tables that are not migrated."""

    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    registry = registry(metadata=metadata, type_annotation_map=Base.type_annotation_map)
    # It is the registry's, and may be said once.
    type_annotation_map: ClassVar[Any] = None
