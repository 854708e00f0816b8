"""What DAOs do: on real databases, and on the one in memory that unit tests have."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from support.counting import CLIENTS, CountingService
from support.databases import Write
from support.users import registration

from app.users.daos import UserDao
from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from carboy.db import Database
from carboy.errors import StaleVersionError


@pytest.fixture
def users(contract_users: UserDao) -> UserDao:
    return contract_users


async def test_a_new_row_has_the_defaults_of_its_table(users: UserDao, write: Write) -> None:
    before = datetime.now(UTC)
    user = await write(lambda: users.add(registration("ada")))
    after = datetime.now(UTC)
    assert (user.id, user.active, user.full_name, user.version) == (1, True, None, 1)
    for moment in (user.created_at, user.updated_at):
        assert moment.utcoffset() == timedelta()
        assert before <= moment <= after
    assert await write(lambda: users.get(user.id)) == user


async def test_given_values_take_the_place_of_defaults(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add(registration("ada", active=False, full_name="Ada \U0001f469\u200d\U0001f4bb")))
    assert (user.active, user.full_name) == (False, "Ada \U0001f469\u200d\U0001f4bb")


async def test_an_update_counts_the_version_and_renews_one_timestamp(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add(registration("ada")))
    changed = await write(lambda: users.update(user.id, {"full_name": "Ada"}))
    assert (changed.full_name, changed.version) == ("Ada", 2)
    assert changed.created_at == user.created_at
    assert changed.updated_at > user.updated_at
    changed = await write(lambda: users.update(user.id, {"full_name": None}, versions=frozenset({2})))
    assert (changed.full_name, changed.version, changed.username) == (None, 3, "ada")
    assert await write(lambda: users.get(user.id)) == changed


async def test_an_update_of_nothing_changes_nothing(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add(registration("ada")))
    assert await write(lambda: users.update(user.id, {})) == user
    assert await write(lambda: users.update(user.id, {}, versions=frozenset({1, 7}))) == user
    with pytest.raises(StaleVersionError):
        await write(lambda: users.update(user.id, {}, versions=frozenset({2})))
    with pytest.raises(UserNotFoundError):
        await write(lambda: users.update(user.id + 1, {}))


async def test_an_update_from_another_version_is_stale(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add(registration("ada")))
    for version in (0, 2, 99):
        with pytest.raises(StaleVersionError):
            await write(partial(users.update, user.id, {"full_name": "x"}, versions=frozenset({version})))
    assert await write(lambda: users.get(user.id)) == user


@pytest.mark.parametrize("identity", [0, -1, 2, 2**31, 2**63 - 1, 2**63, 2**70, -(2**63), -(2**63) - 1, -(2**70)])
async def test_a_row_that_is_not_there_is_not_found(users: UserDao, write: Write, identity: int) -> None:
    user = await write(lambda: users.add(registration("ada")))
    assert await write(lambda: users.find(identity)) is None
    for step in (
        lambda: users.get(identity),
        lambda: users.update(identity, {"full_name": "x"}),
        lambda: users.update(identity, {"full_name": "x"}, versions=frozenset({1})),
        lambda: users.delete(identity),
    ):
        with pytest.raises(UserNotFoundError):
            await write(step)
    assert await write(lambda: users.get(user.id)) == user


async def test_rows_are_found_in_whatever_case(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add({"username": "Straße", "email": "Ada@a.org"}))
    assert user.username == "Straße"
    for name in ("Straße", "STRASSE", "strasse"):
        assert await write(partial(users.get_by_username, name)) == user
    assert await write(lambda: users.get_by_email("ADA@a.org")) == user
    with pytest.raises(UsernameTakenError):
        await write(lambda: users.add(registration("eve") | {"username": "STRASSE", "username_key": "strasse"}))
    assert await write(lambda: users.find_by_email("")) is None
    with pytest.raises(UserNotFoundError):
        await write(lambda: users.get_by_username("bob"))
    with pytest.raises(UserNotFoundError):
        await write(lambda: users.get_by_email("bob"))


async def test_unique_values_are_unique_in_new_and_in_changed_rows(users: UserDao, write: Write) -> None:
    ada = await write(lambda: users.add(registration("ada")))
    bob = await write(lambda: users.add(registration("bob")))
    with pytest.raises(UsernameTakenError):
        await write(lambda: users.add(registration("eve", username_key="ada")))
    with pytest.raises(EmailTakenError):
        await write(lambda: users.add(registration("eve", email_key=ada.email)))
    with pytest.raises(UsernameTakenError):
        await write(lambda: users.update(bob.id, {"username_key": "ada"}))
    with pytest.raises(EmailTakenError):
        await write(lambda: users.update(bob.id, {"email_key": ada.email}))
    assert (await write(lambda: users.page(limit=9))).records == [ada, bob]
    changed = await write(lambda: users.update(bob.id, {"username_key": "bob", "email_key": bob.email}))
    assert changed.version == 2


async def test_the_id_of_a_deleted_row_is_not_given_again(users: UserDao, write: Write) -> None:
    first = await write(lambda: users.add(registration("ada")))
    last = await write(lambda: users.add(registration("bob")))
    await write(lambda: users.delete(last.id))
    again = await write(lambda: users.add(registration("bob")))
    assert first.id < last.id < again.id
    with pytest.raises(UserNotFoundError):
        await write(lambda: users.get(last.id))


async def test_a_column_that_does_not_exist_is_a_mistake(users: UserDao, write: Write) -> None:
    user = await write(lambda: users.add(registration("ada")))
    with pytest.raises(KeyError, match="nickname"):
        await write(lambda: users.add(registration("bob", nickname="bo")))
    with pytest.raises(KeyError, match="nickname"):
        await write(lambda: users.update(user.id, {"nickname": "ad"}))
    with pytest.raises(KeyError, match="nickname"):
        await write(lambda: users.page(limit=1, where={"nickname": "ad"}))
    with pytest.raises(KeyError, match="nickname"):
        await write(lambda: users.page(limit=1, sort="nickname"))


async def test_writers_at_the_same_time_lose_nothing(contract_database: Database, contract_users: UserDao) -> None:
    service = CountingService(contract_database, contract_users)
    user = await service.add()
    await asyncio.gather(*(service.increment(user.id) for _ in range(CLIENTS)))
    changed = await service.get(user.id)
    assert (await service.count(user.id), changed.version) == (CLIENTS, CLIENTS + 1)


async def test_of_several_violated_constraints_one_is_reported(users: UserDao, write: Write) -> None:
    await write(lambda: users.add(registration("ada")))
    with pytest.raises((UsernameTakenError, EmailTakenError)):
        await write(lambda: users.add(registration("ada")))


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("stra\u00dfe", ["a@stra\u00dfe.de", "stra\u00dfe@example.org", "c@strasse.de"]),
        ("STRASSE", ["stra\u00dfe@example.org", "c@strasse.de"]),
        ("@STRA\u1e9eE.de", ["a@stra\u00dfe.de", "c@strasse.de"]),
        ("\u03b2\u03cc\u03bb\u03bf\u03c2", ["d@\u03b2\u03cc\u03bb\u03bf\u03c2.gr"]),
        ("_", []),
        ("\u00df%", []),
    ],
)
async def test_a_search_finds_domains_as_they_are_spelt(
    users: UserDao, write: Write, search: str, found: list[str]
) -> None:
    emails = ["a@stra\u00dfe.de", "stra\u00dfe@example.org", "c@strasse.de", "d@\u03b2\u03cc\u03bb\u03bf\u03c2.gr"]

    async def add() -> None:
        for number, email in enumerate(emails):
            await users.add({"username": f"u{number}", "email": email})

    await write(add)
    page = await write(lambda: users.page(limit=10, search=search))
    assert [user.email for user in page.records] == found
    assert await write(lambda: users.count(search=search)) == len(found)
