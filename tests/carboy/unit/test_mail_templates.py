"""Mails are written from templates; what is wrong with them fails where the mail is sent."""

from pathlib import Path

import pytest
from jinja2 import TemplateError, TemplateNotFound, UndefinedError
from support.mails import *  # noqa: F403 - pytest finds fixtures among the names of a module.
from support.mails import PACKAGE, welcome

from carboy.mail import Mail
from carboy.mail.templating import MailTemplates


class Renamed(Mail):
    template = "warm_welcome"
    username: str


def test_text_and_html_are_written_with_links_to_the_configured_address(mail_templates: MailTemplates) -> None:
    letter = mail_templates.render(welcome(username="Ada & <b>"))
    assert (letter.to, letter.subject) == ("ada@example.org", "Welcome, Ada & <b>")
    assert letter.text == ("Hello Ada & <b>,\nhttps://app.example.org/shop/users/Ada%20%26%20%3Cb%3E?tab=my+mail\n")
    assert "<p>Hello Ada &amp; &lt;b&gt;: " in letter.html
    assert '<a href="https://app.example.org/shop/users?a=1&amp;b=2">' in letter.html
    assert letter.html.startswith("<!doctype html>")


def test_each_letter_has_an_id_of_its_own(mail_templates: MailTemplates) -> None:
    mail = welcome()
    assert mail_templates.render(mail).id != mail_templates.render(mail).id


def test_a_mail_may_name_its_templates(mail_templates: MailTemplates) -> None:
    assert mail_templates.render(Renamed(to="ada@example.org", username="ada")).subject == "Welcome, ada"


@pytest.mark.parametrize("name", ["warm_welcome.txt", "warm_welcome.html"])
def test_a_template_that_is_missing_is_an_error(mail_templates: MailTemplates, mail_folder: Path, name: str) -> None:
    (mail_folder / name).unlink()
    with pytest.raises(TemplateNotFound, match=name):
        mail_templates.render(welcome())


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
    mail_templates: MailTemplates, mail_folder: Path, name: str, content: str, error: type[Exception]
) -> None:
    (mail_folder / name).write_text(content)
    with pytest.raises(error):
        mail_templates.render(welcome())


def test_a_line_break_in_a_subject_is_refused(mail_templates: MailTemplates) -> None:
    with pytest.raises(ValueError, match="subject"):
        mail_templates.render(welcome(username="ada\r\nBcc: eve@example.org"))


def test_a_link_needs_the_public_address(mail_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"http\.public_url"):
        MailTemplates(PACKAGE, None).render(welcome())
