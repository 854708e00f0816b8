"""Encrypts what must be read again, such as the seed of a second factor (ASVS 5.0 11.2.2, 11.3)."""

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from carboy.config.encryption_keys import DERIVED, KEY_BYTES, parse_keys

NONCE_BYTES = 12
"""As NIST SP 800-38D wants them for random nonces."""


class DecryptionError(Exception):
    """A ciphertext was changed, belongs elsewhere, or its key is no longer configured."""


class Cipher:
    """Encrypts with AES-256-GCM. Each ciphertext names its key, so that keys can be replaced one by one.

    Args:
        keys: The keys of 32 bytes by id. The first encrypts, the others only decrypt.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(self._keys))

    def encrypt(self, secret: str, *, purpose: str) -> str:
        """Return the ciphertext of a text: ``<key id>.<base64>``.

        Args:
            secret: What to encrypt.
            purpose: What it is and whose, such as ``totp seed of account 7``. It is authenticated: a ciphertext that is
                copied to another row cannot be read there.
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, secret.encode(), purpose.encode())
        return f"{self._current}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, ciphertext: str, *, purpose: str) -> str:
        """Return the text of a ciphertext.

        Raises:
            DecryptionError: It cannot be read.
        """
        name, _, sealed = ciphertext.partition(".")
        if name not in self._keys:
            raise DecryptionError(f"No key {name!r} is configured.")
        try:
            content = base64.b64decode(sealed, altchars=b"-_", validate=True)
            return self._keys[name].decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise DecryptionError(f"What key {name!r} has encrypted was changed, or belongs elsewhere.") from None

    def needs_rotation(self, ciphertext: str) -> bool:
        """Tell whether a ciphertext was made with another key than the first: encrypt it anew."""
        return not ciphertext.startswith(f"{self._current}.")


def create_cipher(encryption_keys: SecretStr | None, secret_key: SecretStr) -> Cipher:
    """Make the cipher of the configured keys. One derived from the secret key comes last: alone, it encrypts too."""
    configured = {} if encryption_keys is None else parse_keys(encryption_keys.get_secret_value())
    derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"carboy encryption").derive(
        secret_key.get_secret_value().encode()
    )
    return Cipher(configured | {DERIVED: derived})
