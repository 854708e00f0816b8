"""What `deploy/` says of the application is so: its settings, ports, paths, commands and times."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.cli import AppGroup
from support.carboy_server import PROJECT, SCRIPTS
from support.compose import SERVICES, filled
from support.containers import run

from app.settings import Settings
from carboy.config import load_settings
from carboy.config.keys import Keys
from containers import CONFIG_FILE

DEPLOY = PROJECT / "deploy"
SECRETS = {
    "CARBOY_ENV": "production",
    "CARBOY_DATABASE__URL": "postgresql://carboy:password@database/carboy",
    "CARBOY_SECURITY__SECRET_KEY": "0123456789abcdef-0123456789ABCDEF",
}
TEXTS = {
    str(file.relative_to(DEPLOY)): file.read_text(encoding="utf-8")
    for file in sorted(DEPLOY.rglob("*"))
    if file.is_file() and "__pycache__" not in file.parts
}
MANIFESTS: list[dict[str, Any]] = [*yaml.safe_load_all(TEXTS["kubernetes.yaml"])]
PODS = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in MANIFESTS if "template" in one["spec"]}
UNITS = [name for name in TEXTS if name.startswith("systemd/")]
READ_ELSEWHERE = {"CARBOY_ENV"}


@pytest.fixture(scope="module")
def in_production() -> Settings:
    return load_settings(Settings, CONFIG_FILE, SECRETS)


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any]
    [container] = pod["containers"]
    return container


def test_every_variable_that_is_named_is_one_that_the_settings_know() -> None:
    known = {f"CARBOY_{key.upper().replace('.', '__')}" for key in Keys.of(Settings).values} | READ_ELSEWHERE
    named = {name: {*re.findall(r"\bCARBOY_[A-Z_]+\b", text)} - {"CARBOY_"} for name, text in TEXTS.items()}
    assert {name: found - known for name, found in named.items() if found - known} == {}
    assert len(set().union(*named.values())) >= 10


@pytest.mark.parametrize("name", ["migrate", "api", "worker"])
def test_the_settings_of_compose_start_in_production(name: str) -> None:
    given = {key: filled(value) for key, value in SERVICES[name]["environment"].items()}
    assert load_settings(Settings, CONFIG_FILE, {"CARBOY_ENV": "production"} | given).metrics.port == 9464


@pytest.mark.parametrize("name", PODS)
def test_the_settings_of_pods_start_in_production(name: str) -> None:
    given = {one["name"]: one["value"] for one in container_of(PODS[name])["env"]}
    assert load_settings(Settings, CONFIG_FILE, SECRETS | given).metrics.port == 9464


def test_the_ports_are_those_that_the_image_serves() -> None:
    [served] = re.findall(r'"--bind", "0\.0\.0\.0:(\d+)"', TEXTS["Dockerfile"])
    [exposed] = re.findall(r"^EXPOSE (.*)$", TEXTS["Dockerfile"], re.MULTILINE)
    [upstream] = re.findall(r"server api:(\d+)", TEXTS["proxy/nginx.conf"])
    [listened] = re.findall(r"listen (\d+);", TEXTS["proxy/nginx.conf"])
    metrics = SERVICES["api"]["environment"]["CARBOY_METRICS__PORT"]
    assert exposed.split() == [served, metrics]
    assert upstream == served
    assert [port.rpartition(":")[2] for port in SERVICES["proxy"]["ports"]] == [listened]
    ports = {one["name"]: str(one["containerPort"]) for one in container_of(PODS["carboy-api"])["ports"]}
    assert ports == {"http": served, "metrics": metrics}
    assert {*re.findall(r'prometheus.io/port: "(\d+)"', TEXTS["kubernetes.yaml"])} == {metrics}


@pytest.mark.parametrize("file", ["Dockerfile", "kubernetes.yaml", "proxy/haproxy.cfg"])
def test_what_is_asked_for_health_is_a_route(file: str, app: Flask) -> None:
    asked = {*re.findall(r"/health/\w+", TEXTS[file])}
    assert asked
    assert asked <= {rule.rule for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("command", [SERVICES["migrate"]["command"], SERVICES["worker"]["command"]])
def test_the_commands_are_there_and_the_same_everywhere(command: list[str], app: Flask) -> None:
    program, group, name = command
    assert program == "flask"
    found = app.cli.commands[group]
    assert isinstance(found, AppGroup)
    assert name in found.commands
    said = [container_of(pod).get("command") for pod in PODS.values()]
    assert command in said


def test_who_is_stopped_is_given_more_time_than_it_takes(in_production: Settings) -> None:
    takes = in_production.http.drain_seconds + in_production.http.stop_seconds
    given = [int(SERVICES[name]["stop_grace_period"].removesuffix("s")) for name in ("api", "worker", "migrate")]
    given += [pod["terminationGracePeriodSeconds"] for pod in PODS.values()]
    given += [
        int(found) for unit in UNITS for found in re.findall(r"^TimeoutStopSec=(\d+)$", TEXTS[unit], re.MULTILINE)
    ]
    assert len(given) == 3 + 3 + 2
    assert min(given) > takes


def test_who_drains_is_seen_to_be_not_ready_before_it_stops(in_production: Settings) -> None:
    probe = container_of(PODS["carboy-api"])["readinessProbe"]
    [(seconds, failures)] = re.findall(r"check inter (\d+)s fall (\d+)", TEXTS["proxy/haproxy.cfg"])
    slowest = max(
        probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"], int(seconds) * int(failures)
    )
    assert slowest < in_production.http.drain_seconds


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there: install systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # It wants to see the programs.
        text = TEXTS[unit].replace("/srv/carboy/.venv/bin", str(SCRIPTS))
        (tmp_path / Path(unit).name).write_text(text, encoding="utf-8")
    done = run("systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir()), check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_chart_migrates_before_servers_and_with_nothing_that_is_installed_after_it() -> None:
    [job] = [one for one in MANIFESTS if one["kind"] == "Job"]
    # `helm install --wait` waits for servers before it runs what is post-install, and they wait for the migration.
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    needed = {kind for given in container_of(PODS["carboy-migrate"])["envFrom"] for kind in given}
    assert needed == {"secretRef"}
    assert "Secret" not in {one["kind"] for one in MANIFESTS}
