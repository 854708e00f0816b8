"""Answers every error with ``application/problem+json`` (RFC 9457)."""

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from carboy.errors import BadRequestError, CarboyError, NotFoundError, UnavailableError
from carboy.web.application import Request, current_request

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

API = "/api/"
TEMPLATE = "error.html"
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
MAX_ACCEPT = 1000
"""Characters of Accept that are read; browsers send 200."""

DETAILS = {
    HTTPStatus.BAD_REQUEST: BadRequestError.message,
    HTTPStatus.NOT_FOUND: NotFoundError.message,
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not understand this method.",
    HTTPStatus.REQUEST_TIMEOUT: "The request body did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is larger than this server accepts.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side. Quote the request id when you report it.",
    HTTPStatus.SERVICE_UNAVAILABLE: "This server cannot take the request now. Try again in a moment.",
}
"""Sentences for the errors that Flask raises by itself; its own descriptions speak to people in a browser."""

CODES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "content_too_large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "range_not_satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "unprocessable_content",
    # What Carboy itself answers when it cannot serve.
    HTTPStatus.SERVICE_UNAVAILABLE: UnavailableError.code,
}
"""The codes of those that Python 3.13 has renamed, so that clients get the same from every version."""

TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "Range Not Satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Their names in RFC 9110, for the same reason."""


def init_app(app: Flask) -> None:
    # An application's own error.html comes before that of this blueprint.
    app.register_blueprint(Blueprint("problem_pages", __name__, template_folder="templates"))
    app.register_error_handler(CarboyError, _handle_carboy_error)
    # An unexpected exception reaches this as InternalServerError, once Flask has logged it and told its signal.
    app.register_error_handler(HTTPException, _handle_http_exception)


def _handle_carboy_error(error: CarboyError) -> Response:
    if isinstance(error, UnavailableError) and error.__cause__ is not None:
        # The client is told that it failed, the operator why.
        _log.warning("answering %s: %r", error.code, error.__cause__)
    response = problem(error.status, error.code, str(error), **error.extensions)
    response.headers.update(error.headers)
    return response


def _handle_http_exception(error: HTTPException) -> BaseResponse:
    if error.response is not None or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        # A redirect, or a ready response: leave it as it is.
        return error.get_response()
    status = HTTPStatus(error.code)
    detail = DETAILS.get(status) or error.description or status.description
    response = problem(status, code_of(status), detail)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            # werkzeug lists methods as they come, differently in each process.
            response.headers.add(name, ", ".join(sorted(value.split(", "))) if name == "Allow" else value)
    return response


def wants_page(request: Request) -> bool:
    """Tell whether an error is to be a page: a browser asks for HTML by name, and the API answers JSON always."""
    header = request.environ.get("HTTP_ACCEPT", "")
    if "text/html" not in header or len(header) > MAX_ACCEPT or request.path.startswith(API):
        return False
    return request.accept_mimetypes.best_match([MEDIA_TYPE, "application/json", "text/html"]) == "text/html"


def code_of(status: HTTPStatus) -> str:
    """Return the code of an error that Flask raises by itself."""
    return CODES.get(status, status.name.lower())


def problem_content(status: HTTPStatus, code: str, detail: str, request_id: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": TITLES.get(status, status.phrase),
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }


def problem(status: HTTPStatus, code: str, detail: str, **more: Any) -> Response:
    """Make a problem answer; outside the API, a page of it for who prefers HTML.

    Its type is about:blank, so that its title is the status's phrase (RFC 9457 section 4.2.1); ``code`` tells kinds of
    errors apart.
    """
    request = current_request()
    content = problem_content(status, code, detail, request.id)
    if wants_page(request):
        # Without the application's context processors, as one of them may be what failed.
        page = current_app.jinja_env.get_template(TEMPLATE).render(content)
        response = Response(page, status.value, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    else:
        response = Response(json.dumps(content | more), status.value, content_type=MEDIA_TYPE)
    if not request.path.startswith(API):
        response.vary.add("Accept")
    response.cache_control.no_store = True
    return response
