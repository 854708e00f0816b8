"""Settings for hashes that cost next to nothing."""

from typing import Any

from carboy.config.settings import PasswordSettings


def cheap(**changes: Any) -> PasswordSettings:
    values: dict[str, Any] = {
        "memory_kib": 8,
        "iterations": 1,
        "parallelism": 1,
        "threads": 1,
        "queue": 4,
        "min_length": 15,
        "min_length_with_second_factor": 8,
        "max_length": 256,
        "min_score": 3,
        "own_words": ("carboy",),
    }
    return PasswordSettings(**values | changes)
