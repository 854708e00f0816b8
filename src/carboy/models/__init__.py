"""The tables. Alembic compares `Base.metadata` with the database, so each model is imported here."""

from carboy.models.base import Base
from carboy.models.idempotency_key import IdempotencyKey
from carboy.models.user import User

__all__ = ["Base", "IdempotencyKey", "User"]
