"""Reads a request into what a view takes, and says which field is wrong."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

from flask import current_app
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from carboy.errors import (
    BadRequestError,
    FieldProblem,
    InvalidInputError,
    NotAcceptableError,
    PreconditionRequiredError,
    UnsupportedMediaError,
)
from carboy.schemas.base import Versions
from carboy.web import Request

ModelT = TypeVar("ModelT", bound=BaseModel)
Reader = Callable[[Request], Any]

MAX_PROBLEMS = 100
"""Of more problems only the first are told: a body of unknown fields must not make an answer of megabytes."""

MAX_NAME = 200
"""Characters of the name of an unknown field that a problem repeats."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

ENTITY_TAG = re.compile(r'[\s,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,[\s,]*|$)')
"""One tag of a list (RFC 9110 section 8.8.3) and the commas around it; empty ones are overlooked (section 5.6.1.2)."""
CODING = re.compile(r":(?:zstd|br|gzip)$")
"""How the tag of a compressed answer ends: see `carboy.compression`."""
VERSION = re.compile(r"[1-9][0-9]{0,17}")


def body_reader(model: type[ModelT]) -> Callable[[Request], ModelT]:
    """Return a function that reads the JSON body of a request.

    Its errors:
        UnsupportedMediaError: The body is not declared as JSON.
        BadRequestError: It is not JSON.
        InvalidInputError: It is JSON, but not what the model wants.
    """
    validate = model.__pydantic_validator__.validate_json

    def read(request: Request) -> ModelT:
        if not request.is_json:
            raise UnsupportedMediaError
        try:
            return validate(request.get_data(cache=False))  # type: ignore[no-any-return]  # it is of the model.
        except ValidationError as error:
            problems = _problems(error)
            if problems[0]["type"] == "json_invalid":
                reason = problems[0]["msg"].removeprefix("Invalid JSON: ")
                raise BadRequestError(f"The body is not valid JSON: {_sentence(reason)}") from None
            raise InvalidInputError(
                [
                    FieldProblem(pointer=_pointer(problem["loc"]), detail=_sentence(problem["msg"]))
                    for problem in problems[:MAX_PROBLEMS]
                ]
            ) from None

    return read


def query_reader(model: type[ModelT]) -> Callable[[Request], ModelT]:
    """Return a function that reads the query string of a request.

    Its error:
        InvalidInputError: A parameter is unknown, missing, stands twice, or is not what the model wants.
    """
    # Most requests have none, and a query cannot be changed.
    empty = cache(lambda: model.model_validate({}))

    def read(request: Request) -> ModelT:
        twice = [name for name, values in request.args.lists() if len(values) > 1] if request.query_string else []
        if twice:
            raise InvalidInputError(
                [FieldProblem(parameter=name, detail="Must stand once only.") for name in twice[:MAX_PROBLEMS]]
            )
        try:
            return model.model_validate(request.args.to_dict()) if request.query_string else empty()
        except ValidationError as error:
            raise InvalidInputError(
                [
                    FieldProblem(parameter=_parameter(problem["loc"]), detail=_sentence(problem["msg"]))
                    for problem in _problems(error)[:MAX_PROBLEMS]
                ]
            ) from None

    return read


def read_expected(request: Request) -> Versions:
    """Return the versions of which the request must find one, from If-Match (RFC 9110 section 13.1.1); None for any.

    A weak tag never matches there, and neither does one that is not ours.

    Raises:
        PreconditionRequiredError: There is no If-Match, and the configuration requires one (RFC 6585 section 3).
    """
    header = request.headers.get("If-Match")
    if header is None:
        if current_app.config["REQUIRE_IF_MATCH"]:
            raise PreconditionRequiredError
        return None
    if header.strip() == "*":
        return None
    tags = (CODING.sub("", tag) for weak, tag in _entity_tags(header) if not weak)
    return frozenset(int(tag) for tag in tags if VERSION.fullmatch(tag))


def known_tag(request: Request, tag: str) -> str | None:
    """Return the tag, as the client spelt it, by which it has this version already; None if it has not.

    That is If-None-Match, which is compared weakly (RFC 9110 section 13.1.2).
    """
    header = request.environ.get("HTTP_IF_NONE_MATCH")
    if header is None or request.method not in {"GET", "HEAD"}:
        return None
    if header.strip() == "*":
        return tag
    return next((known for _, known in _entity_tags(header) if CODING.sub("", known) == tag), None)


def _entity_tags(header: str) -> list[tuple[bool, str]]:
    """Return the tags of a list, each with whether it is weak; none if it is no list of tags."""
    tags, end = [], 0
    while end < len(header):
        match = ENTITY_TAG.match(header, end)
        if match is None:
            return []
        tags.append((match[1] is not None, match[2]))
        end = match.end()
    return tags


def require_acceptable(request: Request) -> None:
    """See to it that the client takes JSON (RFC 9110 section 12.5.1).

    Raises:
        NotAcceptableError: It does not.
    """
    header = request.environ.get("HTTP_ACCEPT")
    if not header or header in {"*/*", JSON}:
        return
    accepted = request.accept_mimetypes
    # JSON has no parameters, but who asks for it with a charset takes it all the same.
    if not accepted.quality(JSON) and not any(name.startswith(f"{JSON};") and quality for name, quality in accepted):
        raise NotAcceptableError


def _problems(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Return a JSON pointer as a URI fragment, the form that RFC 9457 shows (RFC 6901, sections 4 and 6)."""
    # The client knows the name, of which it may have sent a megabyte.
    pointer = "".join("/" + str(part)[:MAX_NAME].replace("~", "~0").replace("/", "~1") for part in loc)
    return "#" + quote(pointer, safe="/!$&'()*+,;=:@?")


def _parameter(loc: tuple[int | str, ...]) -> str | None:
    # What a validator of the whole query finds is about no parameter in particular.
    return str(loc[0]) if loc else None


def _sentence(message: str) -> str:
    """Make pydantic's message a sentence; ``Value error,`` is how it marks one of ours."""
    message = message.removeprefix("Value error, ").removeprefix("value is not a valid email address: ")
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
