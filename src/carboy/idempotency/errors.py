from http import HTTPStatus

from carboy.errors import BadRequestError, CarboyError, ConflictError


class InvalidIdempotencyKeyError(BadRequestError):
    code = "invalid_idempotency_key"
    message = "The Idempotency-Key must be 1 to 255 visible ASCII characters, in double quotes or bare."


class IdempotencyKeyInUseError(ConflictError):
    code = "idempotency_key_in_use"
    message = "A request with this Idempotency-Key is in progress. Try again in a moment."
    retry_after = 1


class IdempotencyKeyReusedError(CarboyError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request. Send each new request with a new key."
