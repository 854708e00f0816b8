"""A new password is long, hard to guess, and not known; of what characters it consists is its owner's choice."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.passwords import cheap
from zxcvbn import matching

from carboy.errors import InvalidInputError
from carboy.security.passwords import PasswordThreads
from carboy.security.strength import PasswordPolicy

GOOD = "murky-otter juggles tin"


class Breaches:
    """Knows one password, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def is_breached(self, password: str) -> bool:
        self.asked += 1
        return password == GOOD


@pytest.fixture
def threads() -> Iterator[PasswordThreads]:
    threads = PasswordThreads(cheap())
    threads.open()
    yield threads
    threads.close()


@pytest.fixture
def policy(threads: PasswordThreads) -> PasswordPolicy:
    return PasswordPolicy(cheap(), threads)


async def reason(policy: PasswordPolicy, password: str, *words: str, has_second_factor: bool = False) -> str | None:
    try:
        await policy.check(password, words=words, has_second_factor=has_second_factor, pointer="#/new_password")
    except InvalidInputError as error:
        [problem] = error.extensions["errors"]
        assert problem["pointer"] == "#/new_password"
        assert password not in problem["detail"]
        return str(problem["detail"])
    return None


@pytest.mark.parametrize("password", [GOOD, "только-кириллица-ок", "\U0001f427 penguins 7 gather!", "x9" + GOOD * 10])
async def test_any_characters_make_a_good_password(policy: PasswordPolicy, password: str) -> None:
    assert await reason(policy, password) is None


async def test_a_password_is_from_15_to_256_characters_long(policy: PasswordPolicy) -> None:
    assert await reason(policy, "m7#Qv2!xL9$wR4") == "Must have at least 15 characters."
    assert await reason(policy, "m7#Qv2!xL9$wR4z") is None
    assert await reason(policy, (GOOD * 12)[:256]) is None
    assert await reason(policy, (GOOD * 12)[:257]) == "Must have at most 256 characters."


async def test_with_a_second_factor_eight_characters_suffice(policy: PasswordPolicy) -> None:
    assert await reason(policy, "m7#Qv2!x", has_second_factor=True) is None
    assert await reason(policy, "m7#Qv2!", has_second_factor=True) == "Must have at least 8 characters."


@pytest.mark.parametrize("password", ["passwordpassword", "1234567890123456789", "qwertyuiopasdfgh", "a" * 256])
async def test_a_password_that_is_easy_to_guess_is_refused(policy: PasswordPolicy, password: str) -> None:
    assert str(await reason(policy, password)).startswith("Is too easy to guess.")


@pytest.mark.parametrize("password", ["\ud800" * 20, "\x00" * 20, "\u202e" * 256, "ﷺ" * 256, "a\u0301" * 128])
async def test_odd_characters_are_rated_like_any_others(policy: PasswordPolicy, password: str) -> None:
    assert str(await reason(policy, password)).startswith("Is too easy to guess.")


@pytest.mark.parametrize("password", ["4@8({[<369!1|i0$5+7%2" * 4, "4@8({[<369!1|i0$5+7%2" + GOOD, "@4$5+7 " * 11])
async def test_no_password_makes_its_rating_take_seconds(
    policy: PasswordPolicy, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = 0
    search = matching.dictionary_match

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal searches
        searches += 1
        return search(*args, **options)

    monkeypatch.setattr(matching, "dictionary_match", counted)
    await reason(policy, password)
    # Each takes up to 10 milliseconds; before they were bounded there were more than 500.
    assert 0 < searches < 50


@pytest.mark.parametrize("password", ["ada.lovelace@ex.org", "Carboy-LOVELACE-42!", "analytical-lovelace"])
async def test_own_words_do_not_make_a_password(policy: PasswordPolicy, password: str) -> None:
    words = ("ada", "Ada Lovelace", "ada.lovelace@ex.org", "Analytical Engines")
    assert "your name" in str(await reason(policy, password, *words))


async def test_an_own_word_may_be_part_of_a_long_password(policy: PasswordPolicy) -> None:
    assert await reason(policy, f"lovelace {GOOD}", "lovelace") is None


async def test_a_breached_password_is_refused_and_only_good_ones_are_asked_about(threads: PasswordThreads) -> None:
    breaches = Breaches()
    policy = PasswordPolicy(cheap(), threads, breaches)
    assert "breach" in str(await reason(policy, GOOD))
    assert await reason(policy, f"{GOOD}, too") is None
    assert await reason(policy, "short") is not None
    assert breaches.asked == 2
