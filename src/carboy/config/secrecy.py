"""Refuses weak or published secrets in staging and production."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from carboy.config.keys import Keys, holds_secret
from carboy.config.settings import MIN_SECRET_LENGTH

MIN_DIFFERENT = 8
"""Different characters that a secret must have. Of keys of 32 random hexadecimal digits 4 in 100 million have fewer."""
SAMPLE = re.compile(r"sample|example|change.?me|secret.?key", re.IGNORECASE)


def check_secrets(
    keys: Keys, values: Mapping[str, Any], sources: Mapping[str, str], variable: Callable[[str], str]
) -> Iterator[str]:
    """Yield a line for each secret that stands in config.yaml, and for a key that is easy to guess."""
    for key, kind in keys.values.items():
        value = values.get(key)
        if not value or not holds_secret(kind):
            continue
        if not sources[key].startswith(variable(key)):
            yield f"{key}: a secret must not stand in a file (from {sources[key]}); set {variable(key)}."
        elif key == "security.secret_key" and (reason := _weakness(str(value))):
            yield f"{key}: {reason} (from {sources[key]})."


def _weakness(secret: str) -> str | None:
    """Say why a secret of sufficient length is easy to guess, without showing it; None if it does not look so."""
    if len(secret) < MIN_SECRET_LENGTH:
        # The settings themselves refuse it.
        return None
    if SAMPLE.search(secret):
        return "this is a sample, not a secret"
    if secret != secret.strip():
        return "it begins or ends with a blank, which is hardly meant"
    if len(set(secret)) < MIN_DIFFERENT:
        return f"it has fewer than {MIN_DIFFERENT} different characters"
    # A text that is found again within its own double consists of repetitions.
    if secret in (secret + secret)[1:-1]:
        return "it repeats itself"
    return None
