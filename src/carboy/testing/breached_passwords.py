"""Breached passwords of a test's own choice."""

from collections.abc import Iterable


class FakeBreachedPasswords:
    """Stands for the range API of breached passwords, and passes the same contract tests as its client.

    Args:
        passwords: Those that are known from a breach.
    """

    def __init__(self, passwords: Iterable[str] = ()) -> None:
        self.passwords = set(passwords)

    async def is_breached(self, password: str) -> bool:
        return password in self.passwords
