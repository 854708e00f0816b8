from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """What was found."""

    status: Literal["ok", "unavailable", "shutting_down"]
    checks: dict[str, str]
    """What each dependency said: ``ok``, ``unavailable`` if nothing, or in a few words what is wrong with it."""


class HealthReport(BaseModel):
    status: Literal["ok", "unavailable", "shutting_down"]
    checks: dict[str, Literal["ok", "unavailable"]]
