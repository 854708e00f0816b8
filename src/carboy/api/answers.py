"""Turns what a view returns into a response."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote_plus

from flask import Response
from pydantic import BaseModel, TypeAdapter

from carboy.api.conditions import known_tag
from carboy.api.requests import JSON
from carboy.idempotency.schemas import StoredAnswer
from carboy.schemas.base import Page, PageQuery
from carboy.web.application import JsonResponse, Request

UNQUOTED = "!$%&'()*+,;=:@/?"
"""What may stand in a query as it is, besides letters and digits (RFC 3986 section 3.4)."""

MAX_LINKED = 8000
"""Bytes of a query that links repeat, twice as many as a cursor may have. With a longer one there are no links."""

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Created(Generic[ModelT]):
    """The return value of a view that creates something: 201 with its address.

    Attributes:
        resource: What was created.
        location: Its address, a path.
    """

    resource: ModelT
    location: str


@dataclass(frozen=True, slots=True)
class Issued(Generic[ModelT]):
    """The return value of a view that gives out a secret: 201, kept by no cache.

    It knows no `Idempotency-Key`, as the stored answer would keep the secret.

    Attributes:
        resource: What holds the secret.
    """

    resource: ModelT


Writer = Callable[[Any, Request, dict[str, Any]], Response]
"""Makes an answer of what the view returned, the request, and what the view was given."""


def model_writer(model: Any) -> Writer:
    """Return a writer that answers 200 with a model as JSON, or 304 if the client has it already."""
    to_json = TypeAdapter(model).serializer.to_json

    def write(result: BaseModel, request: Request, _arguments: dict[str, Any]) -> Response:
        version = result.__dict__.get("version")
        if version is None:
            return JsonResponse(to_json(result), 200, content_type=JSON)
        return json_answer(to_json(result), str(version), request)

    return write


def issued_writer(model: Any) -> Writer:
    """Return a writer that answers 201 with what is shown this once."""
    to_json = TypeAdapter(model).serializer.to_json

    def write(result: Issued[Any], _request: Request, _arguments: dict[str, Any]) -> Response:
        response = JsonResponse(to_json(result.resource), 201, content_type=JSON)
        response.cache_control.no_store = True
        return response

    return write


def created_writer(model: Any) -> Callable[[Created[Any]], StoredAnswer]:
    """Return a writer that answers a creation: 201, its address, and its version as ETag.

    The answer is a value that may be stored; `stored_response` turns it into a response.
    """
    to_json = TypeAdapter(model).serializer.to_json

    def write(result: Created[Any]) -> StoredAnswer:
        headers = {"Location": result.location}
        version = result.resource.__dict__.get("version")
        if version is not None:
            headers["ETag"] = f'"{version}"'
        return StoredAnswer(status=201, body=to_json(result.resource).decode(), headers=headers)

    return write


def stored_response(answer: StoredAnswer) -> Response:
    response = JsonResponse(answer.body, answer.status, content_type=JSON)
    response.headers.extend(answer.headers)
    return response


def page_writer(model: Any, query: str | None) -> Writer:
    """Return a writer that answers with a page of a list, sparse on request, and with links to the pages around it.

    Args:
        model: The page's type.
        query: The argument of the view that is the list's query; None if it has none.
    """
    to_json = TypeAdapter(model).serializer.to_json

    def write(result: Page[Any], request: Request, arguments: dict[str, Any]) -> Response:
        asked = arguments.get(query) if query is not None else None
        fields = asked.fields if isinstance(asked, PageQuery) else None
        body = to_json(result, include=_only(fields.split(","))) if fields else to_json(result)
        response = json_answer(body, content_tag(body), request)
        links = _links(result, request)
        if links:
            response.headers.add("Link", links)
        return response

    return write


def _only(fields: list[str]) -> Any:
    around = dict.fromkeys(set(Page.model_fields) - {"items"}, True)
    return around | {"items": {"__all__": set(fields)}}


def _links(page: Page[Any], request: Request) -> str:
    """Return the links to the pages around this one (RFC 8288): relative, as the host is not ours to trust."""
    cursors = {"next": page.next_cursor, "prev": page.previous_cursor}
    if not any(cursors.values()) or len(request.query_string) > MAX_LINKED:
        return ""
    address = quote(f"{request.root_path}{request.path}") + "?"
    # The query as the client spelt it: parsing and rebuilding it would cost more than everything else here.
    parts = request.query_string.decode("latin-1").split("&")
    address += "".join(f"{quote(part, UNQUOTED)}&" for part in parts if part and _name_of(part) != "cursor")
    return ", ".join(
        f'<{address}cursor={cursor}>; rel="{relation}"' for relation, cursor in cursors.items() if cursor is not None
    )


def _name_of(part: str) -> str:
    return unquote_plus(part.partition("=")[0])


def json_answer(body: bytes, tag: str, request: Request) -> Response:
    """Answer 200 with JSON and its tag, or 304 to a client that has it already."""
    known = known_tag(request, tag)
    if known is not None:
        response = without_body(304)
        # The tag that the 200 would have had (RFC 9110 section 15.4.5), in which the coding stands.
        response.headers.add("ETag", f'"{known}"')
        return response
    response = JsonResponse(body, 200, content_type=JSON)
    response.headers.add("ETag", f'"{tag}"')
    return response


def content_tag(body: bytes) -> str:
    """Return the tag of content without a version: a digest. 64 bits suffice, as nothing secret depends on it."""
    return sha256(body).hexdigest()[:16]


def nothing_writer(_result: None, _request: Request, _arguments: dict[str, Any]) -> Response:
    """Answer 204."""
    return without_body(204)


def without_body(status: int) -> Response:
    response = Response(status=status)
    # Flask names a type even for nothing.
    del response.headers["Content-Type"]
    return response
