"""A token is recognised by its shape, stored as a digest, and shown by nothing but `reveal`."""

import hashlib
import re

import pytest

from carboy.security.tokens import Token, Tokens

TOKENS = Tokens("carboy")


def test_a_token_has_the_shape_that_scanners_look_for() -> None:
    text = TOKENS.new("access").reveal()
    assert re.fullmatch(r"carboy_access_[0-9A-Za-z]{49}", text)


def test_a_token_is_read_as_it_was_made() -> None:
    token = TOKENS.new("refresh")
    assert TOKENS.parse(token.reveal()) == token
    assert TOKENS.parse(token.reveal(), kind="refresh") == token
    assert TOKENS.parse(token.reveal(), kind="access") is None


def test_no_two_tokens_are_alike() -> None:
    assert len({TOKENS.new("access").digest for _ in range(1000)}) == 1000


def test_a_token_with_one_wrong_character_is_refused_without_a_query() -> None:
    text = TOKENS.new("access").reveal()
    for place in range(len(text)):
        wrong = text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]
        assert TOKENS.parse(wrong) is None, place


def test_a_token_of_one_kind_cannot_be_relabelled() -> None:
    text = TOKENS.new("access").reveal()
    assert TOKENS.parse(text.replace("_access_", "_admin_")) is None


@pytest.mark.parametrize("text", ["", "carboy", "carboy_access_", "é" * 62, "carboy_access_" + "0" * 49, "x" * 10**5])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert TOKENS.parse(text) is None
    assert TOKENS.parse(f"{TOKENS.new('access').reveal()}\n") is None


def test_another_product_has_tokens_of_its_own() -> None:
    assert Tokens("shop").parse(TOKENS.new("access").reveal()) is None
    assert Tokens("shop").new("access").reveal().startswith("shop_access_")


def test_a_token_is_shown_by_nothing_but_reveal() -> None:
    token = TOKENS.new("access")
    shown = f"{token} {token!r} {[token]}"
    assert token.reveal() not in shown
    assert token.reveal()[-49:] not in shown
    assert "access" in shown


def test_the_digest_is_that_of_the_whole_text() -> None:
    token = TOKENS.new("access")
    assert token.digest == hashlib.sha256(token.reveal().encode()).hexdigest()


@pytest.mark.parametrize("kind", ["", "Access", "a_b", "a b"])
def test_a_kind_consists_of_small_letters_and_digits(kind: str) -> None:
    with pytest.raises(ValueError, match="kind of token"):
        TOKENS.new(kind)


def test_a_token_is_a_value() -> None:
    assert Token("access", "x") == Token("access", "x")
    assert len({Token("access", "x"), Token("access", "x")}) == 1
