"""What the bridge knows of the request that Flask is working on."""

from contextvars import Context, ContextVar
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException

from carboy.bridge.client import Client
from carboy.bridge.views import Match


@dataclass(eq=False, slots=True)
class Exchange:
    """One request and its response."""

    client: Client
    match: Match | None
    """The route to the async view that it was let onto the loop for; None for one that lives on a worker."""
    is_sure: bool = False
    """Whether Flask has taken over that match."""
    refusal: HTTPException | None = None
    """What is answered in the view's place."""
    waits_by_bridge: bool = False
    """Whether its body takes chunks from `sync_iterator`, and so does not block."""
    body_is_adapted: bool = False
    """Whether its body may be iterated on the loop."""


current: ContextVar[Exchange | None] = ContextVar("carboy_exchange", default=None)


def take_over(context: Context) -> None:
    """Set here what a request has set in its context, in order to report its failure.

    Sentry, for one, notes in a variable which error it has been told, and would be told it again by the log.
    """
    for variable, value in context.items():
        if variable is not current:
            variable.set(value)
