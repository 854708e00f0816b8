"""`flask db ...`, as people type it."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url
from support.databases import database_settings
from support.migrating import change_models, drop_column, flask_db

from carboy.config.settings import Settings
from carboy.testing import override
from containers import Container


@pytest.fixture
def database_url(empty_url: str) -> str:
    return empty_url


def test_upgrade_current_downgrade_and_check(app: Flask) -> None:
    assert "head" not in flask_db(app, "current")
    assert "Error" in flask_db(app, "check", exit_code=1)
    flask_db(app, "upgrade")
    flask_db(app, "upgrade")
    assert flask_db(app, "current").count("(head)") == 2
    flask_db(app, "check")
    flask_db(app, "downgrade", "--", "-1")
    assert flask_db(app, "current").count("(head)") == 1
    flask_db(app, "upgrade", "+1")
    flask_db(app, "downgrade", "base")
    flask_db(app, "upgrade", "head")
    flask_db(app, "check")


def test_downgrade_takes_a_number_of_steps(app: Flask) -> None:
    flask_db(app, "upgrade")
    flask_db(app, "downgrade", "-1")
    assert flask_db(app, "current").count("(head)") == 1
    flask_db(app, "downgrade", "--kit", "-1")
    assert "head" not in flask_db(app, "current")


def test_a_revision_that_does_not_exist_is_an_error_in_one_sentence(app: Flask) -> None:
    output = flask_db(app, "upgrade", "nonsense", exit_code=1)
    assert output.startswith("Error: ")
    assert "nonsense" in output
    assert "Traceback" not in output
    flask_db(app, "upgrade")


def test_a_change_of_the_models_becomes_a_migration_that_works(
    app: Flask, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(migrations.rglob("*.py"))
    flask_db(app, "upgrade")
    change_models(monkeypatch, lambda models: drop_column(models.tables["users"], "full_name"))

    assert "full_name" in flask_db(app, "check", exit_code=1)
    output = flask_db(app, "revision", "drop full name")
    (new,) = set(migrations.rglob("*.py")) - before
    assert new.name.endswith("_drop_full_name.py")
    assert new.name in output
    assert "drop_column('full_name')" in new.read_text()
    flask_db(app, "upgrade")
    flask_db(app, "check")
    flask_db(app, "downgrade", "--", "-1")
    assert "not up to date: run flask db upgrade first." in flask_db(app, "check", exit_code=1)
    flask_db(app, "upgrade")
    flask_db(app, "downgrade", "base")


def test_a_revision_without_a_change_still_is_written_to_be_filled_in(app: Flask, migrations: Path) -> None:
    before = set(migrations.rglob("*.py"))
    flask_db(app, "upgrade")
    flask_db(app, "revision", "move data")
    (new,) = set(migrations.rglob("*.py")) - before
    assert "    pass\n" in new.read_text()
    flask_db(app, "upgrade")
    flask_db(app, "downgrade", "base")


def test_a_database_that_cannot_be_reached_is_an_error_in_one_sentence(
    app: Flask, container: Container, settings: Settings, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        # A file cannot be made where there is one in the place of a folder.
        url = make_url(database_url)
        Path(url.database or "").parent.write_text("")
        nowhere = database_url
    else:
        nowhere = make_url(database_url).set(port=1).render_as_string(hide_password=False)
    with override(container, settings=settings.model_copy(update={"database": database_settings(nowhere)})):
        output = flask_db(app, "upgrade", exit_code=1)
    assert output.startswith("Error: ")
    assert "Traceback" not in output
