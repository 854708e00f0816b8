"""The pydantic models of the peers that use pydantic."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints

Username = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Email = Annotated[EmailStr, StringConstraints(max_length=120)]
FullName = Annotated[str, StringConstraints(max_length=200)]


class UserCreate(BaseModel):
    username: Username
    email: Email
    full_name: FullName | None = None
    active: bool = True


class UserUpdate(BaseModel):
    username: Username | None = None
    email: Email | None = None
    full_name: FullName | None = None
    active: bool | None = None


class UserQuery(BaseModel):
    limit: int = Field(default=50, ge=1, le=200)
    cursor: int = 0


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    full_name: str | None
    active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class UserPage(BaseModel):
    items: list[UserRead]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None
