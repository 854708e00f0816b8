"""Runs any Flask application on the event loop of an ASGI server.

Flask's dispatch is synchronous: to call an ``async def`` view it must wait for it. The bridge lets it wait without
blocking, by calling the application in a greenlet on the event loop's thread. When Flask calls something asynchronous,
the greenlet steps aside and the loop serves other requests until the result is there. A request whose view is sync may
block: it runs on a worker thread, from its first hook to its last::

    app = FlaskASGI(flask_app)

This package knows nothing of carboy and can be lifted out of it.
"""

from carboy.bridge.asgi import FlaskASGI, Lifespan
from carboy.bridge.streaming import sync_iterator
from carboy.bridge.views import RunOn

__all__ = ["FlaskASGI", "Lifespan", "RunOn", "sync_iterator"]
