"""Queries, one class a table. They use the session of the current unit of work and never commit."""

from carboy.daos.user_dao import UserDao

__all__ = ["UserDao"]
