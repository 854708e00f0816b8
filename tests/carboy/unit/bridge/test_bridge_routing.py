"""A request is routed as Flask routes it, whatever the application has changed of that."""

import threading
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask, Request
from support.asgi import ask
from werkzeug.routing import BaseConverter, MapAdapter, Rule

from carboy.bridge import FlaskASGI


@pytest.mark.parametrize("trusted", [["testserver"], ["other.example"], []])
@pytest.mark.parametrize("by_config", [True, False])
async def test_a_host_that_is_not_trusted_is_400_whoever_says_so(
    app: Flask, asgi: FlaskASGI, trusted: list[str], *, by_config: bool
) -> None:
    class OwnRequest(Request):
        trusted_hosts = None if by_config else trusted

    app.request_class = OwnRequest
    if by_config:
        app.config["TRUSTED_HOSTS"] = trusted

    @app.get("/")
    async def view() -> str:
        return "view"

    # An empty list is none, as under WSGI.
    assert (await ask(asgi)).status == (400 if trusted == ["other.example"] else 200)


async def test_a_subdomain_that_the_application_works_out_by_itself_decides() -> None:
    class Tenants(Flask):
        def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
            if request is None:
                return super().create_url_adapter(None)
            return self.url_map.bind_to_environ(request.environ, subdomain="tenant")

    app = Tenants("tenants")

    @app.get("/")
    async def root() -> str:
        return "root"

    @app.get("/", subdomain="tenant")
    def tenant() -> str:
        return threading.current_thread().name

    assert (await ask(FlaskASGI(app))).text == "carboy-worker"


@pytest.mark.parametrize("by_host", [True, False])
async def test_a_converter_runs_once_and_where_the_request_lives_with_routes_by_host_too(*, by_host: bool) -> None:
    app = Flask("by_host", static_folder=None, host_matching=by_host, subdomain_matching=not by_host)
    app.config["SERVER_NAME"] = "server" if by_host else "testserver"
    host: dict[str, Any] = {"host": "testserver"} if by_host else {}
    threads: list[str] = []

    class Recording(BaseConverter):
        def to_python(self, value: str) -> str:
            threads.append(threading.current_thread().name)
            return value

    app.url_map.converters["recording"] = Recording
    app.add_url_rule("/sync/<recording:name>", "sync", lambda name: name, **host)

    @app.get("/async/<recording:name>", **host)
    async def view(name: str) -> str:
        return f"{name} {threading.current_thread().name}"

    asgi = FlaskASGI(app)
    assert (await ask(asgi, "/sync/x")).text == "x"
    assert (await ask(asgi, "/async/x")).text == "x MainThread"
    assert threads == ["carboy-worker", "MainThread"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("inner", ["sync", "async"])
@pytest.mark.parametrize("outer", ["sync", "async", "async code of sync"])
async def test_a_view_may_ask_its_own_application_by_the_test_client(
    app: Flask, outer: str, inner: str, threads: int
) -> None:
    async def async_inner() -> str:
        return "inner"

    def sync_outer() -> str:
        return f"outer {app.test_client().get('/inner').text}"

    async def async_outer() -> str:
        return sync_outer()

    app.add_url_rule("/inner", "inner", async_inner if inner == "async" else lambda: "inner")
    asgi = FlaskASGI(app, threads=threads)
    views: dict[str, Any] = {
        "sync": sync_outer,
        "async": async_outer,
        "async code of sync": app.ensure_sync(async_outer),
    }
    app.add_url_rule("/", "outer", views[outer])
    assert (await ask(asgi)).text == "outer inner"


async def test_a_view_may_ask_another_application_for_the_same_path(app: Flask, asgi: FlaskASGI) -> None:
    other = Flask("other")
    served_too = FlaskASGI(other)

    @other.get("/")
    async def others() -> str:
        return "other"

    @app.get("/")
    async def view() -> str:
        return f"this and {other.test_client().get('/').text}"

    assert (await ask(served_too)).text == "other"
    assert (await ask(asgi)).text == "this and other"


async def test_a_view_may_be_replaced_by_a_mock(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/", "view")
    app.view_functions["view"] = Mock(return_value="mock")
    assert (await ask(asgi)).text == "mock"


async def test_methods_that_clients_make_up_are_not_remembered(app: Flask, asgi: FlaskASGI) -> None:
    app.url_map.add(Rule("/", endpoint="view"))
    app.endpoint("view")(lambda: "view")
    for number in range(20):
        assert (await ask(asgi, method=f"METHOD{number}")).text == "view"
    assert len(asgi._views._kinds) == 0  # noqa: SLF001 - nothing else tells.
