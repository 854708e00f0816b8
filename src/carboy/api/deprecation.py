"""The decorator that marks a route as deprecated."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from flask import Response
from werkzeug.http import http_date

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
ATTRIBUTE = "__deprecation__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecation:
    """When a route was deprecated, when it may be removed, and the page that explains it."""

    since: date
    sunset: date | None
    link: str | None

    def add_headers(self, response: Response) -> Response:
        """Add the headers to each answer, errors included: ``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594)."""
        response.headers["Deprecation"] = f"@{int(_midnight(self.since).timestamp())}"
        if self.sunset is not None:
            response.headers["Sunset"] = http_date(_midnight(self.sunset))
        if self.link is not None:
            response.headers.add("Link", f'<{self.link}>; rel="deprecation"; type="text/html"')
        return response


def deprecated(*, since: date, sunset: date | None = None, link: str | None = None) -> Callable[[ViewT], ViewT]:
    """Mark a view as deprecated, in its answers and in the document. It stands below the route's decorator.

    Args:
        since: The first day (UTC) on which clients should use something else.
        sunset: The day from which on the route may be gone; None if that is not known.
        link: The address of a page that says what to use instead.

    Raises:
        ValueError: The route would go before it is deprecated (RFC 9745 section 4).
    """
    if sunset is not None and sunset < since:
        raise ValueError(f"The sunset {sunset} is before the deprecation {since}.")

    def mark(view: ViewT) -> ViewT:
        setattr(view, ATTRIBUTE, Deprecation(since=since, sunset=sunset, link=link))
        return view

    return mark


def deprecation_of(view: Any) -> Deprecation | None:
    found: Deprecation | None = getattr(view, ATTRIBUTE, None)
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
