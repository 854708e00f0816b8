"""What a server is pointed at to serve `support.streaming`."""

from support.streaming import StreamingContainer, create_streaming_app

from carboy.server import create_asgi

_container = StreamingContainer()
asgi = create_asgi(_container, create_streaming_app(_container))
