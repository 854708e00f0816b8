"""Carboy itself, as it is served in production; only the database's address and pool are given."""

from asgi import app

__all__ = ["app"]
