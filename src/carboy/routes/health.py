from http import HTTPStatus
from typing import Annotated

from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Response

from carboy.problems import problem
from carboy.routes.http import answer
from carboy.services import HealthService
from carboy.services.health_service import HealthReport

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
async def live() -> Response:
    """Answer as long as the process can: a failure means that it should be restarted."""
    return answer(HealthReport(status="ok", checks={}))


@health.get("/ready")
@inject
async def ready(service: Annotated[HealthService, Provide["health_service"]]) -> Response:
    """Answer 200 when requests should be sent here, and 503 when they should not."""
    report = await service.check()
    if report.status != "ok":
        detail = "No requests should be sent here. Why is in the log."
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, report.status, detail, checks=report.checks)
    response = answer(report)
    response.cache_control.no_store = True
    return response
