"""What a stream of events is made of."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Event(Generic[ModelT]):
    """One event of a stream.

    Attributes:
        data: What has happened.
        id: Sent back by a client that comes again, as ``Last-Event-ID``, so that it misses nothing.
        name: The kind of event, for `addEventListener` of browsers; ``message`` unless it is given.

    Raises:
        ValueError: The id or name would break out of its line.
    """

    data: ModelT
    id: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if any(mark in (text or "") for text in (self.id, self.name) for mark in "\r\n\0"):
            raise ValueError("The id and the name of an event are one line of text without NUL.")
