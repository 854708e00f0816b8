"""How much the tests do: little by default, all with ``CARBOY_TEST_FULL=1``, which `make torture` sets."""

import os

IS_FULL = os.environ.get("CARBOY_TEST_FULL") == "1"


def size(small: int, full: int) -> int:
    return full if IS_FULL else small
