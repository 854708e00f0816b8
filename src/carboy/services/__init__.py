"""The business rules. They know neither Flask nor SQLAlchemy."""

from carboy.services.health_service import HealthService
from carboy.services.idempotency_service import IdempotencyService
from carboy.services.pagination import Cursors
from carboy.services.transactions import UnitOfWork
from carboy.services.user_service import UserService

__all__ = ["Cursors", "HealthService", "IdempotencyService", "UnitOfWork", "UserService"]
