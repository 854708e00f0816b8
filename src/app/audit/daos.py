from sqlalchemy import Executable, and_, bindparam, func, or_, update

from app.audit.errors import AuditEventNotFoundError
from app.audit.models import AuditEvent
from app.audit.schemas import AuditEventQuery, AuditEventRead, Event
from carboy.daos.base import Dao


class AuditEventDao(Dao[AuditEventRead]):
    model, record, not_found, query = AuditEvent, AuditEventRead, AuditEventNotFoundError, AuditEventQuery

    async def anonymise(self, account_id: int) -> None:
        """Forget from where and by what an account acted, also before it was known that it did."""
        # Those of this transaction, too.
        await self._database.execute_deferred()
        await self._database.execute(self._prepared(_anonymise), {"account_id": account_id}, writes=True)

    async def forget_invitations(self, email: str) -> None:
        """Forget that an address was invited; that somebody was stays."""
        await self._database.execute_deferred()
        parameters = {"kind": Event.ACCOUNT_INVITED.value, "email": email.lower()}
        await self._database.execute(self._prepared(_forget_invitations), parameters, writes=True)


def _anonymise() -> Executable:
    before_login = and_(AuditEvent.subject_id == bindparam("account_id"), AuditEvent.actor_id.is_(None))
    theirs = or_(AuditEvent.actor_id == bindparam("account_id"), before_login)
    return update(AuditEvent).where(theirs).values(address=None, agent=None)


def _forget_invitations() -> Executable:
    email = func.lower(AuditEvent.details["email"].as_string())
    theirs = and_(AuditEvent.event == bindparam("kind"), email == bindparam("email"))
    return update(AuditEvent).where(theirs).values(details=None)
