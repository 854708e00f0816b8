"""Runs any Flask application on the event loop of an ASGI server.

Flask's dispatch is synchronous: to call an ``async def`` view it must wait for it. The bridge lets it wait without
blocking, by running `Flask.wsgi_app` in a greenlet on the event loop's thread. When Flask calls something
asynchronous, the greenlet steps aside and the loop serves other requests until the result is there::

    app = FlaskASGI(flask_app)

This package knows nothing of carboy and can be lifted out of it.
"""

from carboy.bridge.asgi import FlaskASGI, Lifespan
from carboy.bridge.streaming import sync_iterator

__all__ = ["FlaskASGI", "Lifespan", "sync_iterator"]
