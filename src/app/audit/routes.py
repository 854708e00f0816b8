from typing import Annotated

from dependency_injector.wiring import Provide

from app.audit.schemas import AuditEventQuery, AuditEventRead
from app.audit.services import AuditService
from carboy.api import ApiBlueprint, requires
from carboy.schemas.base import Page

audit = ApiBlueprint(
    "audit", __name__, url_prefix="/api/audit-events", description="Who did what to whom, when and from where."
)


@audit.get("")
@requires("audit:read")
async def list_audit_events(
    query: AuditEventQuery, service: Annotated[AuditService, Provide["audit_service"]]
) -> Page[AuditEventRead]:
    """List audit events.

    With `sort=-created` the newest come first.
    """
    return await service.list_events(query)
