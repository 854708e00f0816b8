"""The image is built by `make image`, and what the Compose file says is run with it, each service as it says.

PostgreSQL, nginx and the mail catcher are this machine's, at the ports and with the configuration that the Compose file
names.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from support import base_image
from support.carboy_server import wait_for
from support.compose import SERVICES, options_of, postgresql, proxy
from support.containers import Store, new_store, run
from support.network import network_of_its_own
from support.server import NO_TLS

pytestmark = pytest.mark.timeout(1800)

MEGABYTE = 1_000_000

BYTECODE = """
import sys, app, containers
for module in [*sys.modules.values()]:
    if getattr(module, "__cached__", None) and module.__cached__.endswith(".pyc"):
        with open(module.__cached__, "rb") as file:
            print(int.from_bytes(file.read(8)[4:], "little"), module.__name__)
"""
"""Prints how the bytecode of each module is compared with its source: 1 is not at all."""


class Catcher(Message):
    """Keeps the mails that it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[EmailMessage] = []

    def prepare_message(self, session: Any, envelope: Any) -> Any:
        return message_from_bytes(envelope.original_content, policy=policy.default)

    def handle_message(self, message: Any) -> None:
        self.caught.append(message)


@pytest.fixture(scope="module")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what shows a line on the terminal."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)  # noqa: T201 - it is to be seen.

    return tell


@pytest.fixture(scope="module")
def store(tell: Callable[[str], None]) -> Iterator[Store]:
    if reason := base_image.why_not():
        tell(f"NOT RUN: the image is not built: {reason}")
        pytest.skip(reason)
    with new_store() as store:
        yield store


@pytest.fixture(scope="module")
def base(store: Store, tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]) -> base_image.Base:
    base = base_image.get(store, tmp_path_factory.mktemp("base"))
    if not store.find_runtime(base.name):
        tell("NOT RUN: neither runc nor crun starts a container here")
        pytest.skip("no container can be started here")
    version = store.run(base.name, "python", "-V").stdout.strip()
    tell(
        f"base: {base.name}, {version}, {'made here' if base.is_made else 'pulled'}, {megabytes(store.size(base.name))}"
    )
    return base


def megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.0f} MB"


def make_image(store: Store, base: base_image.Base, *options: str) -> str:
    """Build as an operator does, but from a base that is there, and return the id of the image."""
    options = ("--pull=never", f"--build-arg=PYTHON={base.name}", *base.options, *options)
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
    run("make", "image", f"ENGINE={store.engine}", f"OPTIONS={' '.join(options)}", environment=environment)
    return store.podman("image", "inspect", "--format", "{{.Id}}", "localhost/carboy").stdout.strip()


def sizes(store: Store, image: str, folder: Path) -> tuple[int, str]:
    size, compressed = store.size(image), store.compressed_size(image, folder)
    return size, f"{megabytes(size)} with all that is in it, {megabytes(compressed)} compressed"


@pytest.fixture(scope="module")
def image(store: Store, base: base_image.Base) -> str:
    return make_image(store, base)


def test_it_is_smaller_than_150_megabytes(
    image: str, store: Store, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    size, said = sizes(store, image, tmp_path)
    tell(f"image: {said}")
    assert size < 150 * MEGABYTE


def test_it_has_neither_shell_nor_package_manager(image: str, store: Store) -> None:
    for program in ("sh", "bash", "apt-get", "dpkg", "pip"):
        done = store.run(image, program, "--version", check=False)
        assert done.returncode == 127, program


def test_no_module_is_compiled_anew_at_a_start(image: str, store: Store) -> None:
    lines = store.run(image, "python", "-c", BYTECODE).stdout.splitlines()
    assert len(lines) > 700
    assert [line for line in lines if not line.startswith("1 ")] == []


def test_it_knows_authorities_time_zones_and_its_user(image: str, store: Store) -> None:
    code = "import ssl, zoneinfo, pwd, os; print(len(ssl.create_default_context().get_ca_certs()) > 100); "
    code += "print(zoneinfo.ZoneInfo('Europe/Berlin'), pwd.getpwuid(os.getuid()).pw_name)"
    assert store.run(image, "python", "-c", code).stdout.split() == ["True", "Europe/Berlin", "carboy"]


def test_an_image_with_the_extras_has_them(
    store: Store, base: base_image.Base, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    larger = make_image(store, base, "--build-arg=REQUIREMENTS=extras")
    store.run(larger, "python", "-c", "import opentelemetry.sdk.trace, sentry_sdk, redis")
    tell(f"image with extras: {sizes(store, larger, tmp_path)[1]}")


@pytest.fixture(scope="module")
def catcher(image: str, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catcher]:
    """What catches mails, while all services of the Compose file run."""
    catcher = Catcher()
    with ExitStack() as held:
        held.enter_context(network_of_its_own())
        mail = Controller(catcher, hostname="127.0.0.1", port=int(SERVICES["api"]["environment"]["CARBOY_MAIL__PORT"]))
        mail.start()
        held.callback(mail.stop)
        held.enter_context(postgresql())
        for name in ("migrate", "api", "worker"):
            service = SERVICES[name]
            store.start(name, image, options_of(service), *service.get("command", []))
            if name == "migrate":
                assert store.podman("wait", name).stdout.strip() == "0", store.podman("logs", name).stderr
        wait_until_healthy(store)
        held.enter_context(proxy(tmp_path_factory.mktemp("nginx")))
        yield catcher


def wait_until_healthy(store: Store) -> None:
    """Ask as often as Compose does before it gives up: after 20 seconds, then thrice, 10 seconds apart."""
    deadline = time.monotonic() + 50
    while (done := store.podman("healthcheck", "run", "api", check=False)).returncode:
        assert time.monotonic() < deadline, done.stdout + done.stderr + store.podman("logs", "api").stderr[-4000:]
        time.sleep(0.5)


def client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=NO_TLS)


def test_the_api_is_ready_and_measured(catcher: Catcher) -> None:
    with client(8000) as api, client(9464) as metrics:
        wait_for(lambda: api.get("/health/ready").status_code == 200, "The API is not ready")
        assert "http_server_request_duration_seconds" in metrics.get("/metrics").text


@pytest.mark.parametrize("name", ["api", "worker"])
def test_it_runs_as_nobody_that_may_do_anything_on_a_root_that_cannot_be_written(
    catcher: Catcher, store: Store, name: str
) -> None:
    lines = Path(f"/proc/{store.status(name, 'Pid')}/status").read_text(encoding="utf-8").splitlines()
    found = dict(line.split(":\t", 1) for line in lines)
    assert found["Uid"].split() == ["10001"] * 4
    assert {found[key] for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert found["NoNewPrivs"] == "1"
    for path, can_be in {"/srv/carboy/x": False, "/var/x": False, "/run/x": False, "/tmp/x": True}.items():  # noqa: S108
        done = store.podman("exec", name, "python", "-c", f"open({path!r}, 'w')", check=False)
        assert (done.returncode == 0) is can_be, path


def test_by_way_of_the_proxy_a_mail_is_asked_for_that_the_worker_sends(catcher: Catcher, store: Store) -> None:
    store.podman("exec", "api", "flask", "users", "create", "ada", "ada@example.org", "--admin")
    with client(80) as proxied:
        wait_for(lambda: proxied.get("/health/ready").is_success, "The proxy does not pass requests on")
        assert proxied.post("/api/auth/password-reset", json={"email": "ada@example.org"}).status_code == 200
    wait_for(lambda: bool(catcher.caught), "No mail comes")
    [mail] = catcher.caught
    assert mail["to"] == "ada@example.org"
    assert mail["from"] == SERVICES["worker"]["environment"]["CARBOY_MAIL__SENDER"]
    assert SERVICES["worker"]["environment"]["CARBOY_HTTP__PUBLIC_URL"] in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["worker", "api"])
def test_sigterm_ends_it_within_its_time(
    catcher: Catcher, store: Store, name: str, tell: Callable[[str], None]
) -> None:
    began = time.monotonic()
    store.podman("stop", name)
    seconds = time.monotonic() - began
    tell(f"{name}: ends {seconds:.0f} s after SIGTERM, with {store.status(name, 'ExitCode')}")
    assert store.status(name, "ExitCode") == "0"
    assert seconds < int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
