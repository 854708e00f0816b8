"""A DAO that is declared wrongly says in which file, which class, and what to write, before the first request."""

from typing import Annotated, Any

import pytest
from dependency_injector import providers
from flask import Flask
from pydantic import AfterValidator, SecretStr, create_model
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship
from support.apart import Apart
from support.invoices import ApartInvoiceRead, InvoiceDao, RowNotFoundError
from support.kinds import BoxDao
from support.sold import SaleDao, SaleQuery

from app.users.daos import UserDao
from app.users.errors import UsernameTakenError, UserNotFoundError
from app.users.models import User
from app.users.schemas import UserRead
from carboy.daos.base import Dao
from carboy.daos.declarations import DeclarationError, mistakes_in
from carboy.di.wiring import WiringError, wire
from carboy.models import KeyText, link_table
from carboy.schemas import Date, Tags, Text
from carboy.schemas.base import Input, PageQuery, Record, sort_by
from carboy.schemas.filters import Before, Related
from carboy.schemas.text import Search, fold
from carboy.services import Cursors
from carboy.testing import MemoryDatabase
from containers import Container


class Misspelt(Record):
    usernam: str


class NoModelDao(Dao[UserRead]):
    record, not_found = UserRead, UserNotFoundError


class NoErrorDao(Dao[UserRead]):
    model, record = User, UserRead


def changed(dao: type[Dao[Any]], **attributes: object) -> type[Dao[Any]]:
    return type(f"Other{dao.__name__}", (dao,), {"__module__": __name__, **attributes})


def query(**fields: object) -> type[PageQuery]:
    make: Any = create_model
    found: type[PageQuery] = make("OddQuery", __base__=PageQuery, __module__=__name__, **fields)
    return found


def test_a_field_without_a_column_is_told_when_the_dao_is_made() -> None:
    with pytest.raises(DeclarationError) as raised:
        changed(UserDao, record=Misspelt)(MemoryDatabase())
    assert "OtherUserDao: Misspelt.usernam is nothing that User has." in str(raised.value)
    assert "username" in str(raised.value)


@pytest.mark.parametrize(("dao", "missing"), [(NoModelDao, "model = Note"), (NoErrorDao, "not_found = Note")])
def test_what_a_dao_lacks_is_told_when_it_is_made(dao: type[Dao[UserRead]], missing: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        dao(MemoryDatabase())
    assert str(raised.value).startswith(f"{__file__}: {dao.__name__} has no {missing.split(maxsplit=1)[0]}.")
    assert missing in str(raised.value)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (
            {"colour": (Text | None, None)},
            'OddQuery.colour: apart_sales has no column colour. Write Equal("...") with one of',
        ),
        (
            {"due": (Annotated[Date, Before("due")] | None, None)},
            'OddQuery.due: apart_sales has no column due. Write Before("...") with one of: id, seller_id,',
        ),
        (
            {"by": (Annotated[Text, AfterValidator(fold), Related("owner", "name")] | None, None)},
            'OddQuery.by: Sale has no relationship owner. Write Related("...", ...) with one of: seller, labels,',
        ),
        (
            {"by": (Annotated[Text, Related("seller", "nam")] | None, None)},
            'OddQuery.by: apart_sellers has no column nam. Write Equal("...") with one of: id, name, name_key',
        ),
        (
            {"sort": (Annotated[str, sort_by(due="due")], "id")},
            "OddQuery.sort: apart_sales has no column due. Write sort_by(due=...) with one of: id, seller_id,",
        ),
    ],
)
def test_what_a_query_asks_of_no_column_is_told(field: dict[str, Any], told: str) -> None:
    [found] = mistakes_in(changed(SaleDao, query=query(**field)))
    assert found.startswith(f"{__file__}: {told}")


async def test_a_query_that_its_dao_does_not_name_is_told() -> None:
    cursors, sales = Cursors(SecretStr("x")), changed(SaleDao, query=PageQuery)(MemoryDatabase())
    with pytest.raises(DeclarationError, match=r"OtherSaleDao.query is PageQuery. Write in it: query = SaleQuery"):
        await cursors.page(sales, SaleQuery())


def test_a_search_without_columns_is_told() -> None:
    dao = changed(BoxDao, query=query(q=(Search | None, None)))
    [found] = mistakes_in(dao)
    assert found.startswith(
        f"{__file__}: OddQuery.q searches no column. Write in OtherBoxDao the columns of folded text"
    )
    assert "searched = (" in found


def test_two_parameters_that_ask_the_same_are_told() -> None:
    [found] = mistakes_in(
        changed(
            SaleDao,
            query=query(
                sold=(Annotated[Date, Before("due_on")] | None, None),
                due=(Annotated[Date, Before("due_on")] | None, None),
            ),
        )
    )
    assert "OddQuery.due: another field is the same filter" in found


@pytest.mark.parametrize("key", ["usernme_key", ("username_key", "emial_key"), "ix_users_username", "no_such_table"])
def test_a_conflict_with_nothing_is_told(key: object) -> None:
    [found] = mistakes_in(changed(UserDao, conflicts={key: UsernameTakenError}))
    assert f"OtherUserDao.conflicts: {key!r} names no column, constraint or unique index of users" in found
    assert "uq_users_username_key" in found


def test_conflicts_with_constraints_of_children_and_with_tables_that_refer_are_right() -> None:
    conflicts = {
        "uq_line": UsernameTakenError,
        "ck_apart_lines_text": UsernameTakenError,
        "apart_lines": UsernameTakenError,
    }
    assert mistakes_in(changed(InvoiceDao, conflicts=conflicts)) == []


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"folded": {"name": "username_key"}, "folds": {}}, "folded: users has no column name."),
        ({"folds": {"name": fold}}, "folds: name is not folded. Name one of: username, email, full_name."),
        ({"searched": ("user_key",)}, "searched: users has no column user_key."),
        ({"touches": ("invoices",)}, "touches: User has no relationship invoices."),
    ],
)
def test_a_name_that_is_none_is_told(attributes: dict[str, Any], told: str) -> None:
    [found] = mistakes_in(changed(UserDao, **attributes))
    assert f"OtherUserDao.{told}" in found


class Odd(Apart):
    __abstract__ = True
    metadata = MetaData()


class Label(Odd):
    __tablename__ = "odd_labels"

    name: Mapped[str] = mapped_column(KeyText, unique=True)


class Post(Odd):
    __tablename__ = "odd_posts"

    tags: Mapped[list[Label]] = relationship(
        secondary=link_table("odd_post_labels", "odd_posts.id", "odd_labels.id", metadata=Odd.metadata), lazy="raise"
    )


class PostCreate(Input):
    tags: Tags = []


class PostRead(Record):
    tags: list[str]


class PostDao(Dao[PostRead]):
    model, record, not_found = Post, PostRead, RowNotFoundError


def test_a_list_of_text_for_rows_that_are_named_by_id_is_told() -> None:
    written = f'{__file__}: %s.tags is text, but Post.tags names odd_labels by id. Write info={{"value": "..."}} in its'
    found = mistakes_in(PostDao)
    assert [one.startswith(written % name) for one, name in zip(found, ("PostRead", "PostCreate"), strict=True)]
    assert all(one.endswith("relationship, with one of: name.") for one in found)


class OwnerTold(Record):
    nickname: str


class InvoiceTold(ApartInvoiceRead):
    owner: OwnerTold  # type: ignore[assignment]  # it is wrong.


def test_a_mistake_in_a_nested_record_is_told() -> None:
    [found] = mistakes_in(changed(InvoiceDao, record=InvoiceTold))
    assert "OwnerTold.nickname: apart_owners has neither a column nor a relationship of this name." in found


@pytest.mark.parametrize("dao", [UserDao, SaleDao, InvoiceDao, BoxDao])
def test_a_dao_that_is_declared_well_has_no_mistakes(dao: type[Dao[Any]]) -> None:
    assert mistakes_in(dao) == []


def test_the_application_does_not_start_with_a_mistake(settings: Any, database: MemoryDatabase) -> None:
    class Wrong(Container):
        dao: Any = changed(UserDao, query=SaleQuery)
        user_dao = providers.Singleton(dao, database=Container.database)

    container = Wrong()
    with pytest.raises(WiringError, match=r"provider user_dao: .*sold.py: SaleQuery.status: users has no column"):
        wire(container, Flask(__name__))
