"""Replaces the methods of a Flask application that decide how its functions run."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial, wraps
from inspect import CO_COROUTINE, iscoroutinefunction
from types import FunctionType
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from carboy.bridge import exchange
from carboy.bridge.exchange import Exchange
from carboy.bridge.greenlets import await_here, current_context, in_bridge, tame
from carboy.bridge.loop_iterator import LoopIterator
from carboy.bridge.loops import Loops, adopt_asgiref
from carboy.bridge.streaming import adapt_body, end_with_client
from carboy.bridge.urls import UrlBinding
from carboy.bridge.views import Views

Function = Callable[..., Any]


class Dispatch:
    """Replaces methods of one application, whatever its class is.

    `ensure_sync` and `async_to_sync` are Flask's seams for async functions; the others are documented to be overridden.
    Flask 3.2 passes some of them its context first, which they pass on.
    """

    def __init__(self, app: Flask, loops: Loops, views: Views) -> None:
        self._app = app
        self._loops = loops
        self._views = views
        self._urls = UrlBinding(app)
        self._create_url_adapter: Callable[..., MapAdapter | None] = _replaced(app, "create_url_adapter")
        self._binds_as_flask = getattr(self._create_url_adapter, "__func__", None) is Flask.create_url_adapter
        self._make_response: Callable[..., Response] = _replaced(app, "make_response")
        self._process_response: Callable[..., Response] = _replaced(app, "process_response")
        self._dispatch_request = _replaced(app, "dispatch_request")
        self._full_dispatch_request = _replaced(app, "full_dispatch_request")

    def install(self) -> None:
        adopt_asgiref()
        for name in (
            "async_to_sync",
            "create_url_adapter",
            "dispatch_request",
            "ensure_sync",
            "full_dispatch_request",
            "make_response",
            "process_response",
        ):
            setattr(self._app, name, getattr(self, name))

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Function:
        """Make an async function callable from synchronous code; see `Loops.wait_for`."""
        wait_for = self._loops.wait_for

        @wraps(func)
        def wait(*args: Any, **kwargs: Any) -> Any:
            return wait_for(func(*args, **kwargs))

        return wait

    def ensure_sync(self, func: Function) -> Function:
        """Return what Flask may call in place of a view, hook, error handler, teardown function or signal receiver."""
        if type(func) is FunctionType:
            # What inspect would say in the end, asked for each function in each request.
            if func.__code__.co_flags & CO_COROUTINE:
                return _Waiting(self._wait_for_call, func)
            if not func.__dict__:
                return func
        return _Waiting(self._wait_for_call, func) if iscoroutinefunction(func) else func

    def _wait_for_call(self, func: Function, *args: Any, **kwargs: Any) -> Any:
        # What `Loops.wait_for` would do too, a little later.
        return await_here(func(*args, **kwargs)) if in_bridge() else self._loops.wait_for(func(*args, **kwargs))

    def full_dispatch_request(self, *args: Any) -> Any:
        """Do as Flask does, on a worker if need be, and let nothing that a view raises end more than its request."""
        here = exchange.current.get()
        try:
            if here is not None and not here.is_sure and in_bridge() and self._has_strayed(here):
                return await_here(self._run_on_worker(here, *args))
            return self._full_dispatch_request(*args)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            raise RuntimeError("The application awaited a task that was cancelled.") from error
        except Exception:
            raise
        except BaseException as error:
            if here is None:
                raise
            raise tame(error) from error

    def _has_strayed(self, here: Exchange) -> bool:
        """Tell whether a request has come to the loop for another view than Flask has found, as its URL was changed."""
        endpoint = request.endpoint
        if here.match is not None and endpoint == here.match.rule.endpoint:
            return False
        return not self._views.is_async(endpoint, request.method)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes as Flask does, and hand over the match by which it was decided where the request lives."""
        if request is None:
            return self._create_url_adapter(None)
        if self._binds_as_flask and not self._urls.is_by_host():
            adapter: MapAdapter | None = self._urls.bind(request)
        else:
            adapter = self._create_url_adapter(request)
        here = exchange.current.get()
        if adapter is not None and here is not None and here.match is not None:
            here.is_sure = self._views.hand_over(here.match, adapter)
        return adapter

    async def _run_on_worker(self, here: Exchange, *args: Any) -> Any:
        workers = self._loops.workers
        # One that lives on a worker, and asks another view by way of async code, has a slot already, and its own thread
        # in its context.
        is_on_loop = here.match is not None
        context = current_context() if is_on_loop else copy_context()
        async with workers.slots if is_on_loop else nullcontext():
            worker = workers.take()
            try:
                return await worker.submit(context, self._full_dispatch_request, *args)
            finally:
                workers.give_back(worker)

    def dispatch_request(self, *args: Any) -> Any:
        """Call the view, unless the request is refused: its hooks have run, and its error handlers will."""
        here = exchange.current.get()
        refusal = here.refusal if here is not None else None
        # What hooks ask by the test client is a request of its own, which no server has made.
        if refusal is not None and request.routing_exception is None and "asgi.scope" in request.environ:
            raise refusal
        return self._dispatch_request(*args)

    def make_response(self, rv: Any) -> Response:
        """Accept an async iterator too, wherever a response may be returned."""
        if isinstance(rv, HTTPException):
            # Flask would call it as a WSGI application, whose body might be anything.
            rv = rv.get_response(request.environ)
        body = rv[0] if isinstance(rv, tuple) and rv else rv
        if hasattr(type(body), "__aiter__"):
            body = LoopIterator(body, self._loops.wait_for)
            rv = (body, *rv[1:]) if isinstance(rv, tuple) else body
        response = self._make_response(rv)
        if type(response.response) is not list:
            adapt_body(response, self._loops)
        return response

    def process_response(self, *args: Any) -> Response:
        """Adapt the final body, which an ``after_request`` function may have replaced."""
        response = self._process_response(*args)
        here = exchange.current.get()
        if type(response.response) is not list:
            adapt_body(response, self._loops)
            if here is not None:
                end_with_client(response, here.client)
        if here is not None:
            here.body_is_adapted = in_bridge()
        return response


def _replaced(app: Flask, name: str) -> Any:
    """Return the application's own method, also when another bridge has replaced it: tests share an application."""
    method = getattr(app, name)
    bridge = getattr(method, "__self__", None)
    return getattr(bridge, f"_{name}") if isinstance(bridge, Dispatch) else method


class _Waiting(partial[Any]):
    """A partial function that is a method where it stands in a class, as what asgiref makes is."""

    def __get__(self, instance: object, _owner: type | None = None) -> Function:
        return self if instance is None else partial(self, instance)


def _is_being_cancelled() -> bool:
    """Tell whether this request itself is cancelled, as it is when the server's loop is torn down."""
    task = asyncio.current_task() if in_bridge() else None
    return task is not None and task.cancelling() > 0
