"""What the pages of all domains share."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, cast

from flask import Response, redirect, url_for

from app.security import Actor
from carboy.errors import CarboyError
from carboy.web.application import current_request
from carboy.web.flashes import FlashKind
from carboy.web.pages import PageBlueprint
from carboy.web.redirects import safe_target
from carboy.web.visits import flash

LOGIN = "login_pages.show_login"
"""The endpoint of the page that visitors are sent to."""
HOME = "account.show_overview"
"""The endpoint where a login leads that nobody was sent to."""


def page_blueprint(name: str, import_name: str, url_prefix: str | None = None) -> PageBlueprint:
    return PageBlueprint(name, import_name, login=LOGIN, url_prefix=url_prefix)


def actor() -> Actor:
    """Return who acts: the pages' sessions know nobody but actors of this application."""
    return cast("Actor", current_request().actor)


def go(address: str) -> Response:
    """Send a browser to another page, which it gets by GET, whatever it has sent."""
    return cast("Response", redirect(address, HTTPStatus.SEE_OTHER))


def wanted(target: str | None) -> str:
    """Return where somebody wanted to go, as far as that is within the application; otherwise their account."""
    return safe_target(target, url_for(HOME))


async def attempt(change: Awaitable[object], done: str, *refusals: type[CarboyError]) -> bool:
    """Make a change, and leave a message for the next page of how it went.

    Args:
        change: The call of a service.
        done: What to say if it went well.
        refusals: The errors that are told there: a rule was in the way, not what somebody has filled in.
    """
    try:
        await change
    except refusals as error:
        await flash(str(error), FlashKind.ERROR)
        return False
    await flash(done)
    return True


def go_to(endpoint: str, **arguments: Any) -> Response:
    return go(url_for(endpoint, **arguments))
