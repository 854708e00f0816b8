"""One attempt at a call, of which whatever goes wrong is an `UpstreamError`."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx2

from carboy.clients.addresses import ForbiddenAddressError
from carboy.clients.breaker import CircuitOpenError
from carboy.clients.connections import AnswerTooLargeError, Reply
from carboy.clients.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnavailableError
from carboy.clients.retries import TRANSIENT_STATUSES, retry_after_of

BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@contextmanager
def telling_apart() -> Iterator[None]:
    """Raise what goes wrong with a call as the error that clients are told of.

    Raises:
        UpstreamTimeoutError: There was no answer in time.
        UpstreamUnavailableError: The API cannot be reached, or is not asked as its circuit is open.
        UpstreamError: The answer was cut off, is not HTTP, is too large, or led where none may lead.
    """
    try:
        yield
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise UpstreamTimeoutError(is_transient=True) from error
    except CircuitOpenError as error:
        raise UpstreamUnavailableError(retry_after=error.seconds) from error
    except httpx2.ConnectError as error:
        raise UpstreamUnavailableError(is_transient=True) from error
    except httpx2.TransportError as error:
        raise UpstreamError(is_transient=True) from error
    except (httpx2.DecodingError, AnswerTooLargeError, ForbiddenAddressError) as error:
        raise UpstreamError from error


def check_status(reply: Reply) -> None:
    """Let answers of success pass.

    Raises:
        UpstreamUnavailableError: The API says that it is busy, by 429 or 503.
        UpstreamError: It is any other error, or a redirect that is not followed.
    """
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    kind = UpstreamUnavailableError if reply.status in BUSY else UpstreamError
    raise kind(
        status=reply.status,
        is_transient=reply.status in TRANSIENT_STATUSES,
        retry_after=retry_after_of(reply.headers),
    )


def is_outage(error: BaseException) -> bool | None:
    """Tell a circuit breaker whether an error means that the API is down.

    Not those errors that are the request's fault, nor 429, which a server sends that is well. A cancellation says
    nothing.
    """
    if isinstance(error, UpstreamError):
        return error.is_transient and error.upstream_status != HTTPStatus.TOO_MANY_REQUESTS
    return None
