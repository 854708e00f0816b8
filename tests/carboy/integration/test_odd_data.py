"""Names and addresses as the world writes them, and as attackers do: never a 500, and unique without regard to case."""

import httpx
import pytest
from support.users import registration

JSON = {"Content-Type": "application/json"}

SAME_USERNAMES = {
    "sharp s": ("Straße", "STRASSE"),
    "capital sharp s": ("STRAẞE", "strasse"),
    "final sigma": ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    "fullwidth": ("\uff21\uff44\uff41", "ada"),
    "ligature": ("\ufb01n", "FIN"),
    "combining or not": ("Ame\u0301lie", "AM\u00c9LIE"),
    "two combining marks in another order": ("q\u0307\u0323", "q\u0323\u0307"),
    "emoji": ("\U0001f600Ada", "\U0001f600ADA"),
    "dotted capital i": ("\u0130brahim", "i\u0307brahim"),
    "iota subscript": ("\u1f80", "\u1f88"),
}
OTHER_USERNAMES = {
    "dotless i": ("\u0131rmak", "irmak"),
    "dotted capital i": ("\u0130rmak", "irmak"),
    "an accent": ("Amélie", "Amelie"),
    "cyrillic": ("\u0430da", "ada"),
    "emoji": ("\U0001f600", "\U0001f601"),
}
SAME_EMAILS = {
    "local part": ("Ada.Lovelace@example.org", "ADA.LOVELACE@example.org"),
    "sharp s": ("straße@example.org", "STRASSE@example.org"),
    "final sigma": ("ΟΔΥΣΣΕΥΣ@example.org", "οδυσσευς@example.org"),
    "combining or not": ("e\u0301@example.org", "\u00c9@example.org"),
}


@pytest.mark.parametrize(("first", "second"), SAME_USERNAMES.values(), ids=SAME_USERNAMES.keys())
async def test_usernames_that_differ_in_case_or_form_are_the_same(
    client: httpx.AsyncClient, first: str, second: str
) -> None:
    created = await client.post("/api/users", json=registration(first, email="first@example.org"))
    assert created.status_code == 201
    again = await client.post("/api/users", json=registration(second, email="second@example.org"))
    assert (again.status_code, again.json()["code"]) == (409, "username_taken")
    for spelling in (first, second):
        found = (await client.get("/api/users", params={"username": spelling})).json()["items"]
        assert found == [created.json()]


@pytest.mark.parametrize(("first", "second"), OTHER_USERNAMES.values(), ids=OTHER_USERNAMES.keys())
async def test_usernames_that_only_look_alike_are_others(client: httpx.AsyncClient, first: str, second: str) -> None:
    for number, name in enumerate((first, second)):
        answer = await client.post("/api/users", json=registration(name, email=f"{number}@example.org"))
        assert answer.status_code == 201
    assert [
        len((await client.get("/api/users", params={"username": name})).json()["items"]) for name in (first, second)
    ] == [1, 1]


@pytest.mark.parametrize(("first", "second"), SAME_EMAILS.values(), ids=SAME_EMAILS.keys())
async def test_email_addresses_that_differ_in_case_are_the_same(
    client: httpx.AsyncClient, first: str, second: str
) -> None:
    created = await client.post("/api/users", json=registration("first", email=first))
    assert created.status_code == 201
    again = await client.post("/api/users", json=registration("second", email=second))
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    for spelling in (first, second):
        found = (await client.get("/api/users", params={"email": spelling})).json()["items"]
        assert found == [created.json()]


@pytest.mark.parametrize("field", ["username", "email", "full_name"])
async def test_control_characters_are_refused(client: httpx.AsyncClient, field: str) -> None:
    for escape in ("\\u0000", "\\ud800", "\\udfff\\ud800", "\\u001b", "\\u2028", "\\u0085"):
        values = {"username": "ada", "email": "ada@example.org", "full_name": "Ada"}
        values[field] = f"a{escape}{values[field]}"
        body = "{" + ", ".join(f'"{name}": "{value}"' for name, value in values.items()) + "}"
        for method, path in (("POST", "/api/users"), ("PATCH", "/api/users/1")):
            answer = await client.request(method, path, content=body.encode(), headers=JSON)
            assert answer.status_code in {400, 422}, escape
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["username", "email", "cursor", "limit", "%00", "a%80b"])
async def test_odd_bytes_in_a_query_are_no_fault_of_ours(client: httpx.AsyncClient, name: str) -> None:
    for value in ("%00", "%ED%A0%80", "%FF%FE", "%F0%9F%98%80", "%E2%80%A8", "%C4%B1"):
        answer = await client.get(f"/api/users?{name}={value}")
        assert answer.status_code in {200, 400, 422}, value


LENGTHS = {
    "ascii": "x",
    "emoji": "\U0001f600",
    "sharp s": "ß",
    "a letter that grows when it is folded": "\u0390",
    "a letter that composes": "e\u0301",
}


@pytest.mark.parametrize("letter", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize(("field", "limit"), [("username", 80), ("full_name", 200)])
async def test_lengths_are_those_of_the_stored_text(
    client: httpx.AsyncClient, field: str, limit: int, letter: str
) -> None:
    longest = await client.post("/api/users", json=registration("ada") | {field: letter * limit})
    assert longest.status_code == 201
    assert len(longest.json()[field]) == limit
    longer = await client.post("/api/users", json=registration("bob") | {field: letter * (limit + 1)})
    assert (longer.status_code, longer.json()["errors"][0]["pointer"]) == (422, f"#/{field}")


async def test_a_letter_that_grows_when_it_is_normalised_counts_as_it_is_stored(client: httpx.AsyncClient) -> None:
    letter = "\ufdfb"  # Eight letters and a space in one.
    answer = await client.post("/api/users", json=registration("ada", full_name=letter * 25))
    assert (answer.status_code, len(answer.json()["full_name"])) == (201, 200)
    answer = await client.post("/api/users", json=registration("bob", full_name=letter * 26))
    assert answer.status_code == 422


async def test_an_email_address_is_found_by_either_form_of_its_domain(client: httpx.AsyncClient) -> None:
    first, second = "ada@bücher.example.org", "ada@xn--bcher-kva.example.org"
    created = await client.post("/api/users", json=registration("first", email=first))
    assert created.status_code == 201
    assert (await client.post("/api/users", json=registration("second", email=second))).status_code == 409
    for spelling in (first, second):
        found = (await client.get("/api/users", params={"email": spelling})).json()["items"]
        assert found == [created.json()]


@pytest.mark.parametrize("letter", ["x", "ß", "\u0130", "\u1e9e", "\u0390"])
async def test_an_email_address_of_any_letters_is_stored_or_refused(client: httpx.AsyncClient, letter: str) -> None:
    domain = f"{'d' * 43}.example.org"
    for times in (32, 64, 65):
        answer = await client.post("/api/users", json=registration(f"user{times}", email=f"{letter * times}@{domain}"))
        assert answer.status_code in {201, 422}
        if answer.status_code == 201:
            assert len(answer.json()["email"]) <= 120
