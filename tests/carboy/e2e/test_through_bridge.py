"""The plug-in of `make compat`: a suite that it runs is served by the bridge, and notices nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SUITE = """
import asyncio
import threading

import flask
import pytest


@pytest.fixture
def app():
    app = flask.Flask("suite")
    app.config.update(TESTING=True, SECRET_KEY="secret")
    return app


@pytest.fixture
def client(app):
    return app.test_client()


def test_a_request_comes_through_the_bridge(app, client):
    @app.get("/<name>")
    def view(name):
        return [flask.request.environ["asgi.scope"]["raw_path"].decode(), name]

    assert client.get("/gr%C3%BC%C3%9Fe").json == ["/gr%C3%BC%C3%9Fe", "grüße"]


def test_a_sync_view_runs_in_a_worker_thread(app, client):
    @app.get("/")
    def view():
        return threading.current_thread().name

    assert client.get("/").text != threading.current_thread().name


def test_async_views_share_one_loop(app, client):
    @app.get("/")
    async def view():
        return str(id(asyncio.get_running_loop()))

    assert client.get("/").text == client.get("/").text


def test_a_body_and_headers_arrive(app, client):
    @app.post("/")
    def view():
        return {"form": flask.request.form, "header": flask.request.headers["X-Y"], "ip": flask.request.remote_addr}

    response = client.post("/", data={"a": "ä"}, headers={"X-Y": "z"}, environ_overrides={"REMOTE_ADDR": "1.2.3.4"})
    assert response.json == {"form": {"a": "ä"}, "header": "z", "ip": "1.2.3.4"}


def test_a_redirect_is_followed_with_its_body(app, client):
    @app.post("/there/")
    def view():
        return flask.request.form["a"]

    assert client.post("/there", data={"a": "b"}, follow_redirects=True).text == "b"


def test_cookies_are_kept(app, client):
    @app.get("/")
    def view():
        flask.session["seen"] = flask.session.get("seen", 0) + 1
        return str(flask.session["seen"])

    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_contexts_and_the_body_are_kept_in_a_with_block(app, client):
    @app.post("/")
    def view():
        flask.g.user = "ada"
        flask.session["id"] = 1
        return "done"

    with client:
        client.post("/", data={"a": "b"})
        assert (flask.g.user, flask.session["id"], flask.request.form["a"]) == ("ada", 1, "b")
    assert not flask.has_request_context()


def test_a_pushed_application_context_is_the_request_s(app, client):
    @app.get("/")
    def view():
        return flask.g.user

    with app.app_context():
        flask.g.user = "ada"
        assert client.get("/").text == "ada"


def test_what_a_test_adds_to_the_environ_is_there(app, client):
    @app.get("/")
    def view():
        return flask.request.environ["auth.user"]

    assert client.get("/", environ_base={"auth.user": "ada"}).text == "ada"


def test_what_a_view_raises_reaches_the_test(app, client):
    @app.get("/")
    def view():
        raise LookupError("nobody")

    with pytest.raises(LookupError, match="nobody"):
        client.get("/")


def test_a_stream_is_made_as_it_is_read(app, client):
    made = []

    def chunks():
        for number in range(3):
            made.append(number)
            yield str(number)

    @app.get("/")
    def view():
        return chunks()

    response = client.get("/")
    stream = response.iter_encoded()
    assert (next(stream), made) == (b"0", [0])
    assert (next(stream), made) == (b"1", [0, 1])
    response.close()
    assert made == [0, 1]


def test_a_suite_calls_wsgi_where_it_does_so_itself(app):
    @app.get("/")
    def view():
        return "asgi" if "asgi.scope" in flask.request.environ else "wsgi"

    with app.test_request_context("/"):
        assert app.full_dispatch_request().get_data() == b"wsgi"
"""
SERVED = 15
"""The requests that the suite makes by a client: some tests make more than one."""


@pytest.mark.parametrize("control", [False, True], ids=["bridge", "control"])
def test_the_suite_passes_through_the_bridge_and_only_there_sees_it(tmp_path: Path, *, control: bool) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").touch()
    requests = tmp_path / "requests"
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "compat" / "plugin")]),
        "COMPAT_REQUESTS": str(requests),
        "COMPAT_CONTROL": "1" if control else "",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "through_bridge", "."],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    lines = [line.split(" - ")[0] for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    # By WSGI each async view has a loop of its own, and nobody says how ASGI has the path.
    by_bridge_only = ["test_a_request_comes_through_the_bridge", "test_async_views_share_one_loop"]
    assert lines == [f"FAILED test_suite.py::{name}" for name in by_bridge_only if control], ended.stdout
    assert requests.exists() is not control
    if not control:
        assert int(requests.read_text(encoding="utf-8")) == SERVED
