"""What the heavy tests measure, kept in var/torture.json for `python -m bench.reliability`, which draws it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

FILE = Path(__file__).parents[2] / "var" / "torture.json"

Promises = Mapping[str, tuple[float, float]]
"""What was measured, and the most that it may be, by what it is; with its unit, as ``seconds until it is ready``."""

Keep = Callable[[str, Promises], None]


def keep(test: str, part: str, text: str, promises: Promises) -> None:
    """Keep what a test has measured in place of what it measured before.

    Args:
        test: The name of its file.
        part: The name of the test, with its parameters, such as the database.
        text: Its figures, for people.
        promises: Those of them that are promised.
    """
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    kept.setdefault(test, {})[part] = {"text": text, "promises": {name: [*pair] for name, pair in promises.items()}}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
