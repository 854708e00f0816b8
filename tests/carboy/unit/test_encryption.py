"""What is encrypted is read with the key that its ciphertext names, and in its own place alone."""

import base64

import pytest
from pydantic import SecretStr

from carboy.config.encryption_keys import parse_keys
from carboy.security.encryption import Cipher, DecryptionError, create_cipher

PURPOSE = "totp seed of account 7"
SECRET_KEY = SecretStr("k" * 32)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def test_a_text_comes_back_and_no_two_ciphertexts_are_alike() -> None:
    cipher = Cipher({"new": NEW})
    ciphertexts = {cipher.encrypt("JBSWY3DP é", purpose=PURPOSE) for _ in range(100)}
    assert len(ciphertexts) == 100
    assert all(cipher.decrypt(one, purpose=PURPOSE) == "JBSWY3DP é" for one in ciphertexts)
    assert not any("JBSWY3DP" in one for one in ciphertexts)


def test_a_ciphertext_cannot_be_read_in_another_place() -> None:
    cipher = Cipher({"new": NEW})
    ciphertext = cipher.encrypt("seed", purpose=PURPOSE)
    with pytest.raises(DecryptionError):
        cipher.decrypt(ciphertext, purpose="totp seed of account 8")


def test_keys_are_replaced_one_by_one() -> None:
    before = Cipher({"old": OLD}).encrypt("seed", purpose=PURPOSE)
    both = Cipher({"new": NEW, "old": OLD})
    assert both.decrypt(before, purpose=PURPOSE) == "seed"
    assert both.needs_rotation(before)
    after = both.encrypt("seed", purpose=PURPOSE)
    assert not both.needs_rotation(after)
    assert Cipher({"new": NEW}).decrypt(after, purpose=PURPOSE) == "seed"
    with pytest.raises(DecryptionError, match="No key 'old'"):
        Cipher({"new": NEW}).decrypt(before, purpose=PURPOSE)


@pytest.mark.parametrize("ciphertext", ["", "new.", "new.AAAA", "new.!", "new", "seed"])
def test_what_is_no_ciphertext_cannot_be_read(ciphertext: str) -> None:
    with pytest.raises(DecryptionError):
        Cipher({"new": NEW}).decrypt(ciphertext, purpose=PURPOSE)


def test_a_changed_ciphertext_cannot_be_read() -> None:
    cipher = Cipher({"new": NEW})
    ciphertext = cipher.encrypt("seed", purpose=PURPOSE)
    for place in range(4, len(ciphertext) - 2):
        changed = ciphertext[:place] + ("A" if ciphertext[place] != "A" else "B") + ciphertext[place + 1 :]
        with pytest.raises(DecryptionError):
            cipher.decrypt(changed, purpose=PURPOSE)


def test_without_keys_one_is_derived_and_can_be_read_once_there_are_some() -> None:
    derived = create_cipher(None, SECRET_KEY)
    ciphertext = derived.encrypt("seed", purpose=PURPOSE)
    assert ciphertext.startswith("derived.")
    keys = SecretStr(f"2026:{base64.b64encode(NEW).decode()}")
    configured = create_cipher(keys, SECRET_KEY)
    assert configured.decrypt(ciphertext, purpose=PURPOSE) == "seed"
    assert configured.encrypt("seed", purpose=PURPOSE).startswith("2026.")
    with pytest.raises(DecryptionError):
        create_cipher(None, SecretStr("x" * 32)).decrypt(ciphertext, purpose=PURPOSE)


def test_keys_are_read_in_either_alphabet_with_or_without_padding() -> None:
    key = b"\xfb\xff" * 16
    texts = [base64.b64encode(key), base64.urlsafe_b64encode(key), base64.urlsafe_b64encode(key).rstrip(b"=")]
    for text in texts:
        assert parse_keys(f"a:{text.decode()}, b:{base64.b64encode(OLD).decode()}") == {"a": key, "b": OLD}


@pytest.mark.parametrize(
    "text", ["", "a", "a:short", f"a:{'A' * 44}", f"derived:{'A' * 43}", f"a:{'A' * 43},a:{'B' * 43}"]
)
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="each key must be"):
        parse_keys(text)
