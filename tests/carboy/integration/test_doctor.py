"""`flask doctor`, and what a start refuses, on both databases."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import make_url
from support.databases import database_settings
from support.migrating import flask_db

from carboy.commands import diagnosis
from carboy.config.settings import Environment, MailSettings, Settings
from carboy.config.surroundings import unfit_surroundings
from carboy.testing import override
from containers import Container


def findings_of(app: Flask, *, exit_code: int) -> dict[str, tuple[bool, str]]:
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    report = json.loads(result.output)
    assert (result.exit_code, report["ok"]) == (exit_code, exit_code == 0), result.output
    return {check["name"]: (check["ok"], check["detail"]) for check in report["checks"]}


@pytest.fixture(autouse=True)
def _lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is as the installation, which may have been made by another one."""
    monkeypatch.setattr(diagnosis, "PIN", re.compile(r"^(flask)==([^ ;]+)( ;)?", re.MULTILINE))


def test_a_database_that_is_up_to_date_is_fit(app: Flask) -> None:
    found = findings_of(app, exit_code=0)
    assert [*found] == ["configuration", "database", "migrations", "clock", "jobs", "mail", "disk", "versions"]
    assert re.match(r"(sqlite|postgresql) [0-9.]+.*, can be written to, answers in \d+ ms", found["database"][1])


def test_each_check_has_a_line(app: Flask) -> None:
    lines = app.test_cli_runner().invoke(args=["doctor"]).output.splitlines()
    assert [line.split()[:2] for line in lines][:3] == [
        ["ok", "configuration"],
        ["ok", "database"],
        ["ok", "migrations"],
    ]


def test_migrations_that_are_behind_fail_it(app: Flask) -> None:
    flask_db(app, "downgrade", "-1")
    try:
        assert findings_of(app, exit_code=1)["migrations"] == (False, "behind: flask db upgrade")
    finally:
        # The tests of PostgreSQL share the database.
        flask_db(app, "upgrade")


@pytest.fixture
def elsewhere(container: Container, database_url: str) -> Iterator[None]:
    """The same database, at a place where it is not."""
    url = make_url(database_url)
    nowhere = url.set(database="/nowhere/at.db") if "sqlite" in database_url else url.set(port=1)
    settings = container.settings()
    gone = database_settings(nowhere.render_as_string(hide_password=False))
    with override(container, settings=settings.model_copy(update={"database": gone})):
        yield


def test_a_database_that_is_away_keeps_no_check_from_looking(app: Flask, elsewhere: None) -> None:
    found = findings_of(app, exit_code=1)
    assert not found["database"][0]
    assert not found["migrations"][0]
    assert found["versions"][0]


def test_a_package_that_is_not_as_locked_fails_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "version", lambda name: "0.1")
    found = findings_of(app, exit_code=1)
    assert re.fullmatch(r"flask is 0\.1, not [0-9.]+", found["versions"][1])


def test_a_disk_that_is_almost_full_fails_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "LEAST_FREE_BYTES", 2**60)
    assert "MiB are free in" in findings_of(app, exit_code=1)["disk"][1]


def test_a_mail_server_that_is_not_there_fails_it(app: Flask, container: Container) -> None:
    settings = container.settings()
    mail = {"transport": "smtp", "host": "127.0.0.1", "port": 1, "sender": "no-reply@example.org"}
    away = MailSettings.model_validate(settings.mail.model_dump() | mail)
    with override(container, settings=settings.model_copy(update={"mail": away})):
        assert findings_of(app, exit_code=1)["mail"][1].startswith("The mail server cannot be used: ")


def test_all_that_is_unfit_is_named_at_once(settings: Settings) -> None:
    database = settings.database.model_copy(update={"url": SecretStr("sqlite:////proc/carboy.db")})
    mail = settings.mail.model_copy(update={"transport": "files", "folder": Path("/proc/mail/today")})
    unfit = settings.model_copy(update={"environment": Environment.PRODUCTION, "database": database, "mail": mail})
    debug, folder, mails = unfit_surroundings(unfit, {"FLASK_DEBUG": "1"})
    assert debug == "FLASK_DEBUG is on: whoever meets an error could run code; unset it in production."
    assert folder.startswith("database.url: nothing can be written to /proc (")
    assert mails.startswith("mail.folder: nothing can be written to /proc (")


def test_debug_mode_is_for_development(settings: Settings) -> None:
    assert [*unfit_surroundings(settings, {"FLASK_DEBUG": "1"})] == []
