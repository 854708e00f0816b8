"""The kinds of things that accounts consist of; their values are what is stored."""

from enum import StrEnum


class AccountKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"


class Purpose(StrEnum):
    """What a one-time token is for. None can be used for another."""

    RESET = "reset"
    VERIFY = "verify"
    CHANGE_EMAIL = "change_email"
    INVITE = "invite"
    FIRST_ADMINISTRATOR = "first_administrator"


class CredentialKind(StrEnum):
    """By what a person comes in. A passkey will be one more."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind.
    TOTP = "totp"
    RECOVERY = "recovery"


class SessionState(StrEnum):
    """How far a login has come. One that waits for a second factor may do nothing else (ASVS 5.0 2.3.1)."""

    PRE = "pre"
    """Nobody has logged in; it carries the forms of those who may."""
    HALF = "half"
    FULL = "full"


class TokenKind(StrEnum):
    """What of a session a client holds."""

    ACCESS = "access"
    REFRESH = "refresh"
    COOKIE = "cookie"
    HALF = "half"
    """Of a login that waits for its second factor."""
