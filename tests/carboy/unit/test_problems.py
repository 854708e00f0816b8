"""Every error has one shape, and tells nothing of what is inside."""

import re
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from dependency_injector import providers
from flask import Flask, abort
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, MethodNotAllowed, ServiceUnavailable, Unauthorized

from app.users.services import UserService
from carboy.errors import CarboyError, DatabaseBusyError, DatabaseUnavailableError, all_errors
from carboy.testing import override
from carboy.web import problems
from carboy.web.application import Application
from containers import Container

SECRET = "Zq7-secret-within"


class FailingService(UserService):
    """Fails with what the test has chosen."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    async def list_users(self, query: object) -> Any:
        raise self.failure


@pytest.fixture
def bare() -> Flask:
    """An application with nothing but the error handlers."""
    app = Application("problems", static_folder=None)
    problems.init_app(app)
    return app


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [
        kind.code for kind in all_errors() if kind.__module__.startswith(("app.", "carboy.")) and "code" in vars(kind)
    ]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/users/x", "/api/%00", "/api/%ff", "/nothing"])
async def test_an_unknown_address_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address.",
        "code": "not_found",
        "request_id": answer.headers["X-Request-ID"],
    }


@pytest.mark.parametrize("failure", [DatabaseBusyError(), DatabaseUnavailableError("All connections are in use.")])
async def test_temporary_errors_have_retry_after(
    container: Container, client: httpx.AsyncClient, failure: CarboyError
) -> None:
    with override(container, user_service=providers.Object(FailingService(failure))):
        answer = await client.get("/api/users")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (answer.json()["code"], answer.json()["detail"]) == (failure.code, str(failure))


@pytest.mark.parametrize("failure", [ValueError(SECRET), KeyError(SECRET), AssertionError(SECRET), OSError(5, SECRET)])
async def test_an_unexpected_error_is_answered_without_any_detail(
    container: Container, client: httpx.AsyncClient, failure: Exception
) -> None:
    with override(container, user_service=providers.Object(FailingService(failure))):
        answer = await client.get("/api/users", headers={"X-Request-ID": "mine-1"})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong on our side. Quote the request id when you report it.",
        "code": "internal_server_error",
        "request_id": "mine-1",
    }
    everything = answer.text + str(answer.headers)
    assert SECRET not in everything
    assert type(failure).__name__ not in everything


@pytest.mark.parametrize("failure", [TypeError(SECRET), LookupError(SECRET)])
async def test_the_application_serves_on_after_an_unexpected_error(
    container: Container, client: httpx.AsyncClient, failure: Exception
) -> None:
    with override(container, user_service=providers.Object(FailingService(failure))):
        await client.get("/api/users")
    assert (await client.get("/api/users")).status_code == 200


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 409, 410, 413, 414, 415, 416, 422, 429, 501, 503])
def test_an_error_that_flask_raises_has_the_same_shape(bare: Flask, status: int) -> None:
    bare.add_url_rule("/", "view", lambda: abort(status))
    answer = bare.test_client().get("/")
    content = answer.get_json(force=True)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert (content["status"], content["title"]) == (
        status,
        problems.TITLES.get(HTTPStatus(status), HTTPStatus(status).phrase),
    )
    assert re.fullmatch(r"[a-z_]+", content["code"])
    assert content["detail"].endswith(".")
    assert "<" not in answer.text


def test_codes_and_titles_do_not_change_with_the_version_of_python(bare: Flask) -> None:
    # Python 3.13 has renamed these statuses.
    bare.add_url_rule("/<int:code>", "view", abort)
    client = bare.test_client()
    contents = {status: client.get(f"/{status}").get_json(force=True) for status in (413, 414, 416, 422)}
    assert {status: (content["title"], content["code"]) for status, content in contents.items()} == {
        413: ("Content Too Large", "content_too_large"),
        414: ("URI Too Long", "uri_too_long"),
        416: ("Range Not Satisfiable", "range_not_satisfiable"),
        422: ("Unprocessable Content", "unprocessable_content"),
    }


@pytest.mark.parametrize(
    ("error", "name", "values"),
    [
        (MethodNotAllowed(["GET", "PUT"]), "Allow", ["GET, PUT"]),
        (ServiceUnavailable(retry_after=7), "Retry-After", ["7"]),
        (
            Unauthorized(www_authenticate=[WWWAuthenticate("basic"), WWWAuthenticate("bearer")]),
            "WWW-Authenticate",
            ["Basic", "Bearer"],
        ),
    ],
)
def test_the_headers_of_an_error_are_kept(bare: Flask, error: HTTPException, name: str, values: list[str]) -> None:
    def view() -> str:
        raise error

    bare.add_url_rule("/", "view", view)
    answer = bare.test_client().get("/")
    assert answer.headers.getlist(name) == values
    assert answer.headers.getlist("Content-Type") == ["application/problem+json"]


def test_a_raised_response_is_not_changed(bare: Flask) -> None:
    bare.add_url_rule("/made", "made", lambda: abort(bare.response_class("made", 409)))
    bare.add_url_rule("/branch/", "branch", lambda: "")
    assert bare.test_client().get("/made").text == "made"
    answer = bare.test_client().get("/branch")
    assert (answer.status_code, answer.headers["Location"]) == (308, "http://localhost/branch/")
