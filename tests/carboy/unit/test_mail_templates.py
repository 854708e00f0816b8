"""Mails are written from templates; what is wrong with them fails where the mail is sent."""

import sys
from pathlib import Path

import pytest
from jinja2 import TemplateError, TemplateNotFound, UndefinedError

from carboy.mail.mails import Mail
from carboy.mail.templating import MailTemplates

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


class Renamed(Mail):
    template = "warm_welcome"
    username: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an application's mail templates, with those of `WarmWelcome`."""
    folder = tmp_path / "an_app_with_mails/templates/mail"
    folder.mkdir(parents=True)
    (tmp_path / "an_app_with_mails/__init__.py").touch()
    (folder / "warm_welcome.txt").write_text(TEXT)
    (folder / "warm_welcome.html").write_text(HTML)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "an_app_with_mails", raising=False)
    return folder


@pytest.fixture
def templates(folder: Path) -> MailTemplates:
    return MailTemplates("an_app_with_mails", "https://app.example.org/shop")


def test_text_and_html_are_written_with_links_to_the_configured_address(templates: MailTemplates) -> None:
    letter = templates.render(WarmWelcome(to="ada@example.org", username="Ada & <b>"))
    assert (letter.to, letter.subject) == ("ada@example.org", "Welcome, Ada & <b>")
    assert letter.text == ("Hello Ada & <b>,\nhttps://app.example.org/shop/users/Ada%20%26%20%3Cb%3E?tab=my+mail\n")
    assert "<p>Hello Ada &amp; &lt;b&gt;: " in letter.html
    assert '<a href="https://app.example.org/shop/users?a=1&amp;b=2">' in letter.html
    assert letter.html.startswith("<!doctype html>")


def test_each_letter_has_an_id_of_its_own(templates: MailTemplates) -> None:
    mail = WarmWelcome(to="ada@example.org", username="ada")
    assert templates.render(mail).id != templates.render(mail).id


def test_a_mail_may_name_its_templates(templates: MailTemplates) -> None:
    assert templates.render(Renamed(to="ada@example.org", username="ada")).subject == "Welcome, ada"


@pytest.mark.parametrize("name", ["warm_welcome.txt", "warm_welcome.html"])
def test_a_template_that_is_missing_is_an_error(templates: MailTemplates, folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TemplateNotFound, match=name):
        templates.render(WarmWelcome(to="ada@example.org", username="ada"))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("warm_welcome.txt", "{% block subject %}{{ nickname }}{% endblock %}", UndefinedError),
        ("warm_welcome.txt", "{% block subject %}Hi{% endblock %}{{ nickname }}", UndefinedError),
        ("warm_welcome.html", "{{ nickname }}", UndefinedError),
        ("warm_welcome.html", "{{ username.nickname }}", UndefinedError),
        ("warm_welcome.txt", "Hello", TemplateError),
        ("warm_welcome.txt", "{% block subject %}{% endblock %}", ValueError),
        ("warm_welcome.html", "{{ url('users') }}", ValueError),
        ("warm_welcome.html", "{{ url('@evil.example') }}", ValueError),
        ("warm_welcome.html", "{% if %}", TemplateError),
    ],
)
def test_a_template_that_is_wrong_is_an_error(
    templates: MailTemplates, folder: Path, name: str, content: str, error: type[Exception]
) -> None:
    (folder / name).write_text(content)
    with pytest.raises(error):
        templates.render(WarmWelcome(to="ada@example.org", username="ada"))


def test_a_line_break_in_a_subject_is_refused(templates: MailTemplates) -> None:
    with pytest.raises(ValueError, match="subject"):
        templates.render(WarmWelcome(to="ada@example.org", username="ada\r\nBcc: eve@example.org"))


def test_a_link_needs_the_public_address(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"http\.public_url"):
        MailTemplates("an_app_with_mails", None).render(WarmWelcome(to="ada@example.org", username="ada"))
