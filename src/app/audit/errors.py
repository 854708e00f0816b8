from carboy.errors import NotFoundError


class AuditEventNotFoundError(NotFoundError):
    code = "audit_event_not_found"
    message = "There is no such audit event."
