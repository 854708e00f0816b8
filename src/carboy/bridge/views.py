"""Tells where a request will live, before any line of the application has run: by the view that its URL names."""

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
"""Those for which it is remembered what a view is: a client may send any, and some routes take it."""


@dataclass(eq=False, slots=True)
class Match:
    """A route that a request's URL has been found to name."""

    adapter: MapAdapter
    path: str
    method: str
    rule: Rule
    arguments: Mapping[str, Any]


class _MatchedAdapter(MapAdapter):
    """An adapter that has matched already."""

    found: tuple[Rule, Mapping[str, Any]]

    def match(self, *args: Any, **kwargs: Any) -> Any:
        return self.found if not args and kwargs == {"return_rule": True} else super().match(*args, **kwargs)


class Views:
    """Finds the view of a request as Flask will, and tells whether it is async.

    Args:
        app: The application.
        run_on: "auto": a request lives where its view belongs, but on a worker if WSGI middleware surrounds the
            application, as that may block; "view": as its view says all the same; "worker": always on a worker.
    """

    def __init__(self, app: Flask, run_on: RunOn) -> None:
        self._app = app
        self._run_on = run_on
        self._map: Map | None = None
        self._adapter: MapAdapter | None = None
        self._kinds: dict[tuple[str, str], tuple[View, bool]] = {}

    def find_async(self, environ: dict[str, Any]) -> Match | None:
        """Return the route of a request that may live on the loop, None for one that needs a worker."""
        if self._run_on == "worker" or (self._run_on == "auto" and self._is_surrounded()):
            return None
        try:
            method, path = environ["REQUEST_METHOD"], path_of(environ)
            adapter = self._adapter_for(environ)
            rule, arguments = adapter.match(path, method, return_rule=True)
        except Exception:  # noqa: BLE001 - no view, or a converter that wants more than a URL: Flask will say so.
            return None
        return Match(adapter, path, method, rule, arguments) if self.is_async(rule.endpoint, method) else None

    def hand_over(self, match: Match, adapter: MapAdapter) -> bool:
        """Let Flask have a match that it would find again, as matching is a tenth of a small request.

        Returns:
            Whether it would: it looks for the same URL in the same map, which another application's is not, nor one
            whose converters have yet to convert.
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
        # A copy, as a request that is refused after all goes through Flask a second time.
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
        """Tell whether WSGI middleware has been put around this application (``app.wsgi_app = ...``, or a subclass's).

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
            # A copy, as it may be one that the application keeps.
            adapter = copy(self._app.create_url_adapter(self._app.request_class(environ)))
            assert adapter is not None  # noqa: S101 - only outside a request there is none.
            adapter.map = self._map
            return adapter
        if self._adapter is None:
            self._adapter = self._map.bind("localhost")
        return self._adapter


def _without_conversion(urls: Map) -> Map:
    """Return a map whose converters of the application's own match as they do, but convert nothing.

    They may look into a database: once is enough, and not on the event loop.
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
    """Tell whether a function is async, or a decorator such as Flask-Login's around one that is.

    An async generator function counts, whose call does nothing yet. An object that is no function, such as asgiref's
    AsyncToSync, waits in a way of its own.
    """
    original = inspect.unwrap(function) if isinstance(function, FunctionType) else function
    return inspect.iscoroutinefunction(original) or inspect.isasyncgenfunction(original)
