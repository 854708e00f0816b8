"""What a server is pointed at to serve `support.calling`."""

from support.calling import CallingContainer, create_calling_app

from carboy.server import create_asgi

_container = CallingContainer()
asgi = create_asgi(_container, create_calling_app(_container))
