"""An application's mail: a kind of it, and its templates."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from carboy.mail import Mail
from carboy.mail.templating import MailTemplates

PACKAGE = "an_app_with_mails"
TEXT = """\
{% extends "mail/base.txt" %}
{% block subject %}Welcome, {{ username }}{% endblock %}
{% block body %}
Hello {{ username }},
{{ url("/users/" ~ username, tab="my mail") }}
{% endblock %}
"""
HTML = """\
{% extends "mail/base.html" %}
{% block body %}
<p>Hello {{ username }}: <a href="{{ url("/users", a=1, b=2) }}">here</a></p>
{% endblock %}
"""


class WarmWelcome(Mail):
    username: str


def welcome(to: str = "ada@example.org", username: str = "ada") -> WarmWelcome:
    return WarmWelcome(to=to, username=username)


@pytest.fixture
def mail_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an application's mail templates, with those of `WarmWelcome`."""
    folder = tmp_path / PACKAGE / "templates" / "mail"
    folder.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    (folder / "warm_welcome.txt").write_text(TEXT)
    (folder / "warm_welcome.html").write_text(HTML)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    # The next test has a folder of its own.
    sys.modules.pop(PACKAGE, None)


@pytest.fixture
def mail_templates(mail_folder: Path) -> MailTemplates:
    return MailTemplates(PACKAGE, "https://app.example.org/shop")
