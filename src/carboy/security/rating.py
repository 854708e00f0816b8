"""Rates how hard a password is to guess, by zxcvbn."""

from math import prod

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE

MAX_READINGS = 8
"""Ways to read a password's digits and signs as letters that are tried: zxcvbn tries all, up to 576, 10 ms for each."""
AS_LETTERS = str.maketrans({sign: letter for letter, signs in L33T_TABLE.items() for sign in signs})


def rate(password: str, words: list[str]) -> tuple[int, str]:
    """Return a password's score, 0 to 4, and what makes it easy to guess, which may be nothing.

    Args:
        password: At most 72 characters.
        words: What its owner is called, which is guessed first.
    """
    if _readings(password) > MAX_READINGS:
        # One of them is enough to find the words in it, and nobody can make the rating take seconds.
        password = password.translate(AS_LETTERS)
    result = zxcvbn(password, user_inputs=words)
    return result["score"], result["feedback"]["warning"]


def _readings(password: str) -> int:
    """Return the number of ways in which zxcvbn reads digits and signs as letters, ``$`` and ``5`` as s, for one."""
    return prod(max(1, sum(sign in password for sign in signs)) for signs in L33T_TABLE.values())
