"""An application whose routes say who may use them, and an authenticator that knows a few tokens."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import httpx
import pytest
import pytest_asyncio
from dependency_injector import containers, providers
from flask import Flask
from pydantic import BaseModel

from carboy.api import ApiBlueprint, Created, limited, public, requires
from carboy.bridge import FlaskASGI
from carboy.config.settings import HttpSettings, Settings
from carboy.di.wiring import unwire, wire
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.services import IdempotencyService
from carboy.limits.daos import RateLimitCountDao
from carboy.limits.schemas import By, Limit
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, MemoryStorage
from carboy.schemas.base import Input
from carboy.security.actor import ANONYMOUS, Actor, ActorKind, Credentials
from carboy.security.errors import InvalidTokenError
from carboy.testing import MemoryDatabase
from carboy.testing.client import client_of
from carboy.web import problems, proxies
from carboy.web.application import Application

notes = ApiBlueprint("notes", __name__, url_prefix="/notes", description="Notes.")


class NoteInput(Input):
    text: str


class Note(BaseModel):
    author: int | None
    text: str


@notes.get("/open")
@public
async def read_open() -> Note:
    """Read what is for everybody."""
    return Note(author=None, text="open")


@notes.get("/maybe")
@public
async def read_maybe(actor: Actor) -> Note:
    """Read what differs for those who are known."""
    return Note(author=actor.account_id, text=actor.kind)


@notes.get("/any")
@requires()
async def read_any(actor: Actor) -> Note:
    """Read what every account may read."""
    return Note(author=actor.account_id, text="any")


@notes.post("/<int:user_id>")
@requires("notes:write", own="user_id")
async def write_note(user_id: int, new: NoteInput, actor: Actor) -> Note:
    """Write a note for a user."""
    return Note(author=actor.account_id, text=new.text)


@notes.post("")
@requires()
async def create_note(new: NoteInput, actor: Actor) -> Created[Note]:
    """Write a note of one's own."""
    return Created(Note(author=actor.account_id, text=new.text), f"/notes/{actor.account_id}")


@notes.delete("/<int:user_id>")
@requires("notes:write")
async def delete_note(user_id: Annotated[int, "whose"]) -> None:
    """Delete a user's notes."""


@notes.post("/guess")
@public
@limited(
    Limit(name="guess_by_address", rate="2/minute", is_strict=True),
    Limit(name="guess_in_all", rate="3/minute", by=By.ALL),
)
async def guess(new: NoteInput) -> Note:
    """Guess what a note says."""
    return Note(author=None, text=new.text)


@notes.get("/often")
@requires()
@limited(Limit(name="often", rate="2/minute", by=By.ACCOUNT))
async def read_often() -> Note:
    """Read something."""
    return Note(author=None, text="often")


class TokensOfTests:
    """Knows ``one`` and ``two``, members, ``reader``, whose token may only read, and ``admin``."""

    def __init__(self) -> None:
        self.asked: list[Credentials] = []
        member, write = frozenset({"notes:read"}), frozenset({"notes:read", "notes:write"})
        self._actors = {
            "one": Actor(kind=ActorKind.PERSON, account_id=1, permissions=member),
            "two": Actor(kind=ActorKind.PERSON, account_id=2, permissions=member),
            "reader": Actor(kind=ActorKind.PERSON, account_id=1, permissions=write, scopes=member),
            "admin": Actor(kind=ActorKind.PERSON, account_id=9, permissions=write),
        }

    async def authenticate(self, credentials: Credentials) -> Actor:
        self.asked.append(credentials)
        if credentials.bearer is None:
            return ANONYMOUS
        if credentials.bearer not in self._actors:
            raise InvalidTokenError
        return self._actors[credentials.bearer]


class Container(containers.DeclarativeContainer):
    authenticator = providers.Singleton(TokensOfTests)
    database = providers.Singleton(MemoryDatabase)
    idempotency_key_dao = providers.Singleton(IdempotencyKeyDao, database=database)
    idempotency_service = providers.Singleton(
        IdempotencyService, unit_of_work=database, keys=idempotency_key_dao, lifetime_hours=1
    )
    rate_limit_count_dao = providers.Singleton(RateLimitCountDao, database=database)
    rate_limiter = providers.Singleton(
        RateLimiter,
        strict=providers.Singleton(DatabaseStorage, unit_of_work=database, counts=rate_limit_count_dao),
        ordinary=providers.Singleton(MemoryStorage),
    )


def create_app(container: containers.Container, http: HttpSettings) -> Flask:
    app = Application("guarded", static_folder=None)
    app.config["REQUIRE_IF_MATCH"] = False
    proxies.init_app(app, http)
    problems.init_app(app)
    app.register_blueprint(notes)
    wire(container, app)
    return app


@pytest.fixture
def tokens() -> TokensOfTests:
    return TokensOfTests()


@pytest.fixture
def hops() -> int:
    """How many proxies are believed."""
    return 0


@pytest.fixture
def guarded(tokens: TokensOfTests, settings: Settings, hops: int) -> Iterator[Flask]:
    container = Container()
    container.authenticator.override(tokens)
    yield create_app(container, settings.http.model_copy(update={"trusted_hops": hops}))
    unwire(container)


@pytest_asyncio.fixture
async def caller(guarded: Flask) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FlaskASGI(guarded)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
