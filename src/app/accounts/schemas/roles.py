from typing import Annotated

from pydantic import MISSING, AfterValidator, Field

from app.accounts.schemas.common import Name, once_each
from app.security import Permission
from carboy.schemas import Text
from carboy.schemas.base import Change, Input, PageQuery, Record, sort_by


class RoleRead(Record):
    """What accounts may do who have it."""

    name: str
    description: str | None
    requires_second_factor: bool
    """Whether it counts only in sessions that were begun with a second factor."""
    permissions: list[str]
    version: int


class RoleQuery(PageQuery):
    """Which roles a list shows."""

    sort: Annotated[str, sort_by("name")] = "id"


Description = Annotated[Text, Field(max_length=200)]
Granted = Annotated[list[Permission], Field(max_length=len(Permission)), AfterValidator(once_each)]


class RoleCreate(Input):
    name: Name
    description: Description | None = None
    requires_second_factor: bool = False
    permissions: Granted = []


class RoleUpdate(Change):
    name: Name | MISSING = MISSING
    description: Description | MISSING | None = MISSING
    requires_second_factor: bool | MISSING = MISSING
    permissions: Granted | MISSING = MISSING
