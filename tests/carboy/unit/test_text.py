"""What the document says of text is what is taken."""

import re
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from carboy.schemas import Prose, Text

EVERY = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize("kind", [Text, Prose])
def test_the_documented_pattern_is_what_is_taken(kind: Any) -> None:
    adapter = TypeAdapter(kind)
    pattern = re.compile(adapter.json_schema()["pattern"])

    def is_taken(text: str) -> bool:
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    # Runs of what is documented as allowed, and each other one alone: most runs hold nothing else.
    for run in (EVERY[place : place + 1000] for place in range(0, len(EVERY), 1000)):
        refused = [] if pattern.fullmatch("".join(run)) else [one for one in run if not pattern.fullmatch(one)]
        taken = "".join(one for one in run if one not in refused)
        assert not taken or is_taken(taken)
        assert not any(map(is_taken, refused))


def test_the_pattern_names_no_separator_of_lines() -> None:
    assert not re.search(r"\\u202[89]", TypeAdapter(Text).json_schema()["pattern"])
