"""Kinds of field that several schemas have."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.security import Permission
from carboy.schemas import Text
from carboy.schemas.text import Described

MAX_TYPED = 1024
"""Characters of a password that are looked at; none that was accepted is longer than `passwords.max_length`."""

Typed = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TYPED)]
"""A secret that somebody typed: it is taken exactly as it is (ASVS 5.0 6.2.8)."""

Password = Annotated[Typed, Described(format="password", examples=["several-words-nobody-else-would-put-together"])]
Code = Annotated[str, StringConstraints(min_length=6, max_length=64), Described(examples=["123456"])]
"""A code of an authenticator app, or a recovery code."""
TokenText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=80)]


def once_each(scopes: list[Permission]) -> list[Permission]:
    return list(dict.fromkeys(scopes))


Scopes = Annotated[
    list[Permission],
    Field(min_length=1, max_length=len(Permission)),
    AfterValidator(once_each),
    Described(description="The only permissions that it may be used for; without them, all that its account has."),
]


def spell_scopes(scopes: list[Permission] | None) -> str | None:
    """Return how scopes are stored."""
    return None if scopes is None else " ".join(scopes)


def read_scopes(stored: str | None) -> frozenset[str] | None:
    """Return the scopes that are stored; None if there is no limit."""
    return None if stored is None else frozenset(stored.split())
