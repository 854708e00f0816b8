"""Does to a copy of the project what a page of ``docs/how-to`` says."""

import re
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"^```(python|jinja|diff)\n(?:# |\{# )([\w./]+)(?: #\})?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""A block of code whose first line names a file: what that holds, or how it changes."""


def follow(page: Path, folder: Path) -> list[str]:
    """Write the files of a page, make its changes, and return the names of all of them.

    Raises:
        ValueError: What a change takes away is not there once.
    """
    blocks = list(_blocks_of(page))
    for kind, name, code in blocks:
        file = folder / name
        if kind == "diff":
            file.write_text(_changed(file.read_text(encoding="utf-8"), code), encoding="utf-8")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code, encoding="utf-8")
    return [name for _, name, _ in blocks]


def _blocks_of(page: Path) -> Iterator[tuple[str, str, str]]:
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield found[1], found[2], found[3]


def _changed(text: str, diff: str) -> str:
    lines = diff.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] in kinds) for kinds in (" -", " +"))
    if text.count(before) != 1:
        raise ValueError(f"found {text.count(before)} times:\n{before}")
    return text.replace(before, after)
