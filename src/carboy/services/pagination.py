from typing import Any

from itsdangerous import BadSignature, Signer, base64_decode, base64_encode
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from carboy.daos.base import NOTHING, Dao
from carboy.daos.declarations import check_query
from carboy.daos.keyset import Place, Slice
from carboy.errors import InvalidCursorError
from carboy.schemas.base import Page, PageQuery, RecordT
from carboy.schemas.filters import SEARCH, Where, where_of

SALT = "cursor 3"
"""Salt of cursor signatures. Increase it when the format changes; older cursors are then rejected."""


class Cursors:
    """Makes the pages of lists.

    A cursor holds what the row at the page's edge is sorted by, so that the rows which come and go meanwhile move no
    other. It is signed, so that clients cannot make one up, but not encrypted: no list may
    be sorted by what its reader may not see. It holds for one list and sort; filters may change.
    """

    def __init__(self, secret_key: SecretStr) -> None:
        # The serializer of the same library would try to compress what is short, which takes three times as long.
        self._signer = Signer(secret_key.get_secret_value(), salt=SALT)

    async def page(self, rows: Dao[RecordT], query: PageQuery, where: Where = NOTHING) -> Page[RecordT]:
        """Return the page of a list that a query asks for.

        Args:
            rows: What is listed.
            query: Which page. What it has besides is what rows must have: in ``q`` text that is looked for, in each
                other what its annotation says, as `carboy.schemas.filters` has them.
            where: Only rows for which this holds too; it has the last word.

        Raises:
            InvalidCursorError: The cursor is not one of ours, of another list, or of another sort.
            DeclarationError: The query asks for what its DAO does not know.
        """
        check_query(type(rows), type(query))
        name = rows.name
        place = None if query.cursor is None else self._place(query.cursor, rows, query.sort)
        asked = where_of(query)
        asked.update(where.items())
        search: str | None = getattr(query, SEARCH, None)
        found = await rows.page(limit=query.limit, sort=query.sort, place=place, search=search, where=asked)
        before, after = _around(found, place)
        return Page(
            items=found.records,
            next_cursor=after and self.encode(after, name, query.sort),
            previous_cursor=before and self.encode(before, name, query.sort),
            total=await rows.count(search=search, where=asked) if query.total else None,
        )

    def encode(self, place: Place, name: str, sort: str) -> str:
        """Return the cursor of a place in a list of this name, sorted so."""
        # Spelt as pydantic spells values of their types, which it reads again, and not as ASCII, which would be longer.
        content = to_json([name, sort, place.backward, place.inclusive, *place.key])
        return self._signer.sign(base64_encode(content)).decode()

    def _place(self, cursor: str, rows: Dao[Any], sort: str) -> Place:
        backward, inclusive, values = self.decode(cursor, rows.name, sort)
        try:
            return Place(rows.key(sort, values), backward, inclusive)
        except ValueError as error:
            # It was made before the list was sorted by columns of other types.
            raise InvalidCursorError from error

    def decode(self, cursor: str, name: str, sort: str) -> tuple[bool, bool, list[object]]:
        """Return what a cursor holds: whether it leads back, whether it includes its row, and that row's values.

        Raises:
            InvalidCursorError: It is not one of ours, of another list, or of another sort.
        """
        try:
            payload = self._signer.unsign(cursor)
        except BadSignature as error:
            raise InvalidCursorError from error
        if self._signer.sign(payload).decode() != cursor:
            # The same signature can be spelt in other ways, as base64 has bits to spare.
            raise InvalidCursorError
        its_name, its_sort, backward, inclusive, *values = from_json(base64_decode(payload))
        if its_name != name:
            raise InvalidCursorError
        if its_sort != sort:
            raise InvalidCursorError(f"The cursor is of sort={its_sort}: keep that, or begin without a cursor.")
        return backward, inclusive, values


def _around(found: Slice[Any], place: Place | None) -> tuple[Place | None, Place | None]:
    """Return the previous and next positions, None at an end of the list."""
    if place is None:
        return None, Place(found.last) if found.more else None
    first, last, inclusive = found.first, found.last, False
    if not found.records:
        # All that was here has gone meanwhile. The way back begins with the row that the way here did not show.
        first, last, inclusive = place.key, place.key, not place.inclusive
    before = Place(first, backward=True, inclusive=inclusive)
    after = Place(last, inclusive=inclusive)
    if place.backward:
        return before if found.more else None, after
    return before, after if found.more else None
