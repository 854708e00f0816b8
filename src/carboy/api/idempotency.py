"""Makes a POST that creates something safe to retry: the header Idempotency-Key.

As in draft-ietf-httpapi-idempotency-key-header: the first answer is stored in the transaction of its effect, and given
again to whoever sends the same request with the same key.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from flask import Response
from pydantic import BaseModel, TypeAdapter

from carboy.api.answers import Created
from carboy.api.requests import JSON
from carboy.di.wiring import current_container
from carboy.idempotency.schemas import StoredAnswer
from carboy.idempotency.services import IdempotencyService, parse_key
from carboy.web.application import JsonResponse, Request

NEEDED = {"idempotency_service": IdempotencyService}
"""What `answer_once` asks the container for."""
STORED_HEADERS = ("Location", "ETag")
"""Those that belong to the answer and not to one request, besides its type, which is JSON."""


def created_writer(model: Any) -> Callable[[Created[Any]], Response]:
    """Return what makes an answer of something created: 201, its address, and its version as ETag."""
    to_json = TypeAdapter(model).serializer.to_json

    def write(result: Created[Any]) -> Response:
        response = JsonResponse(to_json(result.resource), 201, content_type=JSON)
        response.headers.add("Location", result.location)
        version = result.resource.__dict__.get("version")
        if version is not None:
            response.headers.add("ETag", f'"{version}"')
        return response

    return write


async def answer_once(
    scope: str, body: BaseModel | None, request: Request, work: Callable[[], Awaitable[Response]]
) -> Response:
    """Do the work and answer; if the request has a key that was answered before, answer the same without the work.

    Args:
        scope: What the key belongs to: the same key may serve another operation. Where requests have an account, it
            belongs in here, or one account could be given another's answer.
        body: The body as it was understood, by which a request is told from another with the same key. What it masks,
            as a SecretStr does, tells none apart.
        request: The request.
        work: Makes the answer.

    Raises:
        InvalidIdempotencyKeyError: The header holds no key.
        IdempotencyKeyReusedError: The key belongs to another request.
        IdempotencyKeyInUseError: The first request with this key is under way.
    """
    header = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return await work()
    service: IdempotencyService = current_container().idempotency_service()
    content = body.model_dump_json(exclude_unset=True) if body is not None else ""
    asked = request.path, request.query_string.decode("latin-1"), content
    fingerprint = sha256("\n".join(asked).encode()).hexdigest()

    async def work_to_store() -> StoredAnswer:
        return _stored(await work())

    stored, is_replayed = await service.answer_once(scope, parse_key(header), fingerprint, work_to_store)
    response = JsonResponse(stored.body, stored.status, content_type=JSON)
    response.headers.extend(stored.headers)
    if is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _stored(response: Response) -> StoredAnswer:
    headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
    return StoredAnswer(status=response.status_code, body=response.get_data(as_text=True), headers=headers)
