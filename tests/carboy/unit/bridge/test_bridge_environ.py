import gc
import json
import tracemalloc
from typing import Any

import pytest
from flask import Flask, request, url_for
from support.asgi import ask

from carboy.bridge import FlaskASGI


@pytest.fixture(autouse=True)
def mirror(app: Flask) -> None:
    """Answer any request with what Flask made of it."""

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    async def view(path: str) -> dict[str, Any]:
        return {
            "path": request.path,
            "root": request.root_path,
            "arg": path,
            "query": request.query_string.decode("latin-1"),
            "host": request.host,
            "url": request.url,
            "external": url_for("view", path="x", _external=True),
            "remote": request.remote_addr,
            "port": request.environ.get("REMOTE_PORT"),
            "server": [request.environ["SERVER_NAME"], request.environ["SERVER_PORT"]],
            "protocol": request.environ["SERVER_PROTOCOL"],
            "cookies": request.cookies,
            "headers": dict(request.headers),
        }


async def see(asgi: FlaskASGI, target: str = "/", **changes: Any) -> dict[str, Any]:
    answer = await ask(asgi, target, **changes)
    assert answer.status == 200
    return dict(json.loads(answer.body))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a%20b", "/a b"),
        ("/a%2Fb", "/a/b"),
        ("/100%25", "/100%"),
        ("/a%3Fb", "/a?b"),
        ("/%C3%A4/%E2%82%AC", "/ä/€"),
        ("/a%00b", "/a\0b"),
    ],
)
async def test_a_percent_encoded_path_is_decoded_once(asgi: FlaskASGI, target: str, path: str) -> None:
    assert (await see(asgi, target))["path"] == path


async def test_a_path_without_its_raw_form_is_taken_as_it_is(asgi: FlaskASGI) -> None:
    assert (await see(asgi, path="/ä b%20", raw_path=None))["path"] == "/ä b%20"


async def test_a_path_that_is_not_utf8_keeps_its_bytes(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/raw/<path:path>", "raw", lambda path: request.environ["PATH_INFO"].encode("latin-1").hex())
    assert bytes.fromhex((await ask(asgi, "/raw/%FF%FE")).text) == b"/raw/\xff\xfe"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://example.org/a%20b?q=1", "/a b"),
        ("http://example.org", "/"),
        ("https://example.org:8443/", "/"),
        ("/http://example.org/a", "/http:/example.org/a"),
    ],
)
async def test_an_absolute_target_is_reduced_to_its_path(app: Flask, asgi: FlaskASGI, target: str, path: str) -> None:
    app.url_map.merge_slashes = False
    assert (await see(asgi, target))["path"].replace("//", "/") == path


async def test_the_query_keeps_its_bytes(asgi: FlaskASGI) -> None:
    seen = await see(asgi, query_string=b"a=%C3%A4&b=\xe4&&c")
    assert seen["query"] == "a=%C3%A4&b=\xe4&&c"


@pytest.mark.parametrize("target", ["/api/users", "/users"])
async def test_a_root_path_is_taken_off_if_the_path_has_it(asgi: FlaskASGI, target: str) -> None:
    seen = await see(asgi, target, root_path="/api")
    assert (seen["root"].rstrip("/"), seen["path"]) == ("/api", "/users")
    assert seen["external"] == "http://testserver/api/x"


async def test_the_root_itself_is_the_applications_root(asgi: FlaskASGI) -> None:
    seen = await see(asgi, "/api/", root_path="/api/")
    assert (seen["root"].rstrip("/"), seen["path"]) == ("/api", "/")
    # Flask sends a client that left the last slash away to the address with it.
    assert (await ask(asgi, "/api", root_path="/api")).header("location") == "http://testserver/api/"


async def test_a_path_that_only_looks_like_the_root_is_left_alone(asgi: FlaskASGI) -> None:
    assert (await see(asgi, "/apis", root_path="/api"))["path"] == "/apis"


async def test_a_root_path_beyond_ascii_is_found_in_an_encoded_path(asgi: FlaskASGI) -> None:
    seen = await see(asgi, "/%C3%A4/x", root_path="/ä")
    assert (seen["root"].rstrip("/"), seen["path"]) == ("/ä", "/x")


async def test_header_names_with_an_underscore_are_dropped(asgi: FlaskASGI) -> None:
    headers = [(b"x_user", b"evil"), (b"x-user", b"good"), (b"content_length", b"3")]
    seen = await see(asgi, headers=headers)
    assert seen["headers"] == {"Host": "testserver", "X-User": "good"}


async def test_a_header_sent_twice_is_joined(asgi: FlaskASGI) -> None:
    seen = await see(asgi, headers=[(b"x-tag", b"a"), (b"accept", b"text/html"), (b"x-tag", b"b")])
    assert seen["headers"]["X-Tag"] == "a,b"


async def test_cookies_of_several_headers_are_all_seen(asgi: FlaskASGI) -> None:
    seen = await see(asgi, headers=[(b"cookie", b"a=1; b=2"), (b"cookie", b"c=3")])
    assert seen["cookies"] == {"a": "1", "b": "2", "c": "3"}
    assert seen["headers"]["Cookie"] == "a=1; b=2; c=3"


async def test_a_header_value_beyond_ascii_keeps_its_bytes(asgi: FlaskASGI) -> None:
    assert (await see(asgi, headers=[(b"x-name", b"\xe4")]))["headers"]["X-Name"] == "\xe4"


async def test_ipv6_addresses_are_understood(asgi: FlaskASGI) -> None:
    seen = await see(asgi, server=("::1", 8000), client=("2001:db8::7", 50000))
    assert (seen["remote"], seen["port"], seen["server"]) == ("2001:db8::7", "50000", ["::1", "8000"])


async def test_a_url_without_a_host_header_names_an_ipv6_server_in_brackets(app: Flask, asgi: FlaskASGI) -> None:
    answer = await ask(_without_host(asgi), server=("::1", 8000))
    assert '"host":"[::1]:8000"' in answer.text.replace(" ", "")


def _without_host(asgi: FlaskASGI) -> Any:
    async def call(scope: Any, receive: Any, send: Any) -> None:
        scope["headers"] = []
        await asgi(scope, receive, send)

    return call


@pytest.mark.parametrize("server", [None, ("/run/app.sock", None)])
@pytest.mark.parametrize(("scheme", "port"), [("http", "80"), ("https", "443")])
async def test_a_unix_socket_or_no_server_at_all_has_a_default_port(
    asgi: FlaskASGI, server: Any, scheme: str, port: str
) -> None:
    seen = await see(asgi, server=server, scheme=scheme, client=None)
    assert (seen["server"], seen["remote"], seen["port"]) == (["localhost", port], None, None)
    assert seen["url"] == f"{scheme}://testserver/"


async def test_http2_is_named(asgi: FlaskASGI) -> None:
    assert (await see(asgi, http_version="2"))["protocol"] == "HTTP/2"


async def test_the_asgi_scope_can_be_had_from_the_environ(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/scope/<x>", "scope", lambda x: request.environ["asgi.scope"]["state"]["opened"])
    assert (await ask(asgi, "/scope/x", state={"opened": "by the lifespan"})).text == "by the lifespan"


async def test_a_path_that_asgi_middleware_has_rewritten_is_the_path(asgi: FlaskASGI) -> None:
    assert (await see(asgi, "/v1/a%20b?q=1", path="/a b"))["path"] == "/a b"
    assert (await see(asgi, "/v1/%C3%A4", path="/ä"))["path"] == "/ä"


@pytest.mark.parametrize("target", ["/a%2Fb?q=%20", "/plain", "/%FF"])
async def test_the_environ_has_the_target_as_it_was_sent(app: Flask, asgi: FlaskASGI, target: str) -> None:
    app.add_url_rule(
        "/environ/<path:path>",
        "environ",
        lambda path: [request.environ[key] for key in ("REQUEST_URI", "RAW_URI", "SERVER_SOFTWARE")],
    )
    answer = await ask(asgi, f"/environ{target}")
    assert json.loads(answer.body) == [f"/environ{target}", f"/environ{target}", "carboy"]


async def test_a_target_that_the_server_does_not_tell_is_made_from_the_path(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/uri/<path:path>", "uri", lambda path: request.environ["REQUEST_URI"])
    assert (await ask(asgi, path="/uri/ä b", raw_path=None)).text == "/uri/%C3%A4%20b"


@pytest.mark.parametrize("path", ["/api/users", "/users"])
async def test_a_prefix_may_have_been_stripped_by_the_proxy_or_not(asgi: FlaskASGI, path: str) -> None:
    seen = await see(asgi, path, root_path="/api")
    assert (seen["root"], seen["path"]) == ("/api", "/users")


async def test_long_header_names_are_not_remembered(asgi: FlaskASGI) -> None:
    tracemalloc.start()
    try:
        for number in range(300):
            await ask(asgi, headers=[(f"x-{number:05}".encode() * 10_000, b"x")])
            if number == 20:
                before, _ = tracemalloc.get_traced_memory()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000_000
