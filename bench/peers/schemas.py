"""The pydantic models of the peers that use pydantic."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, EmailStr, Field, StringConstraints, field_validator

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


Money = Annotated[Decimal, Field(max_digits=14, decimal_places=2)]
Status = Literal["draft", "sent", "paid"]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=50)]


class LineCreate(BaseModel):
    text: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    price: Money


class InvoiceCreate(BaseModel):
    number: Annotated[str, StringConstraints(min_length=1, max_length=30)]
    owner_id: Annotated[int, Field(ge=1)]
    amount: Money
    due_on: date
    quantity: int = 1
    status: Status = "draft"
    remind_at: AwareDatetime | None = None
    weight: float | None = None
    lines: list[LineCreate] = []
    tags: list[TagName] = []


class OwnerRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class LineRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    text: str
    price: Decimal


class InvoiceRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    number: str
    owner: OwnerRead
    amount: Decimal
    due_on: date
    quantity: int
    status: Status
    remind_at: datetime | None
    weight: float | None
    lines: list[LineRead]
    tags: list[str]
    version: int

    @field_validator("tags", mode="before")
    @classmethod
    def names(cls, tags: list[object]) -> list[str]:
        return [str(getattr(tag, "name", tag)) for tag in tags]


class InvoicePage(BaseModel):
    items: list[InvoiceRead]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None
