from typing import Annotated

from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Response

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
    response = answer(report, 200 if report.status == "ok" else 503)
    response.cache_control.no_store = True
    return response
