"""Rows that would stay where they are erased are no part of what a person may have erased."""

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table
from sqlalchemy.orm import Mapped
from support.apart import Apart

from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.models import SoftDeleted, reference
from carboy.schemas.base import Record
from carboy.services.personal_data import OwnedRows
from carboy.testing import MemoryDatabase

TABLES = MetaData()
Table("users", TABLES, Column("id", BigInteger, primary_key=True))


class Letter(SoftDeleted, Apart):
    __tablename__ = "letters"
    metadata = TABLES

    user_id: Mapped[int] = reference("users.id")


class LetterRead(Record):
    user_id: int


class LetterDao(Dao[LetterRead]):
    model, record, not_found = Letter, LetterRead, NotFoundError


def test_rows_that_are_only_marked_as_deleted_are_not_erased_by_that(database: MemoryDatabase) -> None:
    letters = LetterDao(database)
    with pytest.raises(TypeError, match=r"^OwnedRows of LetterDao: its deleted rows stay\. Write a PersonalData"):
        OwnedRows(database, letters, owner="user_id")
    assert OwnedRows(database, letters, owner="user_id", erasable=False).tables == ("letters",)
