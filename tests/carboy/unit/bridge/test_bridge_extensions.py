"""Well-known Flask extensions run unchanged."""

import re
from typing import Any

import pytest
from flask import Flask, render_template_string, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_wtf import CSRFProtect, FlaskForm
from support.asgi import Answer, ask
from wtforms import StringField
from wtforms.validators import InputRequired

from carboy.bridge import FlaskASGI


class Browser:
    """Keeps the session cookie from one request to the next."""

    def __init__(self, asgi: FlaskASGI) -> None:
        self._asgi = asgi
        self._cookie = ""

    async def ask(self, target: str, method: str = "GET", body: bytes = b"") -> Answer:
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"cookie", self._cookie.encode())]
        answer = await ask(self._asgi, target, method=method, headers=headers, chunks=[body])
        for cookie in answer.all_headers("set-cookie"):
            self._cookie = cookie.partition(";")[0]
        return answer


class User(UserMixin):  # type: ignore[misc]
    id = "ann"


@pytest.fixture
def browser(app: Flask) -> Browser:
    app.secret_key = "test"
    return Browser(FlaskASGI(app))


@pytest.fixture
def login_views(app: Flask) -> None:
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: User() if user_id == "ann" else None)

    @app.post("/login")
    async def login() -> str:
        login_user(User())
        return "in"

    @app.post("/logout")
    @login_required  # type: ignore[untyped-decorator]
    def logout() -> str:
        logout_user()
        return "out"

    @app.get("/async")
    @login_required  # type: ignore[untyped-decorator]
    async def async_view() -> str:
        return f"{current_user.id} {request.path}"

    @app.get("/sync")
    @login_required  # type: ignore[untyped-decorator]
    def sync_view() -> str:
        return f"{current_user.id} {request.path}"


@pytest.mark.parametrize("path", ["/async", "/sync"])
@pytest.mark.usefixtures("login_views")
async def test_flask_login_guards_both_kinds_of_views(browser: Browser, path: str) -> None:
    assert (await browser.ask(path)).status == 401
    assert (await browser.ask("/login", "POST")).text == "in"
    assert (await browser.ask(path)).text == f"ann {path}"
    assert (await browser.ask("/logout", "POST")).text == "out"
    assert (await browser.ask(path)).status == 401


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_flask_wtf_checks_a_posted_form_and_its_token(app: Flask, browser: Browser, path: str) -> None:
    CSRFProtect(app)

    class Form(FlaskForm):  # type: ignore[misc]
        name = StringField(validators=[InputRequired()])

    def answer() -> Any:
        form = Form()
        if form.validate_on_submit():
            return f"hello {form.name.data}"
        return render_template_string("{{ form.csrf_token }}", form=form), 200 if request.method == "GET" else 422

    async def async_view() -> Any:
        return answer()

    app.add_url_rule("/sync", "sync", answer, methods=["GET", "POST"])
    app.add_url_rule("/async", "async", async_view, methods=["GET", "POST"])

    assert (await browser.ask(path, "POST", b"name=ann")).status == 400
    token = re.search(r'value="([^"]+)"', (await browser.ask(path)).text)
    assert token is not None
    field = b"&csrf_token=" + token[1].encode()
    assert (await browser.ask(path, "POST", b"name=ann" + field)).text == "hello ann"
    assert (await browser.ask(path, "POST", b"name=" + field)).status == 422
