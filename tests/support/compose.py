"""What deploy/compose.yaml says of its services, and those of them that are no images of ours.

A network of its own stands for that of Compose: the names of services lead to its loopback.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from support.carboy_server import PROJECT, wait_for
from support.containers import run
from support.proxies import CONFIGURATIONS, NGINX, program_of

SERVICES: dict[str, Any] = yaml.safe_load((PROJECT / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"]
VARIABLES = {
    "POSTGRES_PASSWORD": "Zq7-database-Zq7",
    "CARBOY_SECURITY__SECRET_KEY": "0123456789abcdef-0123456789ABCDEF",
}
HOSTS = dict.fromkeys(("api", "database", "mail"), "127.0.0.1")
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
"""PostgreSQL does not run as root."""

READ_ELSEWHERE = {"image", "build", "restart", "depends_on", "command"}
"""What a service says to others than its container."""


def options_of(service: dict[str, Any]) -> list[str]:
    """Return what podman is told so that a container is as its service says."""
    options = [f"--add-host={name}:{address}" for name, address in HOSTS.items()]
    for key, value in service.items():
        match key, value:
            case "environment", _:
                options += [f"--env={name}={filled(text)}" for name, text in value.items()]
            case "read_only", True:
                # Without it podman mounts /tmp, /run and /var/tmp unasked.
                options += ["--read-only", "--read-only-tmpfs=false"]
            case "tmpfs" | "cap_drop" | "security_opt", _:
                options += [f"--{key.replace('_', '-')}={one.removesuffix(':true')}" for one in value]
            case "stop_grace_period", _:
                options.append(f"--stop-timeout={value.removesuffix('s')}")
            case "healthcheck", {"disable": True}:
                options.append("--no-healthcheck")
            case _:
                assert key in READ_ELSEWHERE, key
    return options


def filled(text: str) -> str:
    return re.sub(r"\$\{(\w+):\?\}", lambda found: VARIABLES[found[1]], text)


def programs_of_postgresql() -> Path | None:
    return next(Path("/usr/lib/postgresql").glob("*/bin"), None)


@contextmanager
def postgresql() -> Iterator[None]:
    """A server with the user, password and database that the Compose file names, on its usual port."""
    programs, given = programs_of_postgresql(), SERVICES["database"]["environment"]
    assert programs is not None
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        data, password = Path(folder, "data"), Path(folder, "password")
        password.write_text(filled(given["POSTGRES_PASSWORD"]), encoding="utf-8")
        for path in (folder, password):
            os.chown(path, NOBODY, NOBODY)
        options = (f"--username={given['POSTGRES_USER']}", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync")
        run(*AS_NOBODY, programs / "initdb", *options, "-D", data)
        command = map(str, (*AS_NOBODY, programs / "postgres", "-D", data, "-k", folder, "-c", "fsync=off"))
        server = subprocess.Popen([*command], stdout=output, stderr=output)  # noqa: S603 - the test's own.
        try:
            check, *arguments = SERVICES["database"]["healthcheck"]["test"][1:]
            ready = (programs / check, "--host=127.0.0.1", *arguments)
            wait_for(lambda: run(*ready, check=False).returncode == 0, "PostgreSQL does not start")
            to = ("--host=127.0.0.1", f"--username={given['POSTGRES_USER']}", given["POSTGRES_DB"])
            run(programs / "createdb", *to, environment=os.environ | {"PGPASSWORD": filled(given["POSTGRES_PASSWORD"])})
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


@contextmanager
def proxy(folder: Path) -> Iterator[None]:
    """Run nginx with the file that the Compose file mounts, as it stands."""
    assert SERVICES["proxy"]["volumes"][0].startswith("./proxy/nginx.conf:")
    server = CONFIGURATIONS["nginx"].read_text(encoding="utf-8")
    file, hosts = folder / "nginx.conf", folder / "hosts"
    file.write_text(NGINX.format(folder=folder, server=server), encoding="utf-8")
    hosts.write_text("".join(f"{address} {name}\n" for name, address in HOSTS.items()), encoding="utf-8")
    script = f"mount --bind {hosts} /etc/hosts && exec {program_of('nginx')} -p {folder} -c {file}"
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script])  # noqa: S603, S607 - the test's own.
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
