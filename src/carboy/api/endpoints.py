"""Wraps a view into the function that Flask calls."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from flask import Response, after_this_request

from carboy.api.answers import created_writer
from carboy.api.idempotency import answer_once
from carboy.api.operation import Operation, View
from carboy.api.requests import require_acceptable
from carboy.idempotency.schemas import StoredAnswer
from carboy.idempotency.services import scope_of
from carboy.limits.schemas import By
from carboy.web.access import admit
from carboy.web.application import Request, current_request
from carboy.web.rate_limits import count


def endpoint_of(operation: Operation) -> View:
    """Return a function that reads a request, calls the view, and writes its answer."""
    return _creating(operation) if operation.creates else _answering(operation)


def _answering(operation: Operation) -> View:
    view, prepare, write = operation.view, _preparation(operation), operation.writer()

    @wraps(view)
    async def endpoint(**arguments: Any) -> Response:
        request = current_request()
        await prepare(request, arguments)
        return write(await view(**arguments), request, arguments)

    return endpoint


def _creating(operation: Operation) -> View:
    view, prepare, write = operation.view, _preparation(operation), created_writer(operation.result)
    name = operation.body[0] if operation.body is not None else None

    @wraps(view)
    async def endpoint(**arguments: Any) -> Response:
        request = current_request()
        await prepare(request, arguments)
        body = arguments[name] if name is not None else None

        async def work() -> StoredAnswer:
            return write(await view(**arguments))

        return await answer_once(_owner_of(request), body, request, work)

    return endpoint


def _owner_of(request: Request) -> str:
    """Return whose an Idempotency-Key is."""
    return scope_of(str(request.endpoint), request.actor.account_id if request.actor is not None else None)


def _preparation(operation: Operation) -> Callable[[Request, dict[str, Any]], Awaitable[None]]:
    """Return a function that adds to the arguments of the URL those that the view needs besides."""
    deprecation, readers, media_type = operation.deprecation, operation.readers(), operation.media_type
    # Before anything else is read: whoever may not use a route learns nothing from what is wrong with the request.
    access = operation.access if operation.asks_who else None
    by_account = [limit for limit in operation.limits if limit.by is By.ACCOUNT]
    others = [limit for limit in operation.limits if limit.by is not By.ACCOUNT]

    async def prepare(request: Request, arguments: dict[str, Any]) -> None:
        if deprecation is not None:
            after_this_request(deprecation.add_headers)
        if others:
            await count(others, request)
        if access is not None:
            actor = await admit(access, request, arguments)
            if operation.actor is not None:
                arguments[operation.actor] = actor
        if by_account:
            await count(by_account, request)
        if media_type is not None:
            require_acceptable(request, media_type)
        for name, read in readers:
            arguments[name] = read(request)

    return prepare
