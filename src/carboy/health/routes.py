from typing import Annotated

from dependency_injector.wiring import Provide, inject
from flask import Response, after_this_request

from carboy.api import ApiBlueprint, public
from carboy.errors import UnavailableError
from carboy.health.errors import ShuttingDownError
from carboy.health.schemas import HealthReport
from carboy.health.services import HealthService

health = ApiBlueprint(
    "health", __name__, url_prefix="/health", description="Whether this process lives, and should be sent requests."
)


@health.get("/live")
@public
async def check_liveness() -> HealthReport:
    """Tell whether the process lives.

    It answers as long as the process can: a failure means that it should be restarted.
    """
    return HealthReport(status="ok", checks={})


@health.get("/ready", errors=[UnavailableError, ShuttingDownError])
@public
@inject
async def check_readiness(service: Annotated[HealthService, Provide["health_service"]]) -> HealthReport:
    """Tell whether requests should be sent here."""
    after_this_request(_keep_nothing)
    report = await service.check()
    if report.status == "shutting_down":
        raise ShuttingDownError(checks=report.checks)
    if report.status != "ok":
        raise UnavailableError(checks=report.checks)
    return HealthReport.model_validate(report.model_dump())


def _keep_nothing(response: Response) -> Response:
    response.cache_control.no_store = True
    return response
