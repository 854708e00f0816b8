"""What goes with a job from the request that it comes from, into the log of its run."""

import re

from flask import has_request_context
from structlog.contextvars import get_contextvars

from carboy.web.application import current_request

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, level 1, section 3.2; anything else is not passed on."""


def current_context() -> dict[str, str]:
    """Return the id of the current request and its ``traceparent``: of a request, or of a job that is running."""
    bound = get_contextvars()
    context = {name: str(bound[name]) for name in ("request_id", "traceparent") if name in bound}
    if has_request_context():
        request = current_request()
        context["request_id"] = getattr(request, "id", "") or context.get("request_id", "")
        traceparent = request.headers.get("traceparent", "")
        if TRACEPARENT.fullmatch(traceparent):
            context["traceparent"] = traceparent
    return {name: value for name, value in context.items() if value}
