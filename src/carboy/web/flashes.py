"""Messages that the next page shows once. The session row carries them, so that no cookie needs to be signed."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_FLASHES = 5
"""Messages that wait; of more, the newest stay."""


class FlashKind(StrEnum):
    SUCCESS = "success"
    INFO = "info"
    ERROR = "error"


class Flash(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: FlashKind
    text: str = Field(max_length=500)
    """A sentence of ours. A template escapes it, as it may name what a user has typed."""


_FLASHES = TypeAdapter(list[Flash])


def add_flash(stored: str | None, flash: Flash) -> str:
    """Return the text to store in the session row: the messages that wait there, and one more."""
    return _FLASHES.dump_json([*read_flashes(stored), flash][-MAX_FLASHES:]).decode()


def read_flashes(stored: str | None) -> list[Flash]:
    """Return the messages of a session row; whoever shows them empties it."""
    return _FLASHES.validate_json(stored) if stored else []
