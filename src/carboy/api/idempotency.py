"""Makes a POST that creates something safe to retry: the header Idempotency-Key.

As in draft-ietf-httpapi-idempotency-key-header: the first answer is stored in the transaction of its effect, and given
again to whoever sends the same request with the same key.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256

from flask import Response
from pydantic import BaseModel

from carboy.api.answers import stored_response
from carboy.di.wiring import current_container
from carboy.idempotency.errors import InvalidIdempotencyKeyError
from carboy.idempotency.schemas import StoredAnswer
from carboy.idempotency.services import IdempotencyService
from carboy.web.application import Request

QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')
"""A String of RFC 9651, section 3.3.3, which is what the draft asks for."""
BARE = re.compile(r"[!#-+\--~]{1,255}")
"""What most clients send: no quotes, and no comma, which stands between two headers that were made one."""
KEY_PATTERN = f"^(?:{BARE.pattern}|{QUOTED.pattern})$"
"""Both, for the API's document."""
NEEDED = {"idempotency_service": IdempotencyService}
"""What `answer_once` asks the container for."""


async def answer_once(
    scope: str, body: BaseModel | None, request: Request, work: Callable[[], Awaitable[StoredAnswer]]
) -> Response:
    """Do the work and answer. A request whose key was answered before gets the stored answer, without the work.

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
        return stored_response(await work())
    service: IdempotencyService = current_container().idempotency_service()
    content = body.model_dump_json(exclude_unset=True) if body is not None else ""
    asked = request.path, request.query_string.decode("latin-1"), content
    fingerprint = sha256("\n".join(asked).encode()).hexdigest()

    answer, is_replayed = await service.answer_once(scope, parse_key(header), fingerprint, work)
    response = stored_response(answer)
    if is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def parse_key(header: str) -> str:
    """Return the key in the value of an Idempotency-Key header; quoted and bare spellings of it are the same key.

    Raises:
        InvalidIdempotencyKeyError: It is neither a quoted string nor a bare word, or longer than 255 characters.
    """
    text = header.strip(" \t")
    quoted = QUOTED.fullmatch(text)
    if quoted is not None:
        return re.sub(r'\\(["\\])', r"\1", quoted[1])
    if BARE.fullmatch(text) is None:
        raise InvalidIdempotencyKeyError
    return text
