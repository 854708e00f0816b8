"""Clients of other people's HTTP APIs, which bear that those are slow, wrong, cut off or down.

A client is a class with a method for each thing that is asked of the API::

    class RatesClient(ApiClient):
        name = "rates"

        async def latest(self, currency: str) -> Rates:
            return await self.get("latest", currency, answer=Rates, errors={404: CurrencyNotFoundError})

Its provider gives it the connections that all clients share: ``providers.Singleton(RatesClient, http=http_client,
base_url=settings.provided.rates.url)``.
"""

from carboy.clients.api import ApiClient
from carboy.clients.connections import HttpClient, Reply
from carboy.clients.errors import (
    UPSTREAM_ERRORS,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

__all__ = [
    "UPSTREAM_ERRORS",
    "ApiClient",
    "HttpClient",
    "Reply",
    "UpstreamError",
    "UpstreamTimeoutError",
    "UpstreamUnavailableError",
]
