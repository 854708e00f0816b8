"""What clients send that is not right, and how each field of it is named."""

from typing import Any

import httpx
import pytest
from support.users import registration

from app.settings import Settings
from carboy.config import load_settings
from containers import CONFIG_FILE

DEPLOYED = {
    "CARBOY_DATABASE__URL": "postgresql+asyncpg://carboy@db.internal/carboy",
    "CARBOY_SECURITY__SECRET_KEY": "Zq7-a-key-that-is-long-enough-for-all",
}
RIGHT = registration("Ada", email="ada@example.org")
JSON = {"Content-Type": "application/json"}


async def errors_of(client: httpx.AsyncClient, body: Any) -> list[dict[str, str]]:
    answer = await client.post("/api/users", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    errors: list[dict[str, str]] = answer.json()["errors"]
    assert all(set(error) == {"pointer", "detail"} for error in errors)
    assert all(error["detail"][0].isupper() and error["detail"].endswith(".") for error in errors)
    return errors


async def pointers(client: httpx.AsyncClient, body: Any) -> list[str]:
    return [error["pointer"] for error in await errors_of(client, body)]


async def test_each_invalid_field_gets_one_entry(client: httpx.AsyncClient) -> None:
    body = {"username": "", "email": "no", "full_name": 5, "active": "yes", "more": 1, "and more": {}}
    assert await pointers(client, body) == [
        "#/username",
        "#/email",
        "#/full_name",
        "#/active",
        "#/more",
        "#/and%20more",
    ]


async def test_each_invalid_field_of_a_change_gets_one_entry(client: httpx.AsyncClient) -> None:
    body = {"username": None, "email": None, "full_name": 5, "active": None}
    answer = await client.patch("/api/users/1", json=body)
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/{name}" for name in body]


@pytest.mark.parametrize(
    ("username", "detail"),
    [("a" * 81, "Should have a length of at most 80, not 81."), ("", "Should have a length of at least 1, not 0.")],
)
async def test_text_of_a_wrong_length_is_told_its_length(client: httpx.AsyncClient, username: str, detail: str) -> None:
    errors = await errors_of(client, RIGHT | {"username": username})
    assert errors == [{"pointer": "#/username", "detail": detail}]


async def test_missing_fields_are_named(client: httpx.AsyncClient) -> None:
    assert await errors_of(client, {}) == [
        {"pointer": "#/username", "detail": "Field required."},
        {"pointer": "#/email", "detail": "Field required."},
    ]


@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ("a/b", "#/a~1b"),
        ("a~b", "#/a~0b"),
        ("~1", "#/~01"),
        ("", "#/"),
        ("0", "#/0"),
        ("é", "#/%C3%A9"),
        ("a%20b", "#/a%2520b"),
        ('q"\\', "#/q%22%5C"),
        ("id", "#/id"),
        ("created_at", "#/created_at"),
        ("username_key", "#/username_key"),
        ("version", "#/version"),
    ],
)
async def test_an_unknown_field_is_named_by_a_json_pointer(client: httpx.AsyncClient, field: str, pointer: str) -> None:
    assert await pointers(client, RIGHT | {field: 1}) == [pointer]


async def test_an_unknown_field_or_parameter_is_called_so(client: httpx.AsyncClient) -> None:
    body = await client.post("/api/users", json=RIGHT | {"nick": "ada"})
    assert body.json()["errors"] == [{"pointer": "#/nick", "detail": "There is no field of this name."}]
    many = await client.post("/api/users", json=RIGHT | {"nick": [1] * 10_000})
    assert many.json()["errors"] == [{"pointer": "#/nick", "detail": "There is no field of this name."}]
    query = await client.get("/api/users?nick=ada")
    assert query.json()["errors"] == [{"parameter": "nick", "detail": "There is no parameter of this name."}]


@pytest.mark.parametrize("body", [[], [RIGHT], None, "text", 5, True])
async def test_json_that_is_no_object_is_named_as_a_whole(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/api/users", content=httpx.Request("POST", "/", json=body).content, headers=JSON)
    if body is None:
        answer = await client.post("/api/users", content=b"null", headers=JSON)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#"]


@pytest.mark.parametrize("field", ["username", "email", "full_name"])
@pytest.mark.parametrize("value", [5, [], {}, ["Ada"], True, "a\x00b", "a\nb", "\x1b[31m", "a\u2028b", "a\x7fb"])
async def test_text_is_one_line_of_text(client: httpx.AsyncClient, field: str, value: Any) -> None:
    assert await pointers(client, RIGHT | {field: value}) == [f"#/{field}"]


@pytest.mark.parametrize("value", ["true", 1, 0, [], None])
async def test_a_boolean_is_a_boolean(client: httpx.AsyncClient, value: Any) -> None:
    assert await pointers(client, RIGHT | {"active": value}) == ["#/active"]


@pytest.mark.parametrize(
    ("field", "value", "is_right"),
    [
        ("username", "x" * 80, True),
        ("username", "x" * 81, False),
        ("username", "", False),
        ("username", "a b", False),
        ("username", "a\u00a0b", False),
        # One character that NFKC makes 18, among them spaces.
        ("username", "\ufdfa", False),
        ("username", "ﬁ" * 40, True),
        ("username", "ﬁ" * 41, False),
        ("full_name", "x" * 200, True),
        ("full_name", "x" * 201, False),
        ("full_name", "ﬁ" * 101, False),
        ("email", "x" * 64 + "@" + "y" * 51 + ".org", True),
        ("email", "x" * 64 + "@" + "y" * 52 + ".org", False),
        # In lower case each is two characters, and what is stored must fit.
        ("email", "İ" * 60 + "@example.org", False),
        ("email", "@example.org", False),
        ("email", "a@b", False),
        ("email", "a@host", False),
        ("email", "a@host.invalid", False),
        ("email", "Ada <ada@example.org>", False),
        ("email", '"Ada L." <ada@example.org>', False),
        ("email", "<ada@example.org>", False),
        ("email", "a b@example.org", False),
    ],
)
async def test_lengths_and_forms_have_limits(
    client: httpx.AsyncClient,
    field: str,
    value: str,
    is_right: bool,  # noqa: FBT001 - a table of cases.
) -> None:
    if is_right:
        assert (await client.post("/api/users", json=RIGHT | {field: value})).status_code == 201
    else:
        assert await pointers(client, RIGHT | {field: value}) == [f"#/{field}"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"username": }',
        b"{'username': 1}",
        b'{"a": 1,}',
        b"{} {}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"username": "\xff"}',
        b'{"username": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"username": ' + b"9" * 5000 + b"}",
        '{"username": "Ada"}'.encode("utf-16"),
    ],
)
async def test_malformed_json_is_a_bad_request(client: httpx.AsyncClient, body: bytes) -> None:
    for method, path in (("POST", "/api/users"), ("PATCH", "/api/users/1")):
        answer = await client.request(method, path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert answer.json()["detail"].startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "json", "\xff"]
)
async def test_a_body_that_is_not_declared_as_json_is_refused(
    client: httpx.AsyncClient, media_type: str | None
) -> None:
    headers = {} if media_type is None else {b"Content-Type": media_type.encode("latin-1")}
    answer = await client.post("/api/users", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_of_a_field_that_stands_twice_the_last_counts(client: httpx.AsyncClient) -> None:
    body = b'{"username": "first", "username": "last", "email": "ada@example.org"}'
    answer = await client.post("/api/users", content=body, headers=JSON)
    assert answer.json()["username"] == "last"


async def test_a_body_over_the_limit_is_refused_whole_or_in_chunks(client: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 60_000

    for content in (b"x" * 1_048_577, chunks()):
        answer = await client.post("/api/users", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


async def test_a_flood_of_invalid_fields_is_answered_in_short(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/users", json={f"field{number}": 0 for number in range(10_000)})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("field", ["username", "full_name"])
async def test_text_that_takes_long_to_normalise_is_refused_at_once(client: httpx.AsyncClient, field: str) -> None:
    # To sort combining marks takes a time that grows with the square of their number: minutes for these.
    body = {"username": "ada", "email": "ada@example.org", field: "a" + "\u0301\u0316" * 250_000}
    response = await client.post("/api/users", json=body)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error == {"pointer": f"#/{field}", "detail": "Must be at most 2000 characters."}


@pytest.mark.parametrize("character", "\u034f\u115f\u3164\ufe0f\u2800\U000e0100")
async def test_a_name_with_invisible_characters_is_refused(client: httpx.AsyncClient, character: str) -> None:
    answer = await client.post("/api/users", json={"username": f"ada{character}", "email": "ada@example.org"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/username"]


async def test_a_problem_repeats_no_name_of_any_length(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/users", json={"x" * 100_000: 1})
    assert (answer.status_code, len(answer.content) < 2_000) == (422, True)


@pytest.mark.parametrize("domain", ["host.test", "host.local", "localhost"])
async def test_special_use_domains_are_taken_in_testing(client: httpx.AsyncClient, domain: str) -> None:
    assert (await client.post("/api/users", json=RIGHT | {"email": f"ada@{domain}"})).json()["email"] == f"ada@{domain}"
    [user] = (await client.get(f"/api/users?email=ADA@{domain}")).json()["items"]
    assert user["id"] == 1
    assert (await client.patch("/api/users/1", json={"email": f"eve@{domain}"})).status_code == 200


class TestWhereSpecialUseDomainsAreNotAllowed:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"http": settings.http.model_copy(update={"special_use_domains": False})})

    @pytest.mark.parametrize("domain", ["host.test", "host.local", "localhost"])
    async def test_they_are_refused(self, client: httpx.AsyncClient, domain: str) -> None:
        assert await pointers(client, RIGHT | {"email": f"ada@{domain}"}) == ["#/email"]
        answer = await client.get(f"/api/users?email=ada@{domain}")
        assert [error["parameter"] for error in answer.json()["errors"]] == ["email"]


def test_deployed_profiles_do_not_allow_special_use_domains() -> None:
    for environment, allowed in (("development", True), ("testing", True), ("staging", False), ("production", False)):
        settings = load_settings(Settings, CONFIG_FILE, {"CARBOY_ENV": environment} | DEPLOYED)
        assert settings.http.special_use_domains is allowed
