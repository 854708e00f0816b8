"""What a server, or `flask jobs work`, is pointed at to run `support.streaming`."""

# ruff: noqa: E402 - as in asgi.py.
import gc

# Looking for garbage takes a third of a process's time here: it is started, asked a little, and ends.
gc.disable()

from support.streaming import StreamingContainer, create_streaming_app

from carboy.server import create_asgi

_container = StreamingContainer()
_app = create_streaming_app(_container)
asgi = create_asgi(_container, _app)

gc.freeze()
gc.enable()
