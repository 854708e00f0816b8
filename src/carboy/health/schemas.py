from typing import Literal

from pydantic import BaseModel


class HealthReport(BaseModel):
    status: Literal["ok", "unavailable", "shutting_down"]
    checks: dict[str, Literal["ok", "unavailable"]]
