from datetime import datetime
from typing import Any

from app.accounts.schemas.auth import Answer


class PersonalDataRead(Answer):
    """What is known of a person, by table."""

    exported_at: datetime
    data: dict[str, list[dict[str, Any]]]
    """The rows of each table, without secrets."""
    truncated: list[str]
    """The tables that may have more rows than are shown here; an operator can export all of them."""
