"""2,000 timings of each kind of refusal, in turn: whoever measures them learns nothing of who has an account."""

import random
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from support.databases import database_settings
from support.people import NOBODY, PASSWORD, add_person, log_in
from support.timing import auc

from app.settings import Settings
from carboy.testing import override
from containers import Container

TIMINGS = 2000
NEARLY_ALIKE = (0.47, 0.53)
"""Between which areas under the curve two classes are one to a classifier: a tenth of them lies outside by chance."""
UNBOUNDED = tuple(
    f"{name}=1000000/1 hour"
    for name in (
        *("guesses_by_address", "guesses_by_all", "login", "login_from_unknown"),
        *("reset_of_address", "invitation_of_address", "register"),
    )
)
"""Everything is counted, as that takes time too, and nothing refused."""

Attempt = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@pytest.fixture
def container(loaded_settings: Settings, database_url: str) -> Iterator[Container]:
    container = Container()
    changes = {
        "database": database_settings(database_url),
        "limits": loaded_settings.limits.model_copy(update={"rates": UNBOUNDED}),
        "accounts": loaded_settings.accounts.model_copy(update={"registration": "open"}),
    }
    with override(container, settings=loaded_settings.model_copy(update=changes)):
        yield container


async def timings(client: httpx.AsyncClient, attempts: dict[str, Attempt], status: int) -> dict[str, list[float]]:
    """Make all attempts in turn, in an order that chance decides each time, and return what they took."""
    taken: dict[str, list[float]] = {name: [] for name in attempts}
    for _ in range(TIMINGS):
        for name in random.sample([*attempts], len(attempts)):
            began = time.perf_counter()
            answer = await attempts[name](client)
            taken[name].append(time.perf_counter() - began)
            assert answer.status_code == status, answer.text
    return taken


def areas(taken: dict[str, list[float]]) -> dict[str, float]:
    """Compare the first kind with each of the others."""
    first, *others = taken
    return {name: round(auc(taken[name], taken[first]), 3) for name in others}


def failing(name: str, password: str) -> Attempt:
    return lambda client: log_in(client, name, password)


def asking(path: str, email: str) -> Attempt:
    return lambda client: client.post(path, json={"email": email}, headers=NOBODY)


@pytest.mark.timeout(3600)
async def test_logins_that_fail_cannot_be_told_apart(
    client: httpx.AsyncClient, container: Container, tell: Callable[[str], None]
) -> None:
    for name in ("ada", "bob", "cem"):
        await add_person(container, name, password=None if name == "bob" else PASSWORD)
    assert (await client.patch("/api/users/3", json={"active": False})).status_code == 200
    attempts = {
        "a wrong password": failing("ada", "wrong password"),
        "an unknown name": failing("eve", "wrong password"),
        "no password": failing("bob", "wrong password"),
        "disabled": failing("cem", PASSWORD),
    }
    found = areas(await timings(client, attempts, 401))
    tell(f"{TIMINGS} logins that fail for each reason, against a wrong password: {found}")
    assert all(NEARLY_ALIKE[0] <= area <= NEARLY_ALIKE[1] for area in found.values())


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", ["/api/auth/password-reset", "/api/auth/invitation"])
async def test_mails_that_are_asked_for_cannot_be_told_apart(
    client: httpx.AsyncClient, container: Container, tell: Callable[[str], None], path: str
) -> None:
    await add_person(container)
    attempts = {"known": asking(path, "ada@example.org"), "unknown": asking(path, "eve@example.org")}
    found = areas(await timings(client, attempts, 200))
    tell(f"{TIMINGS} requests at {path} for each, against those for a known address: {found}")
    assert NEARLY_ALIKE[0] <= found["unknown"] <= NEARLY_ALIKE[1]
