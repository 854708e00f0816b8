"""How a view reads a request and writes an answer."""

import re
from typing import TypeVar
from urllib.parse import quote

from flask import Response, request
from pydantic import BaseModel, ValidationError

from carboy.errors import (
    BadRequestError,
    FieldProblem,
    InvalidInputError,
    StaleVersionError,
    UnsupportedMediaError,
)
from carboy.web import JsonResponse

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_PROBLEMS = 100
"""Of more problems only the first are told: a body of unknown fields must not make an answer of megabytes."""


def body(model: type[ModelT]) -> ModelT:
    """Read the JSON body of the request.

    Raises:
        UnsupportedMediaError: The body is not declared as JSON.
        BadRequestError: It is not JSON.
        InvalidInputError: It is JSON, but not what the model wants.
    """
    if not request.is_json:
        raise UnsupportedMediaError("The body must be sent as Content-Type: application/json.")
    try:
        return model.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            raise BadRequestError(f"The body is not valid JSON: {_sentence(problems[0]['msg'])}") from None
        raise InvalidInputError(
            [
                FieldProblem(pointer=_pointer(problem["loc"]), detail=_sentence(problem["msg"]))
                for problem in problems[:MAX_PROBLEMS]
            ]
        ) from None


def query(model: type[ModelT]) -> ModelT:
    """Read the query string of the request.

    Raises:
        InvalidInputError: A parameter is unknown, stands twice, or is not what the model wants.
    """
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise InvalidInputError([FieldProblem(parameter=name, detail="Must stand once only.") for name in twice])
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidInputError(
            [FieldProblem(parameter=str(problem["loc"][0]), detail=_sentence(problem["msg"])) for problem in problems]
        ) from None


def answer(model: BaseModel, status: int = 200, *, location: str | None = None) -> Response:
    """Answer with a model as JSON, with its version as ETag, and with the address of what was created, if any was."""
    response = JsonResponse(model.model_dump_json(), status, content_type="application/json")
    version = model.__dict__.get("version")
    if version is not None:
        response.headers.add("ETag", f'"{version}"')
    if location is not None:
        response.location = location
    return response


def expected_version() -> int | None:
    """Return the version that the request must find, from If-Match (RFC 9110 section 13.1.1); None if any will do.

    Raises:
        StaleVersionError: The header names no version that the resource can have.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = re.findall(r'(?:^|,)\s*"([1-9][0-9]{0,17})"\s*(?=,|$)', header)
    if len(tags) != 1:
        raise StaleVersionError
    return int(tags[0])


def no_content() -> Response:
    response = Response(status=204)
    # Flask names a type even for nothing.
    del response.headers["Content-Type"]
    return response


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Return a JSON pointer as a URI fragment, the form that RFC 9457 shows (RFC 6901, sections 4 and 6)."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)
    return "#" + quote(pointer, safe="/!$&'()*+,;=:@?")


def _sentence(message: str) -> str:
    """Make pydantic's message a sentence; ``Value error,`` is how it marks one of ours."""
    message = message.removeprefix("Value error, ").removeprefix("value is not a valid email address: ")
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
