"""The rules for users, without HTTP."""

import unicodedata

import pytest
from pydantic import MISSING, ValidationError
from support.accounts import ADMIN
from support.databases import rows_of
from support.users import registration

from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from app.users.schemas import UserCreate, UserQuery, UserUpdate
from app.users.services import UserService
from carboy.errors import ConflictError
from carboy.schemas.text import fold
from carboy.testing import MemoryDatabase
from containers import Container


@pytest.fixture
def service(container: Container) -> UserService:
    return container.user_service()


def new(username: str, email: str = "", **more: object) -> UserCreate:
    return UserCreate(**registration(username, **({"email": email} if email else {}), **more))


@pytest.mark.parametrize(
    ("email", "stored"),
    [
        ("ADA@Example.ORG", "ada@example.org"),
        ("ÅDA@example.org", "åda@example.org"),
        ("A\u030ada@example.org", "åda@example.org"),
        ("ada@BÜCHER.example.org", "ada@bücher.example.org"),
    ],
)
async def test_an_address_is_stored_in_lower_case_and_composed(service: UserService, email: str, stored: str) -> None:
    assert (await service.create_user(ADMIN, new("ada", email))).email == stored
    changed = await service.update_user(ADMIN, 1, UserUpdate(email=f"x{email}"))
    assert changed.email == f"x{stored}"


@pytest.mark.parametrize(("given", "stored"), [("ﬁsh", "fish"), ("\uff21da", "Ada"), ("A\u030a", "Å"), ("x²", "x2")])
async def test_names_are_stored_normalised(service: UserService, given: str, stored: str) -> None:
    user = await service.create_user(ADMIN, new(given, "a@example.org", full_name=given))
    assert (user.username, user.full_name) == (stored, stored)
    user = await service.update_user(ADMIN, 1, UserUpdate(username=f"2{given}", full_name=f"2{given}"))
    assert (user.username, user.full_name) == (f"2{stored}", f"2{stored}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "ADA"),
        ("straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("å", "A\u030a"),
        ("İ", "i\u0307"),
        ("\u1fb3", "\u0391\u0399"),
        ("\uff2b", "k"),
        ("\u212a", "k"),
    ],
)
async def test_names_are_unique_without_regard_to_case(service: UserService, one: str, other: str) -> None:
    await service.create_user(ADMIN, new(one, "one@example.org"))
    with pytest.raises(UsernameTakenError):
        await service.create_user(ADMIN, new(other, "other@example.org"))
    await service.create_user(ADMIN, new("another", "other@example.org"))
    another = (await service.list_users(UserQuery(username="another"))).items[0]
    with pytest.raises(UsernameTakenError):
        await service.update_user(ADMIN, another.id, UserUpdate(username=other))
    assert (await service.list_users(UserQuery(username=other))).items[0].username == unicodedata.normalize("NFKC", one)


@pytest.mark.parametrize(("one", "other"), [("ada", "ADA"), ("straße", "STRASSE"), ("åda", "A\u030aDA")])
async def test_addresses_are_unique_without_regard_to_case(service: UserService, one: str, other: str) -> None:
    await service.create_user(ADMIN, new("one", f"{one}@example.org"))
    with pytest.raises(EmailTakenError):
        await service.create_user(ADMIN, new("other", f"{other}@EXAMPLE.org"))
    found = await service.list_users(UserQuery(email=f"{other}@EXAMPLE.org"))
    assert [user.username for user in found.items] == ["one"]


async def test_addresses_at_domains_that_idna_tells_apart_are_two(service: UserService) -> None:
    for number, email in enumerate(("ada@straße.de", "ada@strasse.de")):
        await service.create_user(ADMIN, new(f"user{number}", email))
        found = await service.list_users(UserQuery(email=email.upper() if number else "ada@xn--strae-oqa.de"))
        assert [user.email for user in found.items] == [email]
    with pytest.raises(EmailTakenError):
        await service.create_user(ADMIN, new("other", "ADA@Straße.de"))


def test_folding_does_not_care_for_case_and_folds_no_further_a_second_time() -> None:
    letters = [chr(code) for code in range(0x20, 0x1F000) if chr(code).lower() != chr(code) or chr(code).isupper()]
    assert len(letters) > 1000
    assert [letter for letter in letters if fold(letter) != fold(letter.lower())] == []
    assert [letter for letter in letters if fold(fold(letter)) != fold(letter)] == []


async def test_a_user_may_keep_its_names_or_change_their_case(service: UserService) -> None:
    await service.create_user(ADMIN, new("ada"))
    changed = await service.update_user(ADMIN, 1, UserUpdate(username="ADA", email="ADA@example.org"))
    assert (changed.username, changed.email) == ("ADA", "ada@example.org")


async def test_a_name_is_free_again_after_its_user_is_deleted_or_renamed(service: UserService) -> None:
    await service.create_user(ADMIN, new("ada"))
    await service.delete_user(ADMIN, 1)
    await service.create_user(ADMIN, new("ada"))
    await service.update_user(ADMIN, 2, UserUpdate(username="bob", email="bob@example.org"))
    assert (await service.create_user(ADMIN, new("ada"))).id == 3


async def test_a_change_keeps_the_fields_that_it_omits(service: UserService) -> None:
    before = await service.create_user(ADMIN, new("ada", full_name="Ada", active=False))
    after = await service.update_user(ADMIN, 1, UserUpdate(username="Ada2"))
    assert after.model_dump() == before.model_dump() | {
        "username": "Ada2",
        "version": 2,
        "updated_at": after.updated_at,
    }


async def test_null_removes_a_full_name_and_may_stand_nowhere_else(service: UserService) -> None:
    await service.create_user(ADMIN, new("ada", full_name="Ada"))
    assert (await service.update_user(ADMIN, 1, UserUpdate(full_name=None))).full_name is None
    for field in ("username", "email", "active"):
        with pytest.raises(ValidationError, match=field):
            UserUpdate.model_validate({field: None})


async def test_an_empty_change_changes_nothing_and_needs_a_user(service: UserService) -> None:
    before = await service.create_user(ADMIN, new("ada"))
    assert await service.update_user(ADMIN, 1, UserUpdate()) == before
    with pytest.raises(UserNotFoundError):
        await service.update_user(ADMIN, 2, UserUpdate())


async def test_an_unknown_user_is_404(service: UserService) -> None:
    for work in (
        service.get_user(1),
        service.delete_user(ADMIN, 1),
        service.update_user(ADMIN, 1, UserUpdate(active=False)),
    ):
        with pytest.raises(UserNotFoundError):
            await work


def test_a_change_distinguishes_omitted_fields_from_null() -> None:
    change = UserUpdate(full_name=None)
    assert change.username is change.email is change.active is MISSING
    assert change.model_dump() == {"full_name": None}


async def test_a_refused_change_leaves_no_trace(service: UserService, database: MemoryDatabase) -> None:
    await service.create_user(ADMIN, new("ada"))
    await service.create_user(ADMIN, new("bob"))
    before = await rows_of(database, "users")
    with pytest.raises(ConflictError):
        await service.update_user(ADMIN, 2, UserUpdate(username="Bobby", email="ADA@example.org"))
    with pytest.raises(ConflictError):
        await service.create_user(ADMIN, new("carol", "ada@example.org"))
    assert await rows_of(database, "users") == before
