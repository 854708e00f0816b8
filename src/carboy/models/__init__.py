"""What every table has."""

from carboy.models.base import Base

__all__ = ["Base"]
