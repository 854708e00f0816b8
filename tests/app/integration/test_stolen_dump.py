"""Whoever steals the database and the logs can log in with nothing of it (ASVS 5.0 11.4.2, 6.5.2)."""

from pathlib import Path

import httpx
import pytest
from support.people import OTHER, PASSWORD
from support.stolen import live, logging_to, replay, shown_in, stored_bytes, stored_values

from app.settings import Settings
from carboy.security.tokens import digest_of
from containers import Container


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    """Log all there is to log, and count no guesses: each value is tried."""
    logging = loaded_settings.logging.model_copy(update={"level": "DEBUG"})
    limits = loaded_settings.limits.model_copy(update={"enabled": False})
    return loaded_settings.model_copy(update={"logging": logging, "limits": limits})


async def test_no_secret_stands_in_the_database_or_in_the_logs(
    client: httpx.AsyncClient, container: Container, tmp_path: Path
) -> None:
    with logging_to(tmp_path / "log"):
        secrets = await live(client, container, "ada", PASSWORD, OTHER)
    assert len(secrets) == 21
    stored, logged = await stored_bytes(container), (tmp_path / "log").read_bytes()
    # What is looked for can be found: digests are stored, and requests are logged.
    assert shown_in(stored, [digest_of(secrets[-3])]) != []
    assert b"/api/auth/login" in logged
    assert shown_in(stored, secrets) == []
    assert shown_in(logged, secrets) == []


async def test_nothing_that_is_stored_lets_anybody_in(client: httpx.AsyncClient, container: Container) -> None:
    await live(client, container, "ada", PASSWORD, OTHER)
    values = sorted({value for value in await stored_values(container) if len(value) > 20})
    assert len(values) > 30
    for value in values:
        assert await replay(client, value) <= {400, 401, 422}, value
