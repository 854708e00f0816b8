"""What goes with a job from the request that it comes from, into the log of its run and the calls that it makes."""

from carboy.telemetry.propagation import outgoing_headers

NAMES = {"X-Request-ID": "request_id", "traceparent": "traceparent", "tracestate": "tracestate"}


def current_context() -> dict[str, str]:
    """Return the id and the trace of the current request: of one that is served, or of one that a job comes from."""
    return {NAMES[header]: value for header, value in outgoing_headers().items()}
