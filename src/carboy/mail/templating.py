"""Writes letters from templates."""

import uuid
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, select_autoescape

from carboy.mail.letters import Letter
from carboy.mail.mails import Mail

SUBJECT = "subject"
"""The block of the text template that is the subject."""


class MailTemplates:
    """Renders the templates of mails: ``mail/<name>.txt`` with a block `subject`, and ``mail/<name>.html``.

    In HTML variables are escaped. A variable that is not there is an error. ``url("/users/1", tab="mail")`` is the
    address of a path, below the one that is configured: never that of a request, whose Host anybody may have written
    (OWASP, Forgot Password Cheat Sheet).

    Args:
        package: The application, in whose folder ``templates`` they lie; those of the kit are found behind them.
        public_url: Where people reach the application, such as ``https://app.example.org``.
    """

    def __init__(self, package: str, public_url: str | None) -> None:
        self._package, self._public_url = package, public_url

    def render(self, mail: Mail) -> Letter:
        """Write a mail's letter.

        Raises:
            jinja2.TemplateError: A template is missing or wrong, or lacks a variable.
            ValueError: What came out cannot be sent, such as a subject with a line break.
        """
        values = {name: getattr(mail, name) for name in type(mail).model_fields}
        text, html = (self._environment.get_template(f"mail/{mail.template}.{kind}") for kind in ("txt", "html"))
        return Letter(
            id=str(uuid.uuid4()),
            date=datetime.now(UTC),
            to=mail.to,
            subject=_subject(text, values),
            text=text.render(values),
            html=html.render(values),
        )

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader([Path(str(files(one))) / "templates" for one in (self._package, "carboy.mail")]),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["url"] = self.url
        return environment

    def url(self, path: str, **query: object) -> str:
        """Return the address of a path of the application.

        Raises:
            ValueError: The path does not begin with a slash, or `http.public_url` is not set.
        """
        if self._public_url is None:
            raise ValueError("A mail has a link: set http.public_url.")
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is no path: it begins with no slash.")
        return f"{self._public_url}{quote(path)}" + (f"?{urlencode(query)}" if query else "")


def _subject(template: Template, values: dict[str, object]) -> str:
    block = template.blocks.get(SUBJECT)
    if block is None:
        raise TemplateError(f"{template.name} has no block {SUBJECT!r}.")
    # Line breaks around it are the template's; one within is not, and is refused.
    return "".join(block(template.new_context(values))).strip()
