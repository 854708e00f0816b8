"""What every table has."""

from carboy.models.base import Base
from carboy.models.links import link_table
from carboy.models.soft_deletion import SoftDeleted, unique_unless_deleted

__all__ = ["Base", "SoftDeleted", "link_table", "unique_unless_deleted"]
