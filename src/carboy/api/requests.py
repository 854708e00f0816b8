"""Reads a request into what a view takes, and says which field is wrong."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from flask import current_app
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from carboy.api.findings import (
    MAX_PROBLEMS,
    UNKNOWN,
    cut,
    detail_of,
    first_problems,
    parameter_of,
    pointer_of,
    sentence,
)
from carboy.api.limits import has_more_separators, most_separators
from carboy.errors import (
    BadRequestError,
    FieldProblem,
    InvalidInputError,
    NotAcceptableError,
    UnsupportedMediaError,
)
from carboy.schemas.base import FIELDS, Names
from carboy.web.application import Request

ModelT = TypeVar("ModelT", bound=BaseModel)
Reader = Callable[[Request], Any]

MAX_PARAMETERS = 1000
"""Parameters of a query string that are looked at."""
MAX_HEADER = 1000
"""Characters of Accept and Content-Type that are read: 16 KB of them take 10 milliseconds. Browsers send 200."""
START = 8 * 1024
"""Characters of a body that holds too much in which its unknown fields are looked for."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


def body_reader(model: type[ModelT]) -> Callable[[Request], ModelT]:
    """Return a function that reads the JSON body of a request.

    Its errors:
        UnsupportedMediaError: The body is not declared as JSON.
        BadRequestError: It is not JSON.
        InvalidInputError: It is JSON, but not what the model wants.
    """
    validate = model.__pydantic_validator__.validate_json
    # Made on first use: a schema takes time.
    limits = cache(lambda: _limits_of(model))

    def read(request: Request) -> ModelT:
        if not _is_json(request):
            raise UnsupportedMediaError
        body = request.get_data(cache=False)
        most, names = limits()
        if has_more_separators(body, most):
            raise InvalidInputError(_problems_at_the_start(body, most, names))
        try:
            return validate(body, context=_context())  # type: ignore[no-any-return]  # it is of the model.
        except ValidationError as error:
            problems = first_problems(error)
            if problems[0]["type"] == "json_invalid":
                raise _not_json(problems[0]["msg"].removeprefix("Invalid JSON: ")) from None
            raise InvalidInputError(
                [FieldProblem(pointer=pointer_of(one["loc"]), detail=detail_of(one)) for one in problems]
            ) from None

    return read


def _context() -> Any:
    """Return the validation context: the application's settings, which validators cannot reach otherwise."""
    return current_app.config.get("VALIDATION_CONTEXT", {})


def _is_json(request: Request) -> bool:
    return len(request.environ.get("CONTENT_TYPE", "")) <= MAX_HEADER and request.is_json


def _limits_of(model: type[BaseModel]) -> tuple[int, frozenset[str] | None]:
    """Return how many separators a body may have, and the names of its fields; None if others may come."""
    schema = model.model_json_schema()
    names = frozenset(schema.get("properties", ())) if schema.get("additionalProperties") is False else None
    return most_separators(schema), names


def _problems_at_the_start(body: bytes, most: int, names: frozenset[str] | None) -> list[FieldProblem]:
    """Return the first problems of a body that holds too much, without reading it to its end."""
    try:
        start = from_json(body[:START].decode(errors="ignore"), allow_partial=True)
    except ValueError as error:
        raise _not_json(str(error)) from None
    unknown = [name for name in start if name not in names] if isinstance(start, dict) and names is not None else []
    return [
        FieldProblem(pointer=pointer_of((name,)), detail=UNKNOWN.format(place="field"))
        for name in unknown[:MAX_PROBLEMS]
    ] or [FieldProblem(pointer="#", detail=f"Must not hold more than {most} fields and items.")]


def _not_json(reason: str) -> BadRequestError:
    return BadRequestError(f"The body is not valid JSON: {sentence(reason)}")


def query_reader(model: type[ModelT], fields: Names | None = None) -> Callable[[Request], ModelT]:
    """Return a function that reads the query string of a request.

    Args:
        model: The query.
        fields: What the items of a list can be reduced to.

    Its error:
        InvalidInputError: A parameter is unknown, missing, stands twice, or is not what the model wants.
    """
    # Most requests have none, and a query cannot be changed.
    empty = cache(lambda: model.model_validate({}))

    def read(request: Request) -> ModelT:
        if request.query_string.count(b"&") >= MAX_PARAMETERS:
            raise InvalidInputError([FieldProblem(detail=f"Must not have more than {MAX_PARAMETERS} parameters.")])
        twice = [name for name, values in request.args.lists() if len(values) > 1] if request.query_string else []
        if twice:
            raise InvalidInputError(
                [FieldProblem(parameter=cut(name), detail="Must stand once only.") for name in twice[:MAX_PROBLEMS]]
            )
        try:
            if not request.query_string:
                return empty()
            return model.model_validate(request.args.to_dict(), context={**_context(), FIELDS: fields})
        except ValidationError as error:
            raise InvalidInputError(
                [
                    FieldProblem(parameter=parameter_of(one["loc"]), detail=detail_of(one, place="parameter"))
                    for one in first_problems(error)
                ]
            ) from None

    return read


def require_acceptable(request: Request, media_type: str = JSON) -> None:
    """Refuse a client that does not accept what the route answers with (RFC 9110 section 12.5.1).

    Raises:
        NotAcceptableError: It does not.
    """
    header = request.environ.get("HTTP_ACCEPT")
    # A server may answer as if there were no Accept (section 12.4.1).
    if not header or header in {"*/*", media_type} or len(header) > MAX_HEADER:
        return
    accepted = request.accept_mimetypes
    # JSON has no parameters, but clients that ask for a charset accept it all the same.
    if not accepted.quality(media_type) and not any(
        name.startswith(f"{media_type};") and quality for name, quality in accepted
    ):
        raise NotAcceptableError(f"This endpoint returns {media_type} only, which Accept does not allow.")
