"""How much the tests do: little by default, all with ``CARBOY_TEST_FULL=1``, which `make torture` sets."""

import os
from typing import TypeVar

IS_FULL = os.environ.get("CARBOY_TEST_FULL") == "1"


T = TypeVar("T")


def size(small: T, full: T) -> T:
    return full if IS_FULL else small
