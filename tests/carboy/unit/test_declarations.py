"""A DAO that is declared wrongly says in which file, which class, and what to write."""

import pytest

from app.users.daos import UserDao
from app.users.errors import UserNotFoundError
from app.users.models import User
from app.users.schemas import UserRead
from carboy.daos.base import Dao
from carboy.daos.declarations import DeclarationError
from carboy.schemas.base import Record
from carboy.testing import MemoryDatabase


class Misspelt(Record):
    usernam: str


class NoModelDao(Dao[UserRead]):
    record, not_found = UserRead, UserNotFoundError


class NoErrorDao(Dao[UserRead]):
    model, record = User, UserRead


def test_a_field_without_a_column_is_told_when_the_dao_is_made() -> None:
    dao = type("MisspeltDao", (UserDao,), {"record": Misspelt, "__module__": __name__})
    with pytest.raises(DeclarationError) as raised:
        dao(MemoryDatabase())
    assert "MisspeltDao: Misspelt.usernam is nothing that User has." in str(raised.value)
    assert "username" in str(raised.value)


@pytest.mark.parametrize(("dao", "missing"), [(NoModelDao, "model = Note"), (NoErrorDao, "not_found = Note")])
def test_what_a_dao_lacks_is_told_when_it_is_made(dao: type[Dao[UserRead]], missing: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        dao(MemoryDatabase())
    assert str(raised.value).startswith(f"{__file__}: {dao.__name__} has no {missing.split(maxsplit=1)[0]}.")
    assert missing in str(raised.value)
