"""Somebody with a browser: opens pages, fills their forms in and follows where they lead, without a server."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from support.people import PASSWORD

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
SESSION = "session"
"""The name of the session's cookie over plain HTTP."""


class Visitor:
    """One browser: its cookies, and the page that it shows."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        # The client of the tests sends a key, which pages must not look at.
        self._client = client
        self._client.headers["Accept"] = HTML
        self.page: httpx.Response | None = None

    @property
    def text(self) -> str:
        assert self.page is not None
        return self.page.text

    @property
    def path(self) -> str:
        """The path and query of the page that is shown."""
        assert self.page is not None
        parts = urlsplit(str(self.page.url))
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def session(self) -> str | None:
        return self._client.cookies.get(SESSION)

    @property
    def token(self) -> str:
        """The token of the form that is shown."""
        found = TOKEN.search(self.text)
        assert found is not None, self.text
        return found[1]

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Open a page, and follow where it leads."""
        self.page = await self._client.get(path, headers=headers, follow_redirects=True)
        return self.page

    async def send(self, path: str, fields: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Send the form that is shown, and follow where it leads."""
        data = {"csrf_token": self.token, **(fields or {})}
        self.page = await self._client.post(path, data=data, headers=headers, follow_redirects=True)
        return self.page

    async def log_in(self, name: str = "ada", password: str = PASSWORD, **more: str) -> httpx.Response:
        await self.open("/login")
        return await self.send("/login", {"login": name, "password": password, **more})
