"""Shows the settings without their secrets."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from carboy.config.keys import LISTS

PLAIN_URL = re.compile(
    r"(?P<scheme>[\w+]+://)((?P<user>[^:/@?]*)(?P<password>:[^@?]*)?(?P<at>@))?(?P<rest>[^@?]*)(\?[^@]*)?"
)
"""A URL in which it is plain what is a password: one with an @ or ? too many could show the end of it."""

MASK = "********"


def walk(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting as a dotted key and its value, in the order of the models."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from walk(value, f"{prefix}{name}.")
        elif prefix or name != "environment":
            yield f"{prefix}{name}", value


def masked(key: str, value: object) -> str:
    """Return a value as it may be shown: of a secret nothing, of a URL all but its password and query.

    A list is shown as a variable would set it.
    """
    if value is None:
        return "null"
    if isinstance(value, LISTS):
        return ",".join(map(str, value))
    if not isinstance(value, SecretStr):
        return str(value)
    url = PLAIN_URL.fullmatch(value.get_secret_value()) if key == "database.url" else None
    if url is None:
        return MASK
    password = "" if url["password"] is None else f":{MASK}"
    return f"{url['scheme']}{url['user'] or ''}{password}{url['at'] or ''}{url['rest']}"
