"""The errors that clients see, each with an HTTP status and a stable code.

A domain declares its own in its ``errors.py``; `flask errors` prints them all. Anything else is a mistake of ours: the
client gets 500 and no detail.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, ClassVar


class CarboyError(Exception):
    """Base class of all errors that clients are told about. The message is for the client."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    message: ClassVar[str]
    retry_after: int | None = None
    """Seconds after which the same request may succeed: the class's, or an instance's own."""

    def __init__(self, message: str | None = None, **extensions: Any) -> None:
        super().__init__(message or self.message)
        self.extensions = extensions
        """What else the answer says (extension members, RFC 9457 section 3.2)."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer, besides those that every answer has."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class BadRequestError(CarboyError):
    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"
    message = "The request is not well-formed."


class InvalidCursorError(BadRequestError):
    code = "invalid_cursor"
    message = "The cursor does not belong to this list."


class NotFoundError(CarboyError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    message = "There is nothing at this address."


class NotAcceptableError(CarboyError):
    status = HTTPStatus.NOT_ACCEPTABLE
    code = "not_acceptable"
    message = "This endpoint returns application/json only, which Accept does not allow."


class ConflictError(CarboyError):
    status = HTTPStatus.CONFLICT
    code = "conflict"
    message = "The request conflicts with the current state of the resource."


class InUseError(ConflictError):
    code = "in_use"
    message = "Other resources refer to this one."

    def __init__(self, message: str | None = None, *, used_by: list[str] | None = None) -> None:
        super().__init__(message, **({"used_by": used_by} if used_by else {}))


class PreconditionFailedError(CarboyError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"
    message = "A condition in the request's headers does not hold."


class StaleVersionError(PreconditionFailedError):
    code = "stale_version"
    message = "The resource has been changed since it was read."


class UnsupportedMediaError(CarboyError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    message = "The body must be sent as Content-Type: application/json."


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldProblem:
    """What is wrong with one field, which is named by a ``pointer`` into the body or a ``parameter`` of the query.

    A problem with the whole query, such as two contradicting parameters, names neither.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def to_dict(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class InvalidInputError(CarboyError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_input"
    message = "The request is well-formed, but some of its fields are not valid."

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__(errors=[problem.to_dict() for problem in problems])


class PreconditionRequiredError(CarboyError):
    status = HTTPStatus.PRECONDITION_REQUIRED
    code = "precondition_required"
    message = "Send If-Match with the ETag of the version you want to change."


class UnavailableError(CarboyError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    message = "This server is not ready to serve requests."
    retry_after = 1


class DatabaseBusyError(UnavailableError):
    code = "database_busy"
    message = "The database is busy. Try again in a moment."


class DatabaseUnavailableError(UnavailableError):
    code = "database_unavailable"
    message = "The database cannot be reached. Try again in a moment."


def all_errors(root: type[CarboyError] = CarboyError) -> list[type[CarboyError]]:
    """Return every error class of the imported modules."""
    return [kind for child in root.__subclasses__() for kind in (child, *all_errors(child))]
