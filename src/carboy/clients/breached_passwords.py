"""Looks a password up among those of breaches, without telling it (ASVS 5.0 6.2.12).

The range API of Pwned Passwords is given the first five characters of a SHA-1 digest and answers with the rest of all
digests that begin so, several hundred (k-anonymity). With padding, answers of all prefixes are alike in size.
"""

import re
from hashlib import sha1

from carboy.clients.api import ApiClient
from carboy.clients.connections import HttpClient
from carboy.clients.errors import UpstreamError

URL = "https://api.pwnedpasswords.com"
PREFIX = 5
"""Characters of the digest that the API is told."""
LISTING = re.compile(r"([0-9A-F]{35}:[0-9]+(\r?\n|\Z))+")


class BreachedPasswordsClient(ApiClient):
    """A client of the range API. While that does not answer, every password is taken for good, and counted.

    Attributes:
        unchecked: How many passwords could not be looked up.
    """

    name = "breached_passwords"
    # Somebody waits with a form, and an answer is no condition for going on.
    total_timeout = 1.5

    def __init__(self, http: HttpClient, base_url: str = URL) -> None:
        super().__init__(http, base_url, headers={"Add-Padding": "true", "Accept": "text/plain"})
        self.unchecked = 0

    async def is_breached(self, password: str) -> bool:
        """Tell whether a password is known from a breach."""
        digest = sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()
        try:
            return digest[PREFIX:] in await self._suffixes(digest[:PREFIX])
        except UpstreamError:
            self.unchecked += 1
            return False

    async def _suffixes(self, prefix: str) -> frozenset[str]:
        listing = (await self.send("GET", "range", prefix)).body.decode("ascii", "replace")
        if not LISTING.fullmatch(listing):
            raise UpstreamError
        entries = (line.split(":") for line in listing.split())
        # What is there for padding has been seen 0 times.
        return frozenset(suffix for suffix, count in entries if int(count) > 0)


def create_breached_passwords(http: HttpClient, *, is_enabled: bool) -> BreachedPasswordsClient | None:
    """Return None where the configuration says that passwords are not looked up."""
    return BreachedPasswordsClient(http) if is_enabled else None
