"""Parents, children and tags, read with a row and written with it, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event
from support.invoices import (
    Credentials,
    InvoiceDao,
    InvoiceIds,
    LineDao,
    LineTwiceError,
    NameTakenError,
    OwnerDao,
    ProjectDao,
    RowNotFoundError,
    SupplierDao,
    TagDao,
    metadata,
)

from carboy.db import Database, Engines, create_session_factory
from carboy.errors import DatabaseBusyError, InUseError, InvalidInputError
from carboy.schemas.filters import Related


@pytest_asyncio.fixture
async def tables(engines: Engines) -> AsyncIterator[None]:
    async with engines.migrator.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield
    async with engines.migrator.begin() as connection:
        await connection.run_sync(metadata.drop_all)


class Domain:
    """The DAOs, each call of which is a unit of work."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.invoices, self.lines, self.tags = InvoiceDao(database), LineDao(database), TagDao(database)
        self.owners, self.projects, self.suppliers = OwnerDao(database), ProjectDao(database), SupplierDao(database)

    async def owner(self, name: str = "ada") -> int:
        return int((await self.write(self.owners, "add", {"name": name, "password_hash": "secret"})).id)

    async def invoice(self, number: str = "1", **values: Any) -> Any:
        if "owner_id" not in values:
            values["owner_id"] = await self.owner(f"owner of {number}")
        return await self.write(self.invoices, "add", {"number": number, **values})

    async def change(self, identity: int, **values: Any) -> Any:
        return await self.write(self.invoices, "update", identity, values)

    async def get(self, identity: int) -> Any:
        return await self.read(self.invoices, "get", identity)

    async def write(self, dao: Any, method: str, *arguments: Any, **options: Any) -> Any:
        return await self.database.write(lambda: getattr(dao, method)(*arguments, **options))

    async def read(self, dao: Any, method: str, *arguments: Any, **options: Any) -> Any:
        return await self.database.read(lambda: getattr(dao, method)(*arguments, **options))


@pytest.fixture
def domain(tables: None, database: Database) -> Domain:
    return Domain(database)


@pytest.fixture
def statements(engines: Engines) -> Iterator[list[str]]:
    """Every statement that is run to read."""
    yield from statements_of(engines.reader.sync_engine)


@pytest.fixture
def written(engines: Engines) -> Iterator[list[str]]:
    """Every statement that is run in a transaction."""
    yield from statements_of(engines.writer.sync_engine)


def statements_of(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def texts(invoice: Any) -> list[str]:
    return [line.text for line in invoice.lines]


async def test_a_row_is_read_as_it_was_written_with_all_that_is_nested_in_it(domain: Domain) -> None:
    project = await domain.write(domain.projects, "add", {"name": "moon"})
    await domain.write(domain.projects, "add", {"name": "rocket", "parent_id": project.id})
    made = await domain.invoice(
        tags=["red", "blue", "red"], lines=[{"text": "z"}, {"text": "a", "note": "n"}], project_id=project.id
    )
    assert made == await domain.get(made.id)
    assert (made.owner.name, made.tags, texts(made)) == ("owner of 1", ["blue", "red"], ["z", "a"])
    assert [part.name for part in made.project.parts] == ["rocket"]
    assert (made.supplier, made.version) == (None, 1)


async def test_a_page_takes_one_statement_a_relation_however_many_rows_it_has(
    domain: Domain, statements: list[str]
) -> None:
    for number in range(50):
        await domain.invoice(f"{number}", tags=["red", f"tag {number}"], lines=[{"text": "a"}, {"text": "b"}])
    # The first connection asks the server what it is.
    await domain.read(domain.invoices, "count")
    statements.clear()
    page = (await domain.read(domain.invoices, "page", limit=50)).records
    assert len(statements) == 1 + len(["owner", "lines", "tags"])
    assert [(invoice.owner.name, invoice.tags, texts(invoice)) for invoice in page] == [
        (f"owner of {number}", ["red", f"tag {number}"], ["a", "b"]) for number in range(50)
    ]


async def test_a_new_row_is_linked_by_one_statement_to_tags_that_exist(domain: Domain, written: list[str]) -> None:
    owner = await domain.owner()
    await domain.invoice("1", owner_id=owner, tags=["red", "blue"])
    written.clear()
    made = await domain.invoice("2", owner_id=owner, tags=["blue", "red", "blue"])
    assert made.tags == ["blue", "red"]
    assert [statement.split()[2] for statement in written if not statement.startswith("SELECT")] == [
        "apart_invoices",
        "apart_invoice_tags",
    ]
    made = await domain.invoice("3", owner_id=owner, tags=["green", "red"])
    assert made.tags == ["green", "red"]


async def test_a_record_may_have_ids_or_values_in_place_of_what_is_related(domain: Domain) -> None:
    ada, bob = await domain.owner("ada"), await domain.owner("bob")
    made = await domain.invoice(owner_id=ada, reviewers=[bob, ada], lines=[{"text": "a"}, {"text": "b"}])
    found = await domain.read(domain.invoices, "find_as", InvoiceIds, number="1")
    assert (found.owner_id, found.owner, found.reviewers) == (ada, "ada", [ada, bob])
    assert found.lines == [line.id for line in made.lines]


async def test_a_record_of_its_own_reads_what_no_other_sees(domain: Domain) -> None:
    await domain.owner("ada")
    assert (await domain.read(domain.owners, "find_as", Credentials, name="ada")).password_hash == "secret"
    assert await domain.read(domain.owners, "find_as", Credentials, name="bob") is None


async def test_children_are_merged_in_the_order_they_are_given_in(domain: Domain) -> None:
    made = await domain.invoice(lines=[{"text": "a"}, {"text": "b"}, {"text": "c"}])
    a, _, c = made.lines
    changed = await domain.change(
        made.id, lines=[{"id": c.id, "text": "c"}, {"text": "new", "note": "n"}, {"id": a.id, "text": "A"}]
    )
    assert texts(changed) == ["c", "new", "A"]
    assert (changed.lines[0].id, changed.lines[2].id, changed.lines[2].version) == (c.id, a.id, 2)
    same = await domain.change(made.id, lines=[{"id": line.id, "text": line.text} for line in changed.lines])
    assert same.lines == changed.lines, "A child that is given as it is does not change."
    assert (await domain.change(made.id, lines=[])).lines == []


async def test_tags_are_replaced_and_what_is_not_named_stays(domain: Domain) -> None:
    made = await domain.invoice(tags=["red", "blue"], lines=[{"text": "a"}])
    changed = await domain.change(made.id, tags=["green", "red"])
    assert (changed.tags, texts(changed)) == (["green", "red"], ["a"])
    assert (await domain.change(made.id, number="2")).tags == ["green", "red"]
    assert (await domain.change(made.id, tags=[])).tags == []


async def test_a_change_of_children_or_tags_alone_counts_the_version_up(domain: Domain) -> None:
    made = await domain.invoice()
    tagged = await domain.change(made.id, tags=["red"])
    assert (await domain.change(made.id, lines=[{"text": "a"}])).version == tagged.version + 1 == 3


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"reviewers": [7, 2**70]}, "#/reviewers/0"),
        ({"lines": [{"text": "a"}, {"id": 7, "text": "b"}]}, "#/lines/1/id"),
        ({"lines": [{"text": "a", "payer_id": 9}]}, "#/lines/0/payer_id"),
        ({"lines": [{"text": "a", "payer_id": 1}, {"text": "b", "payer_id": 9}]}, "#/lines/1/payer_id"),
        ({"lines": [{"text": "a"}, {"text": "b", "note": "n" * 21}]}, "#/lines/1/note"),
        ({"lines": [{"text": ""}]}, "#/lines/0/text"),
        ({"lines": [{"text": "a"}, {"text": ""}]}, "#/lines"),
        ({"tags": ["a", "n" * 21, "a"]}, "#/tags/1"),
    ],
)
async def test_what_is_wrong_with_an_item_is_told_at_its_place(domain: Domain, values: Any, pointer: str) -> None:
    made = await domain.invoice()
    with pytest.raises(InvalidInputError) as raised:
        await domain.change(made.id, **values)
    assert raised.value.extensions["errors"][0]["pointer"] == pointer
    assert (await domain.get(made.id)).version == 1


async def test_a_child_of_another_parent_cannot_be_taken(domain: Domain) -> None:
    other, made = await domain.invoice("1", lines=[{"text": "a"}]), await domain.invoice("2")
    for values in ([{"id": other.lines[0].id, "text": "mine"}],):
        with pytest.raises(InvalidInputError):
            await domain.change(made.id, lines=values)
    assert texts(await domain.get(other.id)) == ["a"]


async def test_a_row_that_goes_while_it_is_read_is_not_found(domain: Domain, engines: Engines) -> None:
    made = await domain.invoice()

    class Slow(Database):
        async def execute(self, *arguments: Any, **options: Any) -> Any:
            rows = await super().execute(*arguments, **options)
            if await domain.read(domain.invoices, "count"):
                await domain.write(domain.invoices, "delete", made.id)
                await domain.write(domain.owners, "delete", made.owner.id)
            return rows

    slow = Slow(engines, create_session_factory())
    assert await slow.read(lambda: InvoiceDao(slow).find(made.id)) is None


async def test_a_constraint_of_children_may_be_declared(domain: Domain) -> None:
    with pytest.raises(LineTwiceError):
        await domain.invoice(lines=[{"text": "a"}, {"text": "a"}])


async def test_a_child_is_named_once(domain: Domain) -> None:
    made = await domain.invoice(lines=[{"text": "a"}])
    with pytest.raises(InvalidInputError):
        await domain.change(made.id, lines=[{"id": made.lines[0].id, "text": text} for text in "ab"])


async def test_a_child_that_changes_by_itself_counts_its_parents_version_up(domain: Domain) -> None:
    made, other = await domain.invoice("1", lines=[{"text": "a"}]), await domain.invoice("2")
    [line] = made.lines
    await domain.write(domain.lines, "add", {"invoice_id": made.id, "text": "b"})
    await domain.write(domain.lines, "update", line.id, {"text": "A"})
    await domain.write(domain.lines, "get_or_add", invoice_id=made.id, text="c")
    assert (await domain.get(made.id)).version == 4
    await domain.write(domain.lines, "update", line.id, {"invoice_id": other.id})
    assert ((await domain.get(made.id)).version, (await domain.get(other.id)).version) == (5, 2)
    await domain.write(domain.lines, "delete", line.id)
    assert ((await domain.get(made.id)).version, (await domain.get(other.id)).version) == (5, 3)


async def test_a_tag_or_owner_that_changes_counts_up_the_versions_of_what_shows_it(domain: Domain) -> None:
    made, other = await domain.invoice("1", tags=["red"]), await domain.invoice("2", tags=["blue"])
    tag = await domain.read(domain.tags, "_find_by", name="red")
    await domain.write(domain.tags, "update", tag.id, {"name": "pink"})
    await domain.write(domain.owners, "update", made.owner.id, {"name": "eve"})
    changed = await domain.get(made.id)
    assert (changed.tags, changed.owner.name, changed.version) == (["pink"], "eve", 3)
    await domain.write(domain.tags, "delete", tag.id)
    assert ((await domain.get(made.id)).tags, (await domain.get(made.id)).version) == ([], 4)
    assert (await domain.get(other.id)).version == 1


async def test_deleting_restricts_cascades_or_nulls_as_declared(domain: Domain) -> None:
    project = await domain.write(domain.projects, "add", {"name": "moon"})
    made = await domain.invoice(tags=["red"], lines=[{"text": "a"}], project_id=project.id)
    with pytest.raises(InUseError, match=r"apart_invoices refer to this one"):
        await domain.write(domain.owners, "delete", made.owner.id)
    await domain.write(domain.projects, "delete", project.id)
    assert (await domain.get(made.id)).project is None
    await domain.write(domain.invoices, "delete", made.id)
    assert await domain.read(domain.lines, "count") == 0
    assert await domain.read(domain.tags, "count") == 1


async def test_a_row_that_is_deleted_softly_is_nowhere_but_where_it_is_referred_to(domain: Domain) -> None:
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme", "contacts": [{"name": "a"}]})
    made = await domain.invoice(supplier_id=supplier.id)
    await domain.write(domain.suppliers, "delete", supplier.id, versions=frozenset({1}))
    assert await domain.read(domain.suppliers, "find", supplier.id) is None
    assert await domain.read(domain.suppliers, "count") == 0
    assert (await domain.read(domain.suppliers, "page", limit=9)).records == []
    for method, *arguments in (("update", supplier.id, {"name": "b"}), ("delete", supplier.id)):
        with pytest.raises(RowNotFoundError):
            await domain.write(domain.suppliers, method, *arguments)
    assert (await domain.get(made.id)).supplier.name == "acme"


async def test_the_name_of_a_row_that_was_deleted_softly_is_free_again(domain: Domain) -> None:
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme"})
    with pytest.raises(NameTakenError):
        await domain.write(domain.suppliers, "add", {"name": "acme"})
    await domain.write(domain.suppliers, "delete", supplier.id)
    assert (await domain.write(domain.suppliers, "add", {"name": "acme"})).id != supplier.id


async def test_a_row_that_was_deleted_softly_is_brought_back(domain: Domain) -> None:
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme", "contacts": [{"name": "a"}]})
    await domain.write(domain.suppliers, "delete", supplier.id)
    restored = await domain.write(domain.suppliers, "restore", supplier.id)
    assert restored == supplier.model_copy(update={"version": 3})
    assert await domain.write(domain.suppliers, "restore", supplier.id) == restored
    assert await domain.read(domain.suppliers, "get", supplier.id) == restored


async def test_what_cannot_be_brought_back_is_told(domain: Domain) -> None:
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme"})
    await domain.write(domain.suppliers, "delete", supplier.id)
    await domain.write(domain.suppliers, "add", {"name": "acme"})
    with pytest.raises(NameTakenError):
        await domain.write(domain.suppliers, "restore", supplier.id)
    with pytest.raises(RowNotFoundError):
        await domain.write(domain.suppliers, "restore", 999_999)
    with pytest.raises(TypeError, match="apart_owners: no row is restored where none stays: see SoftDeleted"):
        await domain.write(domain.owners, "restore", await domain.owner())


async def test_a_row_is_got_or_added_by_many_at_once(domain: Domain) -> None:
    names = [f"{number // 10}" for number in range(50)]
    found = await asyncio.gather(*(domain.write(domain.tags, "get_or_add", name=name) for name in names))
    assert [tag.name for tag in found] == names
    assert len({tag.id for tag in found}) == await domain.read(domain.tags, "count") == 5


async def test_a_row_that_others_keep_from_being_added_is_a_conflict(domain: Domain) -> None:
    """As one that has a unique value in common with what is to be added, and is not it."""
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme"})
    with pytest.raises(DatabaseBusyError):
        await domain.write(domain.suppliers, "get_or_add", name="acme", id=supplier.id + 1)


async def test_children_may_be_deleted_softly_too(domain: Domain) -> None:
    supplier = await domain.write(domain.suppliers, "add", {"name": "acme", "contacts": [{"name": "a"}, {"name": "b"}]})
    contact = {"id": supplier.contacts[1].id, "name": "b"}
    changed = await domain.write(domain.suppliers, "update", supplier.id, {"contacts": [contact]})
    assert [found.name for found in changed.contacts] == ["b"]
    for name, number in (("a", 0), ("b", 1)):
        assert await domain.read(domain.suppliers, "count", where={Related("contacts", "name"): name}) == number
    gone = {"contacts": [{"id": supplier.contacts[0].id, "name": "a"}]}
    with pytest.raises(InvalidInputError):
        await domain.write(domain.suppliers, "update", supplier.id, gone)
