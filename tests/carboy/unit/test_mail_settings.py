"""Which configurations of mail are refused, and where."""

from collections.abc import Callable

import pytest

from carboy.config.settings import Settings

Load = Callable[..., Settings]
ProblemsOf = Callable[..., list[str]]
SMTP = {"CARBOY_MAIL__TRANSPORT": "smtp", "CARBOY_MAIL__HOST": "mail.internal", "CARBOY_MAIL__SENDER": "a@example.org"}
PUBLIC_URL = {"CARBOY_HTTP__PUBLIC_URL": "https://app.example.org"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"CARBOY_MAIL__SENDER": ""}, "mail.sender: "),
        ({"CARBOY_MAIL__SENDER": "Carboy"}, "mail.sender: "),
        ({"CARBOY_MAIL__SENDER": "a@example.org\nBcc: b@example.org"}, "mail.sender: "),
        ({"CARBOY_MAIL__SECURITY": "opportunistic"}, "mail.security: "),
        ({"CARBOY_MAIL__TRANSPORT": "pigeon"}, "mail.transport: "),
        ({"CARBOY_MAIL__USER": "carboy"}, "mail: user and password go together."),
        ({"CARBOY_MAIL__PASSWORD": "x"}, "mail: user and password go together."),
        (
            {"CARBOY_MAIL__USER": "carboy", "CARBOY_MAIL__PASSWORD": "x", "CARBOY_MAIL__SECURITY": "none"},
            "mail: a password is not sent without TLS; set security to starttls or tls.",
        ),
        ({"CARBOY_HTTP__PUBLIC_URL": "app.example.org"}, "http.public_url: "),
        ({"CARBOY_HTTP__PUBLIC_URL": "https://app.example.org/"}, "http.public_url: "),
        ({"CARBOY_HTTP__PUBLIC_URL": "https://app.example.org?x"}, "http.public_url: "),
    ],
)
def test_what_is_wrong_is_told(problems_of: ProblemsOf, changes: dict[str, str], problem: str) -> None:
    [said] = problems_of(**SMTP, **changes) if changes.keys().isdisjoint(SMTP) else problems_of(**SMTP | changes)
    assert said.startswith(problem)


@pytest.mark.parametrize("name", ["HOST", "SENDER"])
def test_smtp_needs_a_host_and_a_sender(problems_of: ProblemsOf, name: str) -> None:
    [said] = problems_of(**{key: value for key, value in SMTP.items() if not key.endswith(name)})
    assert said.startswith("mail: ") and "missing" in said  # noqa: PT018 - one sentence.


@pytest.mark.parametrize("url", ["https://app.example.org", "http://127.0.0.1:8000", "https://example.org/shop/v2"])
def test_the_public_url_may_have_a_path(load: Load, url: str) -> None:
    assert load(**SMTP, CARBOY_HTTP__PUBLIC_URL=url).http.public_url == url


def test_production_needs_no_mail(load: Load, production: dict[str, str]) -> None:
    assert load(**production).mail.transport is None


def test_production_with_mail_needs_the_address_that_links_begin_with(
    load: Load, problems_of: ProblemsOf, production: dict[str, str]
) -> None:
    assert problems_of(**production, **SMTP) == ["mail: links in mails begin with http.public_url, which is missing."]
    assert load(**production, **SMTP, **PUBLIC_URL).mail.host == "mail.internal"


@pytest.mark.parametrize("transport", ["files", "memory"])
def test_production_sends_no_mail_where_nobody_reads_it(
    problems_of: ProblemsOf, production: dict[str, str], transport: str
) -> None:
    [said] = problems_of(**production | SMTP | PUBLIC_URL | {"CARBOY_MAIL__TRANSPORT": transport})
    assert said.startswith(f"mail: {transport} reaches nobody")
