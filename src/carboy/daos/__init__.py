"""Queries, one class a table. They use the session of the current unit of work and never commit."""

from carboy.daos.idempotency_key_dao import IdempotencyKeyDao
from carboy.daos.user_dao import UserDao

__all__ = ["IdempotencyKeyDao", "UserDao"]
