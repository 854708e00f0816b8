"""What the pages of one's own account share."""

from flask import Response, after_this_request

from app.accounts.pages.agents import name_of
from app.accounts.services.sessions import Begun
from app.pages import actor, go_to, page_blueprint
from app.security import FreshLoginRequiredError
from app.settings import Settings
from carboy.di.wiring import current_container
from carboy.web.application import current_request
from carboy.web.csrf import SAFE_METHODS
from carboy.web.pages import PageBlueprint
from carboy.web.redirects import path_of, target_of
from carboy.web.sessions import SessionCookie
from carboy.web.visits import give_cookie


def own_pages(name: str, import_name: str, section: str = "") -> PageBlueprint:
    """Return a blueprint below ``/account``. Where a fresh login is needed it asks for one, and comes back.

    Args:
        name: The blueprint's name.
        import_name: The module's ``__name__``.
        section: The end of its address, such as ``/keys``.
    """
    pages = page_blueprint(name, import_name, f"/account{section}")
    pages.register_error_handler(FreshLoginRequiredError, _ask_to_confirm)
    pages.add_app_template_filter(name_of, "program")
    return pages


def require_fresh() -> None:
    """Ask for a fresh login before a form is filled in that would need one.

    Raises:
        FreshLoginRequiredError: The login was too long ago.
    """
    settings: Settings = current_container().settings()
    actor().require_fresh(settings.accounts.fresh)


def keep_session(begun: Begun) -> None:
    """Give the browser the new cookie of a session.

    Raises:
        RuntimeError: The session is one of the API.
    """
    if begun.cookie is None:
        raise RuntimeError("The session of a page has no cookie.")
    give_cookie(begun.cookie.reveal())


def forget_session() -> None:
    """Have the browser forget its session, which is over, and what else it kept, with the answer of this request."""
    cookie: SessionCookie = current_container().session_cookie()

    @after_this_request
    def delete(response: Response) -> Response:
        cookie.delete(response)
        return response

    current_request().page_session = None


def _ask_to_confirm(_error: FreshLoginRequiredError) -> Response:
    request = current_request()
    # Each form that needs a fresh login is sent to the address of its page.
    target = target_of(request) if request.method in SAFE_METHODS else path_of(request)
    return go_to("account.show_confirmation", next=target)
