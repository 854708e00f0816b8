"""Records in JSON: how moments are spelt there."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from carboy.schemas.base import Page, Record

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SPELT = "2026-11-23T12:00:00.000000Z"


class Visit(Record):
    begun: datetime
    ended: datetime | None = None
    breaks: list[datetime] = []
    notes: dict[str, datetime] = {}


class LongVisit(Visit):
    extended: datetime


class Told(BaseModel):
    id: int
    begun: datetime
    ended: datetime | None = None
    breaks: list[datetime] = []
    notes: dict[str, datetime] = {}


def as_json(record: BaseModel) -> Any:
    return record.model_dump(mode="json")


@pytest.mark.parametrize(
    ("moment", "spelt"),
    [
        (NOON, SPELT),
        (NOON.replace(microsecond=500_000), "2026-11-23T12:00:00.500000Z"),
        (NOON.replace(microsecond=7), "2026-11-23T12:00:00.000007Z"),
        (NOON.astimezone(timezone(timedelta(hours=1))), "2026-11-23T13:00:00.000000+01:00"),
    ],
)
def test_a_moment_has_six_decimals(moment: datetime, spelt: str) -> None:
    assert as_json(Visit(id=1, begun=moment))["begun"] == spelt


def test_moments_within_have_six_decimals_too() -> None:
    visit = Visit(id=1, begun=NOON, ended=NOON, breaks=[NOON], notes={"tea": NOON})
    assert as_json(visit) == {"id": 1, "begun": SPELT, "ended": SPELT, "breaks": [SPELT], "notes": {"tea": SPELT}}
    assert as_json(LongVisit(id=1, begun=NOON, extended=NOON))["extended"] == SPELT


def test_moments_on_a_page_have_six_decimals_too() -> None:
    page = Page[Visit](items=[Visit(id=1, begun=NOON)], next_cursor=None, previous_cursor=None, total=None)
    assert as_json(page)["items"][0]["begun"] == SPELT


def test_a_moment_stays_a_moment_within_the_process() -> None:
    visit = Visit(id=1, begun=NOON)
    assert visit.model_dump()["begun"] is NOON
    assert Visit.model_validate_json(visit.model_dump_json()) == visit


def test_the_document_says_the_same_of_a_moment_as_without() -> None:
    described, usual = (model.model_json_schema(mode="serialization")["properties"] for model in (Visit, Told))
    assert described == usual
