"""Decides by a request's view, before the application runs, whether it runs on the event loop or on a worker."""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal, cast

from flask import Flask
from flask.views import MethodView
from flask.views import View as BaseView
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule
from werkzeug.routing.converters import DEFAULT_CONVERTERS

from carboy.bridge.urls import path_of

View = Callable[..., Any]
RunOn = Literal["auto", "view", "worker"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
"""Methods for which the answer is cached. Clients may send any other, and the cache must not grow without end."""


@dataclass(eq=False, slots=True)
class Match:
    """The route that a request's URL matches."""

    adapter: MapAdapter
    path: str
    method: str
    rule: Rule
    arguments: Mapping[str, Any]


class _MatchedAdapter(MapAdapter):
    """A URL adapter that returns a match found earlier."""

    found: tuple[Rule, Mapping[str, Any]]

    def match(self, *args: Any, **kwargs: Any) -> Any:
        return self.found if not args and kwargs == {"return_rule": True} else super().match(*args, **kwargs)


class Views:
    """Finds the view of a request as Flask will, and tells whether it is async.

    Args:
        app: The application.
        run_on: "auto": async views run on the loop, sync views on a worker; if WSGI middleware surrounds the
            application, which may block, all run on a worker. "view": the same, whatever surrounds the application.
            "worker": all run on a worker.
    """

    def __init__(self, app: Flask, run_on: RunOn) -> None:
        self._app = app
        self._run_on = run_on
        self._map: Map | None = None
        self._adapter: MapAdapter | None = None
        self._kinds: dict[tuple[str, str], tuple[View, bool]] = {}

    def find_async(self, environ: dict[str, Any]) -> Match | None:
        """Return the route of a request that can run on the loop, None for one that needs a worker."""
        if self._run_on == "worker" or (self._run_on == "auto" and self._is_surrounded()):
            return None
        try:
            method, path = environ["REQUEST_METHOD"], path_of(environ)
            adapter = self._adapter_for(environ)
            rule, arguments = adapter.match(path, method, return_rule=True)
        except Exception:  # noqa: BLE001 - no view, or a converter that needs more than a URL: Flask reports it.
            return None
        return Match(adapter, path, method, rule, arguments) if self.is_async(rule.endpoint, method) else None

    def hand_over(self, match: Match, adapter: MapAdapter) -> bool:
        """Give Flask's adapter the match, so that Flask does not match again: that takes a tenth of a small request.

        Returns:
            Whether it was given. It is not if Flask would match another URL, or in another map: that of another
            application, or the original of a map without conversion.
        """
        if (
            adapter.path_info != match.path
            or adapter.default_method != match.method
            or adapter.map is not match.rule.map
            or type(adapter) is not MapAdapter
            or adapter.subdomain != match.adapter.subdomain
            or (adapter.map.host_matching and adapter.server_name != match.adapter.server_name)
        ):
            return False
        adapter.__class__ = _MatchedAdapter
        # A copy, because a request that is refused later goes through Flask a second time.
        cast("_MatchedAdapter", adapter).found = match.rule, dict(match.arguments)
        return True

    def is_async(self, endpoint: str | None, method: str) -> bool:
        """Tell whether an endpoint's view is async for a method."""
        view = self._app.view_functions.get(endpoint) if endpoint is not None else None
        if endpoint is None or view is None:
            return False
        known = self._kinds.get((endpoint, method))
        if known is not None and known[0] is view:
            return known[1]
        is_async = _is_async(view, method)
        if method in METHODS:
            self._kinds[endpoint, method] = view, is_async
        return is_async

    def _is_surrounded(self) -> bool:
        """Tell whether WSGI middleware surrounds this application (``app.wsgi_app = ...``, or a subclass overrides it).

        Werkzeug's `ProxyFix` does not count: it only edits the environ.
        """
        if type(self._app).wsgi_app is not Flask.wsgi_app:
            return True
        wsgi_app = self._app.__dict__.get("wsgi_app")
        if wsgi_app is None:
            return False
        while type(wsgi_app) is ProxyFix:
            wsgi_app = wsgi_app.app
        return getattr(wsgi_app, "__self__", None) is not self._app

    def _adapter_for(self, environ: dict[str, Any]) -> MapAdapter:
        if self._map is None:
            self._map = _without_conversion(self._app.url_map)
        if self._app.subdomain_matching or self._app.url_map.host_matching:
            # A copy, because the application may keep its adapter.
            adapter = copy(self._app.create_url_adapter(self._app.request_class(environ)))
            assert adapter is not None  # noqa: S101 - there is none only outside a request.
            adapter.map = self._map
            return adapter
        if self._adapter is None:
            self._adapter = self._map.bind("localhost")
        return self._adapter


def _without_conversion(urls: Map) -> Map:
    """Return a map in which the application's own converters match, but do not convert.

    They may query a database, which must happen only once, and not on the event loop.
    """
    own = {name: kind for name, kind in urls.converters.items() if DEFAULT_CONVERTERS.get(name) is not kind}
    if not own:
        return urls
    return Map(
        [rule.empty() for rule in urls.iter_rules()],
        default_subdomain=urls.default_subdomain,
        host_matching=urls.host_matching,
        strict_slashes=urls.strict_slashes,
        merge_slashes=urls.merge_slashes,
        redirect_defaults=urls.redirect_defaults,
        converters={name: _matching_only(kind) for name, kind in own.items()},
    )


def _matching_only(kind: type[BaseConverter]) -> type[BaseConverter]:
    return type(kind.__name__, (kind,), {"to_python": lambda _self, value: value})


def _is_async(view: View, method: str) -> bool:
    view_class = getattr(view, "view_class", None)
    if not (isinstance(view_class, type) and issubclass(view_class, BaseView)):
        return _leads_to_async(view)
    if not issubclass(view_class, MethodView) or inspect.iscoroutinefunction(view_class.dispatch_request):
        return _leads_to_async(view_class.dispatch_request)
    handler = getattr(view_class, method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(view_class, "get", None)
    return handler is not None and _leads_to_async(handler)


def _leads_to_async(function: View) -> bool:
    """Tell whether a function is async, or wraps one that is, as decorators such as Flask-Login's do.

    Async generator functions count, because calling one does not block. Callables that are not functions, such as
    asgiref's AsyncToSync, do not count, because they run the coroutine themselves.
    """
    original = inspect.unwrap(function) if isinstance(function, FunctionType) else function
    return inspect.iscoroutinefunction(original) or inspect.isasyncgenfunction(original)
