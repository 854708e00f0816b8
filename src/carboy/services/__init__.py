"""Base of all services. Services know neither Flask nor SQLAlchemy."""

from carboy.services.channels import Channels
from carboy.services.crud import CrudService
from carboy.services.pagination import Cursors
from carboy.services.transactions import Service, UnitOfWork, read_only, transactional

__all__ = ["Channels", "CrudService", "Cursors", "Service", "UnitOfWork", "read_only", "transactional"]
