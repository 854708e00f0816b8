"""What the settings want and nobody has installed is told before anything starts."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest
from dependency_injector.containers import Container
from flask import Flask
from pydantic import SecretStr
from support.traced import SETTINGS_OF_TRACES

from carboy.config import SettingsError
from carboy.config.settings import SentrySettings, Settings
from carboy.config.surroundings import unfit_surroundings
from carboy.server import create_asgi
from carboy.testing import override

TRACES = "tracing.endpoint: what it needs is not installed; pip install 'carboy[otel]' (from config.yaml, defaults)."
REPORTS = "sentry.dsn: what it needs is not installed; pip install 'carboy[sentry]' (from config.yaml, defaults)."


@pytest.fixture
def _without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let none of them be installed."""

    def find(name: str) -> ModuleSpec | None:
        package, _, within = name.partition(".")
        if package not in {"opentelemetry", "sentry_sdk"}:
            return find_spec(name)
        if within:
            raise ModuleNotFoundError(name)
        return None

    monkeypatch.setattr("carboy.config.extras.find_spec", find)


@pytest.fixture
def wanting(settings: Settings) -> Settings:
    sentry = SentrySettings(dsn=SecretStr("https://key@sentry.invalid/1"), release=None)
    return settings.model_copy(update={"tracing": SETTINGS_OF_TRACES, "sentry": sentry})


def test_extras_that_are_there_are_not_told(wanting: Settings) -> None:
    assert [*unfit_surroundings(wanting, {})] == []


@pytest.mark.usefixtures("_without_extras")
def test_extras_that_nobody_wants_need_not_be_there(settings: Settings) -> None:
    assert [*unfit_surroundings(settings, {})] == []


@pytest.mark.usefixtures("_without_extras")
def test_a_server_and_a_worker_do_not_start_without_an_extra_and_the_doctor_names_it(
    container: Container, app: Flask, wanting: Settings
) -> None:
    with override(container, settings=wanting):
        with pytest.raises(SettingsError) as raised:
            create_asgi(container, app)
        assert str(raised.value) == f"{TRACES}\n{REPORTS}"
        run = app.test_cli_runner().invoke
        worker = run(args=["jobs", "work"])
        assert (worker.exit_code, worker.output) == (1, f"Error: {TRACES}\n{REPORTS}\n")
        doctor = run(args=["doctor"])
        assert doctor.output.splitlines()[0] == f"FAIL  configuration  {TRACES} {REPORTS}"
