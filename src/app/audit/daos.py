from app.audit.errors import AuditEventNotFoundError
from app.audit.models import AuditEvent
from app.audit.schemas import AuditEventQuery, AuditEventRead
from carboy.daos.base import Dao


class AuditEventDao(Dao[AuditEventRead]):
    model, record, not_found, query = AuditEvent, AuditEventRead, AuditEventNotFoundError, AuditEventQuery
