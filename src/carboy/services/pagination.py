from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr

from carboy.errors import InvalidCursorError
from carboy.schemas.base import Page, RecordT


class Cursors:
    """Makes the places of a list opaque: a cursor is signed, so that clients cannot come to rely on what is in it."""

    def __init__(self, secret_key: SecretStr) -> None:
        self._serializer = URLSafeSerializer(secret_key.get_secret_value(), salt="cursor")

    def decode(self, cursor: str | None) -> int:
        """Return the id that the page comes after; 0 at the beginning.

        Raises:
            InvalidCursorError: We have not made this cursor.
        """
        if cursor is None:
            return 0
        try:
            return int(self._serializer.loads(cursor))
        except BadData as error:
            raise InvalidCursorError from error

    def page(self, records: list[RecordT], limit: int) -> Page[RecordT]:
        """Make a page of at most ``limit`` records out of one record more, which shows that another page follows."""
        items = records[:limit]
        more = len(records) > limit
        return Page(items=items, next_cursor=str(self._serializer.dumps(items[-1].id)) if more else None)
