"""nginx and HAProxy in front of two servers, with the configurations of ``deploy/proxy`` but for addresses."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from support.carboy_server import HOST, PROJECT, free_port, wait_for
from support.server import NO_TLS

CONFIGURATIONS = {"nginx": PROJECT / "deploy/proxy/nginx.conf", "haproxy": PROJECT / "deploy/proxy/haproxy.cfg"}

NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""
"""What Debian's own file has around that of a site."""


def program_of(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@contextmanager
def proxied(name: str, ports: Sequence[int]) -> Iterator[str]:
    """Run a proxy in front of servers on this machine, and yield its address."""
    program = program_of(name)
    assert program is not None, name
    with free_port() as port, tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        file = Path(folder) / "configuration"
        file.write_text(configuration_of(name, Path(folder), port, ports), encoding="utf-8")
        command = [program, "-p", folder, "-c", str(file)] if name == "nginx" else [program, "-db", "-f", str(file)]
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - the test names it.
        try:
            wait_for(lambda: process.poll() is not None or _answers(port), f"{name} does not answer")
            assert process.poll() is None, _said(output.fileno())
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(10)


def configuration_of(name: str, folder: Path, port: int, ports: Sequence[int]) -> str:
    text = CONFIGURATIONS[name].read_text(encoding="utf-8")
    if name == "haproxy":
        changes = {"bind :8080": f"bind {HOST}:{port}", ":8001": f":{ports[0]}", ":8002": f":{ports[1]}"}
    else:
        servers = "\n    ".join(f"server {HOST}:{port_of_one} max_conns=256 max_fails=0;" for port_of_one in ports)
        changes = {"server api:8000 max_conns=256 max_fails=0;": servers, "listen 80;": f"listen {HOST}:{port};"}
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return NGINX.format(folder=folder, server=text) if name == "nginx" else text


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health/ready", trust_env=False, verify=NO_TLS).is_success
    except httpx.TransportError:
        return False


def _said(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").read_text(encoding="utf-8", errors="replace")
