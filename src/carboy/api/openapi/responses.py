"""The responses of an operation, for the document."""

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from carboy import errors
from carboy.api.openapi.components import Components
from carboy.api.openapi.schemas import Json, Models
from carboy.api.operation import Operation
from carboy.api.requests import JSON
from carboy.errors import CarboyError
from carboy.idempotency.errors import (
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
    InvalidIdempotencyKeyError,
)
from carboy.limits.errors import LimitsUnavailableError, RateLimitedError
from carboy.limits.schemas import Limit
from carboy.schemas.base import PageQuery
from carboy.security.errors import (
    ForbiddenError,
    InsufficientScopeError,
    InvalidTokenError,
    UnauthenticatedError,
)
from carboy.web.problems import DETAILS, MEDIA_TYPE, code_of, problem_content


class Failure(NamedTuple):
    """A problem that an answer may be."""

    status: HTTPStatus
    code: str
    detail: str
    retry_after: int | None = None


HEADERS: Json = {
    "ETag": {
        "description": "The version of what was answered, for If-Match and If-None-Match.",
        "schema": {"type": "string"},
    },
    "Link": {"description": "The pages around this one (RFC 8288).", "schema": {"type": "string"}},
    "Location": {"description": "The address of what was created.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` if this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RateLimit": {
        "description": "Of each limit, how often it may still be done (r), and in how many seconds it begins anew (t).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Of each limit, how often (q) in how many seconds (w) it may be done.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750).",
        "schema": {"type": "string"},
    },
    "X-Request-ID": {"description": "The id of the request, to be quoted in questions.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}},
    "Deprecation": {"description": "Since when the operation is deprecated (RFC 9745).", "schema": {"type": "string"}},
    "Sunset": {"description": "When the operation may stop answering (RFC 8594).", "schema": {"type": "string"}},
}


REFUSALS = [UnauthenticatedError, InvalidTokenError, ForbiddenError, InsufficientScopeError]
"""What an operation that is not public may answer."""

REQUEST_ID = "0f5c55d63bde4d6581c346b872021d74"
"""That of the examples."""


def responses_of(operation: Operation, method: str, models: Models, shared: Components, *, has_path: bool) -> Json:
    """Return all answers of an operation by their status.

    Args:
        operation: What the route takes and gives.
        method: The HTTP method.
        models: The schemas of the document.
        shared: Takes the answers that other operations may have too.
        has_path: Whether a part of the path is a parameter, so that there may be nothing at the address.
    """
    responses: Json = {str(operation.status.value): _success(operation, models, shared)}
    if operation.has_etag and method == "GET":
        description = "The client has it already: see If-None-Match."
        unchanged = {"description": description, "headers": _headers(shared, "ETag", "X-Request-ID")}
        responses["304"] = shared.refer("responses", "not_modified", unchanged)
    if operation.last_event_id is not None:
        description = "The client has seen all that there will be, and need not come again."
        seen = {"description": description, "headers": _headers(shared, "X-Request-ID")}
        responses["204"] = shared.refer("responses", "all_seen", seen)
    by_status: dict[HTTPStatus, list[Failure]] = {}
    for failure in dict.fromkeys(_failures(operation, has_path=has_path)):
        by_status.setdefault(failure.status, []).append(failure)
    return responses | {
        str(status.value): shared.once(tuple(found), partial(_failed, found, shared))
        for status, found in sorted(by_status.items())
    }


def _success(operation: Operation, models: Models, shared: Components) -> Json:
    headers = ["X-Request-ID", *(["RateLimit", "RateLimit-Policy"] if operation.limits else [])]
    if operation.deprecation is not None:
        headers += ["Deprecation", *(["Sunset"] if operation.deprecation.sunset else [])]
    if operation.result is None:
        return {"description": "Done; there is nothing to say.", "headers": _headers(shared, *headers)}
    if operation.has_etag:
        headers.append("ETag")
    schema = models.reference(operation.result, "serialization")
    if operation.is_list:
        headers.append("Link")
        schema = {"anyOf": [schema, models.sparse_reference(operation.result)]}
    if operation.creates:
        headers += ["Location", "Idempotency-Replayed"]
    return {
        "description": operation.status.phrase,
        "headers": _headers(shared, *headers),
        "content": {operation.media_type: {"schema": _event(schema) if operation.streams else schema}},
    }


def _event(data: Json) -> Json:
    """Return the schema of each event of a stream.

    OpenAPI 3.1 has no word for what a stream is made of (3.2 has itemSchema); its tools take ``schema`` for that.
    """
    return {
        "type": "object",
        "description": "Each event of the stream.",
        "required": ["data"],
        "properties": {
            "data": {"type": "string", "contentMediaType": JSON, "contentSchema": data},
            "id": {
                "type": "string",
                "description": "To be sent back as Last-Event-ID, which clients do by themselves.",
            },
            "event": {"type": "string", "description": "The kind of event."},
            "retry": {"type": "integer", "description": "Milliseconds to wait before coming again."},
        },
    }


def _headers(shared: Components, *names: str) -> Json:
    return shared.once(names, lambda: {name: shared.refer("headers", name, HEADERS[name]) for name in sorted(names)})


def _failures(operation: Operation, *, has_path: bool) -> Iterator[Failure]:
    """Yield the possible errors: those that the view declares, and those that follow from its signature."""
    kinds: list[type[CarboyError]] = [*operation.errors]
    if operation.access is not None and operation.asks_who:
        kinds += [InvalidTokenError] if operation.access.is_public else REFUSALS
    kinds += _refusals_of_limits(operation.limits)
    if has_path:
        kinds.append(errors.NotFoundError)
    if operation.body is not None:
        kinds += [errors.BadRequestError, errors.UnsupportedMediaError, errors.InvalidInputError]
        yield _failure_of_flask(HTTPStatus.REQUEST_TIMEOUT)
        yield _failure_of_flask(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        yield _failure_of_flask(HTTPStatus.SERVICE_UNAVAILABLE, errors.UnavailableError.retry_after)
    if operation.query is not None:
        kinds.append(errors.InvalidInputError)
        if issubclass(operation.query[1], PageQuery):
            kinds.append(errors.InvalidCursorError)
    if operation.expected is not None:
        kinds += [errors.StaleVersionError, errors.PreconditionRequiredError]
    if operation.creates:
        kinds += [InvalidIdempotencyKeyError, IdempotencyKeyInUseError, IdempotencyKeyReusedError]
    if operation.result is not None:
        kinds.append(errors.NotAcceptableError)
    if operation.is_injected:
        kinds += [errors.DatabaseBusyError, errors.DatabaseUnavailableError]
    yield from (Failure(kind.status, kind.code, kind.message, kind.retry_after) for kind in kinds)
    yield _failure_of_flask(HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusals_of_limits(limits: tuple[Limit, ...]) -> list[type[CarboyError]]:
    if not limits:
        return []
    return [RateLimitedError, LimitsUnavailableError] if any(one.is_strict for one in limits) else [RateLimitedError]


def _failure_of_flask(status: HTTPStatus, retry_after: int | None = None) -> Failure:
    return Failure(status, code_of(status), DETAILS[status], retry_after)


def _failed(failures: list[Failure], shared: Components) -> Json:
    failures = sorted(failures, key=lambda failure: failure.code)
    names = ["X-Request-ID"]
    if any(failure.retry_after is not None for failure in failures):
        names.append("Retry-After")
    if any(failure.status is HTTPStatus.UNAUTHORIZED for failure in failures):
        names.append("WWW-Authenticate")
    if any(failure.status is HTTPStatus.TOO_MANY_REQUESTS for failure in failures):
        names += ["RateLimit", "RateLimit-Policy"]
    examples = {failure.code: shared.refer("examples", failure.code, _example(failure)) for failure in failures}
    answer = {
        "description": " ".join(f"`{failure.code}`: {failure.detail}" for failure in failures),
        "headers": _headers(shared, *names),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }
    return shared.refer("responses", ".".join(failure.code for failure in failures), answer)


def _example(failure: Failure) -> Json:
    status, code, detail, _ = failure
    return {"summary": detail, "value": problem_content(status, code, detail, REQUEST_ID)}
