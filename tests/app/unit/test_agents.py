"""What a client calls itself, in words."""

import pytest

from app.accounts.pages.agents import name_of

MOZILLA = "Mozilla/5.0"
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/143.0 Safari/537.36", "Chrome on Windows"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/143.0 Safari/537.36 Edg/143.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/26.0 Safari/605.1.15", "Safari on macOS"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 26_0 like Mac OS X) {WEBKIT} CriOS/143.0 Safari/604.1", "Chrome on iPhone"),
        (f"{MOZILLA} (Linux; Android 16) {WEBKIT} Chrome/143.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{MOZILLA} (Amiga) Firefox/1.0", "Firefox"),
        ("curl/8.17.0", "curl"),
        ("/", "Unknown program"),
        (None, "Unknown program"),
    ],
)
def test_a_program_is_named_in_a_word_or_three(agent: str | None, name: str) -> None:
    assert name_of(agent) == name
