"""Base of all services. Services know neither Flask nor SQLAlchemy."""

from carboy.services.pagination import Cursors
from carboy.services.transactions import Service, UnitOfWork, read_only, transactional

__all__ = ["Cursors", "Service", "UnitOfWork", "read_only", "transactional"]
