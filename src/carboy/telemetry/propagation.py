"""Tells the servers that are called which request they are called for."""

import re
from collections.abc import Mapping

from flask import has_request_context
from structlog.contextvars import get_contextvars

from carboy.telemetry.tracing import trace_headers
from carboy.web.application import current_request

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""The trace that a request belongs to (W3C Trace Context, section 3.2)."""
TRACESTATE = re.compile(r"[ -~]{1,512}")


def outgoing_headers() -> dict[str, str]:
    """Return the headers ``X-Request-ID``, ``traceparent`` and ``tracestate`` of what is being done.

    They are the current request's; outside one, as in a job, those that are bound to the log's context. A trace names
    the current span; where nothing is traced it goes on as it came, which is what the standard wants of who does not
    take part in it.
    """
    given = _of_request() if has_request_context() else get_contextvars()
    headers = {"X-Request-ID": given["request_id"]} if given.get("request_id") else {}
    trace = trace_headers()
    if trace is not None:
        return headers | trace
    if TRACEPARENT.fullmatch(given.get("traceparent") or ""):
        headers["traceparent"] = given["traceparent"]
        if TRACESTATE.fullmatch(given.get("tracestate") or ""):
            headers["tracestate"] = given["tracestate"]
    return headers


def _of_request() -> Mapping[str, str]:
    request = current_request()
    names = ("traceparent", "tracestate")
    return {"request_id": getattr(request, "id", ""), **{name: request.headers.get(name, "") for name in names}}
