"""Runs the application: ASGI, lifespan and shutdown."""

from carboy.server.asgi import create_asgi

__all__ = ["create_asgi"]
