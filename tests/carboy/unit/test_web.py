"""Carboy's own Flask classes behave as Flask's do, except where they are meant not to."""

from typing import Any

import flask
import pytest
from flask import request, url_for
from support.asgi import ask

from carboy.bridge import FlaskASGI
from carboy.web.application import Application, JsonResponse

HOSTS: list[dict[str, str]] = [
    {},
    {"HTTP_HOST": "example.org"},
    {"HTTP_HOST": "Example.ORG:8000"},
    {"HTTP_HOST": "example.org:80"},
    {"HTTP_HOST": "[::1]:8000"},
    {"HTTP_HOST": "bücher.example"},
    {"HTTP_HOST": "a b"},
    {"HTTP_HOST": ""},
    {"SERVER_NAME": "198.51.100.7", "SERVER_PORT": "8080"},
    {"SCRIPT_NAME": "/mounted"},
    {"SCRIPT_NAME": "/mounted/", "HTTP_HOST": "example.org:443", "wsgi.url_scheme": "https"},
    {"QUERY_STRING": "a=%C3%A9&b=\xc3\xa9"},
]
PATHS = ["/things/7", "/things/x", "/th\u00efngs/", "/slashed", "/", "", "//things//7"]


def both() -> list[flask.Flask]:
    return [_with_views(flask.Flask("same")), _with_views(Application("same"))]


def _with_views(app: flask.Flask) -> flask.Flask:
    app.url_map.merge_slashes = False

    @app.get("/things/<int:number>")
    def thing(number: int) -> dict[str, Any]:
        inside, outside = url_for("thing", number=number + 1), url_for("thing", number=1, _external=True)
        return {"host": request.host, "url": request.url, "root": request.url_root, "urls": [inside, outside]}

    @app.get("/slashed/")
    def slashed() -> str:
        return request.base_url

    return app


@pytest.mark.parametrize("environ", HOSTS)
@pytest.mark.parametrize("path", PATHS)
def test_a_request_is_routed_as_flask_routes_it(environ: dict[str, str], path: str) -> None:
    answers = [app.test_client().get(path, environ_overrides=environ) for app in both()]
    assert [answer.status for answer in answers] == [answers[0].status] * 2
    assert answers[0].headers.get("Location") == answers[1].headers.get("Location")
    assert answers[0].data == answers[1].data


@pytest.mark.parametrize("config", [{"SERVER_NAME": "example.org"}, {"TRUSTED_HOSTS": ["example.org", ".example.net"]}])
@pytest.mark.parametrize("host", ["example.org", "www.example.net", "evil.example"])
def test_configured_hosts_are_respected_as_flask_respects_them(config: dict[str, Any], host: str) -> None:
    applications = both()
    for app in applications:
        app.config.update(config)
    answers = [app.test_client().get("/things/7", headers={"Host": host}) for app in applications for _ in range(2)]
    assert {(answer.status, answer.data) for answer in answers} == {(answers[0].status, answers[0].data)}


@pytest.mark.parametrize(
    "options", [{"host_matching": True, "static_host": "static.example"}, {"subdomain_matching": True}]
)
def test_routing_by_host_or_subdomain_works_as_in_flask(options: dict[str, Any]) -> None:
    answers = []
    for kind in (flask.Flask, Application):
        app = kind("same", **options)
        app.config["SERVER_NAME"] = "example.org"
        place: dict[str, Any] = {"host": "api.example.org"} if "host_matching" in options else {"subdomain": "api"}
        app.add_url_rule("/", view_func=lambda: "found", **place)
        answers += [
            app.test_client().get("/", headers={"Host": host}).status for host in ("api.example.org", "x.example.org")
        ]
    assert answers[:2] == answers[2:]
    assert answers[0] == "200 OK"


BODIES: list[dict[str, Any]] = [
    {},
    {"wsgi.input_terminated": True},
    {"CONTENT_LENGTH": "3"},
    {"CONTENT_LENGTH": ""},
    {"CONTENT_LENGTH": "\xb2"},
    {"CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    {"CONTENT_LENGTH": "-1", "wsgi.input_terminated": True},
]


@pytest.mark.parametrize("environ", BODIES)
@pytest.mark.parametrize("limit", [None, 9, 10])
def test_a_body_is_read_and_limited_as_flask_does_it(environ: dict[str, Any], limit: int | None) -> None:
    answers = []
    for app in (flask.Flask("same"), Application("same")):
        app.config["MAX_CONTENT_LENGTH"] = limit

        @app.post("/")
        def view() -> bytes:
            return request.get_data()

        answers.append(app.test_client().post("/", data=b"ten letter", environ_overrides=environ))
    assert (answers[0].status, answers[0].data) == (answers[1].status, answers[1].data)


@pytest.mark.parametrize(("limit", "status"), [(2, 413), (3, 200), (4, 200)])
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")], [(b"transfer-encoding", b"chunked")]])
async def test_a_view_may_lower_the_limit_of_its_body(
    limit: int, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    app = Application("limited")

    @app.post("/")
    def view() -> bytes:
        request.max_content_length = limit
        return request.get_data()

    answer = await ask(FlaskASGI(app), "/", method="POST", headers=headers, chunks=[b"t", b"en"])
    assert answer.status == status
    assert status == 413 or answer.text == "ten"


def test_hooks_may_change_a_json_answer() -> None:
    app = Application("hooked")

    @app.get("/")
    def view() -> JsonResponse:
        return JsonResponse('{"a": 1}')

    @app.after_request
    def change(response: flask.Response) -> flask.Response:
        response.headers["X-More"] = "yes"
        response.set_data('{"a": 1, "b": 2}')
        return response

    answer = app.test_client().get("/")
    assert (answer.json, answer.headers["X-More"]) == ({"a": 1, "b": 2}, "yes")
    assert (answer.content_type, answer.content_length) == ("application/json", 16)
    head = app.test_client().head("/")
    assert (head.data, head.content_length) == (b"", 16)


def test_callbacks_of_a_json_answer_are_called_once_it_is_sent() -> None:
    app = Application("closing")
    called: list[str] = []

    @app.get("/")
    def view() -> JsonResponse:
        response = JsonResponse('{"a": 1}')
        response.call_on_close(lambda: called.append("closed"))
        return response

    answer = app.test_client().get("/")
    assert answer.json == {"a": 1}
    answer.close()
    assert called == ["closed"]


@pytest.mark.parametrize(("fields", "status"), [(1000, 200), (1001, 413), (300_000, 413)])
def test_a_form_has_at_most_as_many_fields_as_flask_allows_in_multipart(fields: int, status: int) -> None:
    app = Application("forms")

    @app.post("/")
    def view() -> str:
        return str(len(request.form.getlist("a")))

    content_type = "application/x-www-form-urlencoded"
    answer = app.test_client().post("/", data="&".join(["a="] * fields), content_type=content_type)
    assert answer.status_code == status
    assert status == 413 or answer.text == str(fields)


def test_json_that_is_nested_too_deeply_is_a_bad_request_also_in_flasks_own_reader() -> None:
    app = Application("nested")

    @app.post("/")
    def view() -> str:
        return str(request.get_json())

    answer = app.test_client().post("/", data="[" * 100_000, content_type="application/json")
    assert answer.status_code == 400


def test_without_a_secret_key_a_session_is_empty_and_refuses_to_be_written() -> None:
    app = Application("shop")
    with app.test_request_context("/"):
        assert dict(flask.session) == {}
        with pytest.raises(RuntimeError, match="no secret key"):
            flask.session["user"] = 7
    with app.test_request_context("/"):
        assert dict(flask.session) == {}


def test_with_a_secret_key_each_client_has_its_own_session() -> None:
    app = Application("shop")
    app.secret_key = "as long as it has to be"

    @app.get("/<name>")
    def remember(name: str) -> str:
        before = flask.session.get("name", "nobody")
        flask.session["name"] = name
        return str(before)

    ada, bob = app.test_client(), app.test_client()
    assert [client.get(f"/{name}").text for client, name in ((ada, "ada"), (bob, "bob"), (ada, "eve"))] == [
        "nobody",
        "nobody",
        "ada",
    ]
