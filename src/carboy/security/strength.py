"""Decides whether a new password is good enough (ASVS 5.0 6.2, NIST SP 800-63B section 3.1.1)."""

import re
from collections.abc import Collection, Iterable
from math import prod
from typing import Protocol

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE

from carboy.config.settings import PasswordSettings
from carboy.errors import FieldProblem, InvalidInputError
from carboy.security.passwords import PasswordThreads

RATED = 72
"""Characters that are rated: zxcvbn's time grows with the square of them, and it takes no more."""
MAX_READINGS = 8
"""Ways to read a password's digits and signs as letters that are tried: zxcvbn tries all, up to 576, 10 ms for each."""
AS_LETTERS = str.maketrans({sign: letter for letter, signs in L33T_TABLE.items() for sign in signs})
MIN_WORD = 4
"""Characters of an own word that is looked for; shorter ones stand in many good passwords by chance."""
MIN_REST = 8
"""Characters that must be left of a password without own words."""


class BreachedPasswords(Protocol):
    """Knows the passwords of public breaches."""

    async def is_breached(self, password: str) -> bool:
        """Tell whether a password is known; False if that cannot be found out in time."""


class PasswordPolicy:
    """What a new password must be. There are no rules of composition, and none of expiry (ASVS 5.0 6.2.5, 6.2.10).

    Args:
        settings: The lengths, the score and the product's own words.
        threads: Where passwords are rated.
        breaches: The service that knows breached passwords; None where there is none.
    """

    def __init__(
        self, settings: PasswordSettings, threads: PasswordThreads, breaches: BreachedPasswords | None = None
    ) -> None:
        self._settings = settings
        self._threads = threads
        self._breaches = breaches

    @property
    def min_length(self) -> int:
        """The least number of characters of a password that lets somebody in alone."""
        return self._settings.min_length

    async def check(
        self,
        password: str,
        *,
        words: Iterable[str | None] = (),
        has_second_factor: bool = False,
        pointer: str = "#/password",
    ) -> None:
        """Refuse a password that is too short, too long, easy to guess, or breached.

        Args:
            password: The new password.
            words: What the account's owner is called: name, email address, company.
            has_second_factor: Whether a password alone does not let anyone in; it may be shorter then.
            pointer: Where the password stands in the body.

        Raises:
            InvalidInputError: Says what is wrong, without repeating the password.
            PasswordsBusyError: Too many passwords are being checked.
        """
        reason = await self._reason(password, _parts(words), has_second_factor=has_second_factor)
        if reason is not None:
            raise InvalidInputError([FieldProblem(pointer=pointer, detail=reason)])

    async def _reason(self, password: str, words: Collection[str], *, has_second_factor: bool) -> str | None:
        settings = self._settings
        least = settings.min_length_with_second_factor if has_second_factor else settings.min_length
        if len(password) < least:
            return f"Must have at least {least} characters."
        if len(password) > settings.max_length:
            return f"Must have at most {settings.max_length} characters."
        own = {*words, *_parts(settings.own_words)}
        if len(_without(password.casefold(), own)) < MIN_REST:
            return "Must not consist of your name, your email address or the name of this product."
        score, warning = await self._threads.run(_rate, password[:RATED], sorted(own))
        # The best of eight characters do not reach the score of a long one.
        if score < settings.min_score - has_second_factor:
            return f"Is too easy to guess. {warning}".strip()
        if self._breaches is not None and await self._breaches.is_breached(password):
            return "Is known from a breach of another service. Choose one that you use nowhere else."
        return None


def _parts(words: Iterable[str | None]) -> set[str]:
    """Return the words, and the parts of those that have several, such as an email address."""
    whole = {word.casefold() for word in words if word}
    parts = {part for word in whole for part in re.split(r"[\W_]+", word)}
    return {word for word in whole | parts if len(word) >= MIN_WORD}


def _without(password: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        password = password.replace(word, "")
    return password


def _readings(password: str) -> int:
    """Return the number of ways in which zxcvbn reads digits and signs as letters, ``$`` and ``5`` as s, for one."""
    return prod(max(1, sum(sign in password for sign in signs)) for signs in L33T_TABLE.values())


def _rate(password: str, words: list[str]) -> tuple[int, str]:
    if _readings(password) > MAX_READINGS:
        # One of them is enough to find the words in it, and nobody can make the rating take seconds.
        password = password.translate(AS_LETTERS)
    result = zxcvbn(password, user_inputs=words)
    return result["score"], result["feedback"]["warning"]
