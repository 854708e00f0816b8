from flask import Response, request, url_for

from app.accounts.errors import WrongCodeError, WrongCredentialsError
from app.accounts.limits import GUESSES_BY_ADDRESS
from app.accounts.pages.own import forget_session, keep_session
from app.accounts.provided import Logins, Registrations, Sessions
from app.accounts.schemas.auth import Login, PageLogin, SecondStep
from app.accounts.schemas.kinds import SessionState
from app.accounts.services.registration import RegistrationService
from app.accounts.services.sessions import Begun, Way
from app.pages import LOGIN, actor, go, go_to, page_blueprint, wanted
from carboy.di.wiring import current_container
from carboy.forms import Form, render_form, sent_form
from carboy.web.access import credentials_of, public, requires
from carboy.web.application import current_request
from carboy.web.flashes import FlashKind
from carboy.web.pages import PageSessions, page_session
from carboy.web.rate_limits import limited
from carboy.web.sessions import SessionCookie
from carboy.web.visits import flash, render_page

login = page_blueprint("login_pages", __name__)


@login.get("/login")
@public
async def show_login(registrations: Registrations) -> Response:
    """Show the form to log in; who is in already goes on."""
    if not actor().is_anonymous:
        return go(_target())
    return await _render_login(Form(PageLogin), registrations)


@login.post("/login")
@public
@limited(GUESSES_BY_ADDRESS)
async def log_in(service: Logins, registrations: Registrations) -> Response:
    """Log in; where a second factor is on, ask for it next."""
    form = sent_form(PageLogin)
    with form.refusals(WrongCredentialsError):
        given = Login(login=form.content.login, password=form.content.password)
        begun = await service.log_in(actor(), given, Way.PAGE)
        return _follow(begun)
    return await _render_login(form, registrations)


@login.get("/login/second-factor")
@public
async def show_second_factor() -> Response:
    """Show the form for the code of a second factor, while a login waits for it."""
    if _waiting() is None:
        return go_to(LOGIN, next=_target())
    return await render_form("pages/second_factor.html", Form(SecondStep), next=_target())


@login.post("/login/second-factor")
@public
@limited(GUESSES_BY_ADDRESS)
async def confirm_login(service: Logins) -> Response:
    """Finish a login with a code."""
    token = _waiting()
    if token is None:
        return go_to(LOGIN, next=_target())
    form = sent_form(SecondStep, token=token)
    with form.refusals(code=WrongCodeError):
        return _follow(await service.confirm_login(actor(), form.content, Way.PAGE))
    if form.problems and await _is_over():
        await flash("There were too many wrong codes. Log in again.", FlashKind.ERROR)
        return go_to(LOGIN, next=_target())
    return await render_form("pages/second_factor.html", form, next=_target())


@login.get("/logout")
@requires()
async def show_logout() -> Response:
    """Ask whether to log out: following a link changes nothing."""
    return await render_page("pages/logout.html")


@login.post("/logout")
@requires()
async def log_out(service: Sessions) -> Response:
    """Log out, and have the browser forget what it has kept."""
    await service.log_out(actor())
    forget_session()
    return go_to("login_pages.show_logged_out")


@login.get("/logged-out")
@public
async def show_logged_out() -> Response:
    """Say that the session is over."""
    return await render_page("pages/logged_out.html")


async def _render_login(form: Form[PageLogin], registrations: RegistrationService) -> Response:
    return await render_form("pages/login.html", form, next=_target(), is_open=registrations.is_open)


def _follow(begun: Begun) -> Response:
    """Give a browser the cookie of its new session, and send it where it wanted to go, or for its second factor."""
    keep_session(begun)
    if begun.state is SessionState.HALF:
        return go(url_for("login_pages.show_second_factor", next=_target()))
    return go(_target())


def _target() -> str:
    return wanted(request.values.get("next"))


def _waiting() -> str | None:
    """Return the token of the login that waits for its second factor in this browser; None if none does."""
    session = page_session()
    is_half = session is not None and session.row.state is SessionState.HALF
    return _cookie().read(current_request()) if is_half else None


async def _is_over() -> bool:
    """Tell whether the login that waited has ended: wrong codes end it."""
    sessions: PageSessions = current_container().page_sessions()
    held = _cookie().read(current_request())
    session = await sessions.resume(credentials_of(current_request(), cookie=held))
    current_request().page_session = session
    return session is None


def _cookie() -> SessionCookie:
    cookie: SessionCookie = current_container().session_cookie()
    return cookie
