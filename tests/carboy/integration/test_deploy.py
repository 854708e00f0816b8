"""What stands in `deploy/` is well-formed, and speaks of what there is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from support.carboy_server import PROJECT, SCRIPTS
from support.proxies import configuration_of, program_of

from containers import Container

DEPLOY = PROJECT / "deploy"
NAME = re.compile(r"\b(?:http_server|db_client|carboy|process|python)_[a-z_]+\b")
PROMTOOL = shutil.which("promtool")


def run(*command: str | Path) -> None:
    done = subprocess.run(  # noqa: S603 - the checkers of this project's own files.
        [*map(str, command)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    run(SCRIPTS / "hadolint", DEPLOY / "Dockerfile")


def test_the_compose_file_fits_its_schema() -> None:
    run(SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_manifests_are_what_the_chart_makes_and_fit_the_schemas_of_kubernetes() -> None:
    report = helm_python.lint(str(DEPLOY / "helm" / "carboy"))
    assert (report["messages"], report["errors"]) == ([], [])
    rendered = helm_python.Chart.load(str(DEPLOY / "helm" / "carboy")).render(name="carboy")
    text = "---\n".join(part.strip() + "\n" for _, part in sorted(rendered.items()) if part.strip())
    assert (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8") == text, "Write them anew: make manifests"
    run(SCRIPTS / "kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml")


def test_what_is_copied_into_the_image_is_there_and_not_ignored() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        Path(source)
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    allowed = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for path in copied:
        assert (PROJECT / path).exists(), path
        assert {f"!{path}", *(f"!{parent}" for parent in path.parents)} & {*allowed}, path


@pytest.fixture
def exposed(container: Container) -> set[str]:
    """The names of all series of the application, by their collectors' own account."""
    names = set()
    for metric in container.metrics().registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "summary": ["_count", "_sum"]}
        names |= {metric.name + suffix for suffix in suffixes.get(metric.type, [""])}
    return names


@pytest.mark.parametrize("file", ["grafana/carboy.json", "prometheus/alerts.yaml"])
def test_dashboard_and_rules_ask_for_series_that_there_are(file: str, exposed: set[str]) -> None:
    text = (DEPLOY / file).read_text(encoding="utf-8")
    document = json.loads(text) if file.endswith("json") else yaml.safe_load(text)
    asked = {name for expression in expressions_in(document) for name in NAME.findall(expression)}
    assert len(asked) >= 5
    assert asked <= exposed


def expressions_in(document: Any) -> list[str]:
    """Return the PromQL of a document, wherever it stands."""
    if isinstance(document, list):
        return [found for item in document for found in expressions_in(item)]
    if not isinstance(document, dict):
        return []
    own = [document["expr"]] if isinstance(document.get("expr"), str) else []
    return own + [found for value in document.values() for found in expressions_in(value)]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not there: install prometheus")
def test_each_rule_fires_when_it_should() -> None:
    run(str(PROMTOOL), "test", "rules", DEPLOY / "prometheus" / "alerts-test.yaml")


def test_each_rule_has_a_test() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    tested = (DEPLOY / "prometheus" / "alerts-test.yaml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in groups[0]["rules"] if rule["alert"] not in tested] == []


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not there")
def test_haproxy_takes_its_configuration() -> None:
    run("haproxy", "-c", "-f", DEPLOY / "proxy" / "haproxy.cfg")


@pytest.mark.skipif(program_of("nginx") is None, reason="nginx is not there")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(configuration_of("nginx", tmp_path, 8080, [8001, 8002]), encoding="utf-8")
    run(program_of("nginx") or "", "-t", "-p", tmp_path, "-c", file)


def test_the_units_start_what_there_is() -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text(encoding="utf-8")
        for program in re.findall(r"^ExecStart(?:Pre)?=/srv/carboy/\.venv/bin/(\S+)", text, re.MULTILINE):
            assert (Path(sys.executable).parent / program).exists()
