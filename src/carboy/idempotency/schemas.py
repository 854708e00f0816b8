from datetime import datetime

from pydantic import BaseModel, ConfigDict

from carboy.schemas.base import Record


class StoredAnswer(BaseModel):
    """An answer as it can be given again: the body is JSON, the headers are those that belong to it.

    Headers that belong to one request, such as its id, or that set a cookie, are not to be stored.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True, hide_input_in_errors=True)

    status: int
    body: str
    headers: dict[str, str]


class IdempotencyKeyRead(Record):
    fingerprint: str
    status: int
    body: str
    headers: dict[str, str]
    expires_at: datetime
