"""What runs the application: its lifespan, and how it ends."""

from carboy.server.asgi import create_asgi

__all__ = ["create_asgi"]
