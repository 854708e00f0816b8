"""Wraps a view into the function that Flask calls."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, after_this_request

from carboy.api.answers import created_writer
from carboy.api.idempotency import answer_once
from carboy.api.operation import Operation, View
from carboy.api.requests import require_acceptable
from carboy.idempotency.schemas import StoredAnswer
from carboy.web.application import Request, current_request


def endpoint_of(operation: Operation) -> View:
    """Return a function that reads a request, calls the view, and writes its answer."""
    return _creating(operation) if operation.creates else _answering(operation)


def _answering(operation: Operation) -> View:
    view, prepare, write = operation.view, _preparation(operation), operation.writer()

    @wraps(view)
    async def endpoint(**arguments: Any) -> Response:
        request = current_request()
        prepare(request, arguments)
        return write(await view(**arguments), request, arguments)

    return endpoint


def _creating(operation: Operation) -> View:
    view, prepare, write = operation.view, _preparation(operation), created_writer(operation.result)
    name = operation.body[0] if operation.body is not None else None

    @wraps(view)
    async def endpoint(**arguments: Any) -> Response:
        request = current_request()
        prepare(request, arguments)
        body = arguments[name] if name is not None else None

        async def work() -> StoredAnswer:
            return write(await view(**arguments))

        return await answer_once(str(request.endpoint), body, request, work)

    return endpoint


def _preparation(operation: Operation) -> Callable[[Request, dict[str, Any]], None]:
    """Return a function that adds to the arguments of the URL those that the view needs besides."""
    deprecation, readers, gives_json = operation.deprecation, operation.readers(), operation.result is not None

    def prepare(request: Request, arguments: dict[str, Any]) -> None:
        if deprecation is not None:
            after_this_request(deprecation.add_headers)
        if gives_json:
            require_acceptable(request)
        for name, read in readers:
            arguments[name] = read(request)

    return prepare
