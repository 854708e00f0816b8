"""Decides where each function that Flask calls runs: on the event loop, or in a worker thread."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial, wraps
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask, has_request_context, request
from flask.views import MethodView, View

from carboy.bridge.greenlets import in_bridge, refuses_body
from carboy.bridge.loops import Loops
from carboy.bridge.streaming import adapt_result

Function = Callable[..., Any]


@dataclass(frozen=True)
class _Kind:
    """What a function is, found out once, as Flask asks for the same few in each request.

    It holds the function only if that is a view, which lives as long as the application: others come and go.
    """

    is_async: bool
    view: Function | None


class Dispatch:
    """Takes the place of `Flask.ensure_sync` and `Flask.async_to_sync`, the documented seams for this."""

    def __init__(self, app: Flask, loops: Loops) -> None:
        self._app = app
        self._loops = loops
        self._kinds: WeakKeyDictionary[FunctionType, _Kind] = WeakKeyDictionary()

    def install(self) -> None:
        """Replace both methods on this one application, whatever its class is."""
        self._app.async_to_sync = self.async_to_sync  # type: ignore[method-assign]
        self._app.ensure_sync = self.ensure_sync  # type: ignore[method-assign]

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Function:
        """Make an async function callable from synchronous code; see `Loops.wait_for`."""

        @wraps(func)
        def wait(*args: Any, **kwargs: Any) -> Any:
            return self._loops.wait_for(func(*args, **kwargs))

        return wait

    def ensure_sync(self, func: Function) -> Function:
        """Return what Flask may call in place of a view, hook, error handler, teardown function or signal receiver.

        Flask asks for each of them through this one method. A view is told apart by being the one that the request's
        endpoint names, or a method of a class-based view.
        """
        kind = self._kind_of(func)
        if kind.view is not None and has_request_context() and (_is_view_method(func) or self._is_current_view(func)):
            return _refuse_body if refuses_body() else kind.view
        return self.async_to_sync(func) if kind.is_async else func

    def _kind_of(self, func: Function) -> _Kind:
        if not isinstance(func, FunctionType):
            return self._find_kind(func)
        kind = self._kinds.get(func)
        if kind is None:
            kind = self._find_kind(func)
            # Until the first request, a function may still become a view.
            if has_request_context():
                self._kinds[func] = kind
        return kind

    def _find_kind(self, func: Function) -> _Kind:
        is_view = _is_view_method(func) or any(func is view for view in self._app.view_functions.values())
        return _Kind(inspect.iscoroutinefunction(func), self._view(func) if is_view else None)

    def _is_current_view(self, function: Function) -> bool:
        endpoint = request.endpoint
        return endpoint is not None and self._app.view_functions.get(endpoint) is function

    def _view(self, function: Function) -> Function:
        if inspect.iscoroutinefunction(function):
            call = self.async_to_sync(function)
        elif _calls_an_async_view(function):
            call = function
        else:
            call = self._in_thread(function)

        def view(*args: Any, **kwargs: Any) -> Any:
            return adapt_result(call(*args, **kwargs), self._loops)

        return view

    def _in_thread(self, function: Function) -> Function:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not in_bridge():
                return function(*args, **kwargs)
            return self._loops.wait_for(self._loops.run_in_thread(partial(function, *args, **kwargs)))

        return call


def _refuse_body(*_args: object, **_kwargs: object) -> None:
    # Reading it raises the answer.
    request.environ["wsgi.input"].read()


def _is_view_method(function: Function) -> bool:
    return isinstance(getattr(function, "__self__", None), View)


def _calls_an_async_view(function: Function) -> bool:
    """Tell whether a sync function only leads to what `ensure_sync` will be asked for next, or makes no step at all.

    Such a function stays on the loop as hooks do: a thread would be held for as long as the async view takes. It is
    the function behind a class-based view, a decorator such as Flask-Login's around an async view, or an async
    generator function, whose call does nothing yet.
    """
    if hasattr(function, "view_class") or getattr(function, "__func__", None) is MethodView.dispatch_request:
        return True
    # An object that is no function, such as asgiref's AsyncToSync, waits in a way of its own, which needs a thread.
    original = inspect.unwrap(function) if isinstance(function, FunctionType) else function
    return inspect.iscoroutinefunction(original) or inspect.isasyncgenfunction(original)
