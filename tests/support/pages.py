"""An application with pages, and sessions that are kept in memory."""

import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from dependency_injector import containers, providers
from flask import Flask, Response, redirect, request

from carboy.bridge import FlaskASGI
from carboy.di.wiring import unwire, wire
from carboy.limits.daos import RateLimitCountDao
from carboy.limits.schemas import By, Limit
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, MemoryStorage
from carboy.security.actor import ANONYMOUS, Actor, ActorKind, Credentials
from carboy.testing import MemoryDatabase
from carboy.testing.client import client_of
from carboy.web import headers, problems
from carboy.web.access import public, requires
from carboy.web.application import Application
from carboy.web.pages import PageBlueprint, PageSession, csrf_token, page_session
from carboy.web.rate_limits import limited
from carboy.web.redirects import safe_target
from carboy.web.sessions import SessionCookie

PERSON = Actor(kind=ActorKind.PERSON, account_id=1)
ADMIN = Actor(kind=ActorKind.PERSON, account_id=9, permissions=frozenset({"users:write"}))

pages = PageBlueprint("pages", __name__, login="pages.show_login")


@pages.get("/login")
@public
async def show_login() -> str:
    session = page_session()
    return csrf_token(session) if session is not None else "no form"


@pages.post("/login")
@public
async def log_in() -> Response:
    response = redirect(safe_target(request.form.get("next"), "/account"))
    assert isinstance(response, Response)
    SessionCookie(is_secure=False).write(response, "person")
    return response


@pages.get("/account")
@requires()
async def show_account() -> str:
    return csrf_token()


@pages.post("/account")
@requires()
async def change_account() -> str:
    return "changed"


@pages.get("/blocking")
@requires()
@limited(Limit(name="blocking", rate="2/minute", is_strict=True))
def show_blocking() -> str:
    """Run on a thread."""
    return threading.current_thread().name


@pages.get("/silent")
async def show_silent() -> str:
    return "for those who are known"


@pages.get("/admin")
@requires("users:write")
async def show_admin() -> str:
    return "admin"


@pages.get("/often")
@requires()
@limited(Limit(name="often", rate="1/minute", by=By.ACCOUNT))
async def show_often() -> str:
    return "often"


def session_of(cookie: str, actor: Actor, flashes: str | None) -> PageSession:
    return PageSession(actor=actor, csrf_secret=f"secret of {cookie}", flashes=flashes)


class SessionsOfTests:
    """Knows the cookies ``visitor``, ``person`` and ``admin``. All of them share their messages."""

    flashes: str | None = None

    async def resume(self, credentials: Credentials) -> PageSession | None:
        actor = {"visitor": ANONYMOUS, "person": PERSON, "admin": ADMIN}.get(str(credentials.cookie))
        return None if actor is None else session_of(str(credentials.cookie), actor, self.flashes)

    async def begin(self, credentials: Credentials) -> tuple[PageSession, str]:
        return session_of("visitor", ANONYMOUS, None), "visitor"

    async def keep_flashes(self, session: PageSession, flashes: str | None) -> None:
        self.flashes = flashes


class Container(containers.DeclarativeContainer):
    page_sessions = providers.Singleton(SessionsOfTests)
    session_cookie = providers.Singleton(SessionCookie, is_secure=False)
    database = providers.Singleton(MemoryDatabase)
    rate_limit_count_dao = providers.Singleton(RateLimitCountDao, database=database)
    rate_limiter = providers.Singleton(
        RateLimiter,
        strict=providers.Singleton(DatabaseStorage, unit_of_work=database, counts=rate_limit_count_dao),
        ordinary=providers.Singleton(MemoryStorage),
    )


@pytest.fixture
def paged() -> Iterator[Flask]:
    container = Container()
    app = Application("pages", static_folder=None)
    problems.init_app(app)
    headers.init_app(app)
    app.register_blueprint(pages)
    wire(container, app)
    yield app
    unwire(container)


@pytest_asyncio.fixture
async def browser(paged: Flask) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FlaskASGI(paged)) as client:
        client.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        yield client
