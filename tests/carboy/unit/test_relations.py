"""What is declared of relations must fit: the error says where it does not, and what to write."""

from typing import Annotated

import pytest
from pydantic import create_model
from sqlalchemy import ForeignKey, ForeignKeyConstraint, MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship
from support.apart import Apart
from support.invoices import Invoice, OwnerBrief, TagRead

from carboy.daos.reading import Reading
from carboy.daos.relations import relations_of
from carboy.models import Base, link_table, unique_unless_deleted
from carboy.schemas.base import Record


class Wrong(Apart):
    __abstract__ = True
    metadata = MetaData()


class Pair(Wrong):
    __tablename__ = "pairs"
    __table_args__ = (ForeignKeyConstraint(["a", "b"], ["pairs.id", "pairs.version"]), Base.__table_args__)

    a: Mapped[int]
    b: Mapped[int]
    others: Mapped[list["Pair"]] = relationship(lazy="raise")


class Misnamed(Wrong):
    __tablename__ = "misnamed"

    other_id: Mapped[int] = mapped_column(ForeignKey("misnamed.id"))
    others: Mapped[list["Misnamed"]] = relationship(lazy="raise", info={"value": "nickname"})


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"colour": str}, "Told.colour: apart_invoices has neither a column nor a relationship of this name."),
        ({"owner": list[OwnerBrief]}, "Told.owner: one is what it must be."),
        ({"tags": TagRead}, r"Told.tags: list\[...\] is what it must be."),
        ({"project": OwnerBrief}, r"Told.project: add \| None, as apart_invoices.project_id may be null."),
    ],
)
def test_a_field_that_fits_no_column_and_no_relationship_is_told(field: dict[str, type], said: str) -> None:
    record = create_model("Told", __base__=Record, **field)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=said):
        Reading(Invoice, record)


@pytest.mark.parametrize("kind", [OwnerBrief, str, Annotated[OwnerBrief, "described"], Annotated[str, "described"]])
def test_a_field_may_be_a_record_or_a_plain_value(kind: type) -> None:
    record = create_model("Told", __base__=Record, owner=kind)
    assert Reading(Invoice, record).names == ("id", "owner_id")


def test_a_relationship_by_several_columns_is_told() -> None:
    with pytest.raises(TypeError, match=r"Pair.others: a relationship must go by one foreign key"):
        relations_of(Pair)


def test_a_value_that_is_no_column_is_told() -> None:
    with pytest.raises(TypeError, match=r'Misnamed.others: info={"value": "nickname"} names no column of misnamed'):
        relations_of(Misnamed)


def test_a_link_goes_with_either_row_and_is_found_by_either() -> None:
    table = link_table("post_labels", "posts.id", "labels.id", metadata=MetaData())
    assert [column.name for column in table.primary_key] == ["posts_id", "labels_id"]
    assert {key.ondelete for key in table.foreign_keys} == {"CASCADE"}
    assert [[column.name for column in index.columns] for index in table.indexes] == [["labels_id"]]


def test_unique_unless_deleted_is_a_partial_index_on_both_databases() -> None:
    index = unique_unless_deleted("name", name="uq_name")
    assert index.unique
    for dialect in ("sqlite", "postgresql"):
        assert str(index.dialect_options[dialect]["where"]) == "deleted_at IS NULL"
