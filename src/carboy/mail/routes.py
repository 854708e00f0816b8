"""Pages of development that show the mails in files."""

import re
from email.message import EmailMessage
from http import HTTPStatus
from typing import Annotated

from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Response, abort, render_template

from carboy.mail.transports import MailFolder
from carboy.web.access import public

dev_mail = Blueprint("dev_mail", __name__, url_prefix="/dev/mail", template_folder="templates")

PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""A mail's HTML runs no script, loads nothing and has an origin of its own, as in a mail program."""

MOST_MAILS = 100
"""How many the list shows: each is read for it."""

Folder = Annotated[MailFolder, Provide["mail_folder"]]


@dev_mail.get("")
@public
@inject
def list_mails(folder: Folder) -> Response:
    """Show the newest mails."""
    mails = [(name, folder.read(name)) for name in folder.names()[:MOST_MAILS]]
    return _page(render_template("dev_mails.html", mails=mails), PAGE_POLICY)


@dev_mail.get("/<name>")
@public
@inject
def show_mail(name: str, folder: Folder) -> Response:
    """Show a mail: its headers, its text, and its HTML in a frame."""
    message = _read(folder, name)
    return _page(
        render_template("dev_mail.html", name=name, message=message, text=_part(message, "plain")), PAGE_POLICY
    )


@dev_mail.get("/<name>/html")
@public
@inject
def show_html(name: str, folder: Folder) -> Response:
    """Answer with the HTML of a mail alone."""
    html = _part(_read(folder, name), "html")
    # Where a link leads cannot be shown within the frame, as no page of the application may be framed.
    return _page(re.sub("(?i)(<!doctype[^>]*>)?", r'\1<base target="_blank">', html, count=1), MAIL_POLICY)


def _read(folder: MailFolder, name: str) -> EmailMessage:
    try:
        return folder.read(name)
    except FileNotFoundError:
        abort(HTTPStatus.NOT_FOUND)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())


def _page(html: str, policy: str) -> Response:
    response = Response(html)
    response.headers["Content-Security-Policy"] = policy
    return response
