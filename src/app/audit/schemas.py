import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from carboy.schemas import Moment, Reference
from carboy.schemas.base import PageQuery, Record, sort_by
from carboy.schemas.filters import After, AnyOf, Before


class Event(StrEnum):
    """What is written down. A new kind of change gets a new line here."""

    ACCOUNT_REGISTERED = "account.registered"
    ACCOUNT_DISABLED = "account.disabled"
    ACCOUNT_ENABLED = "account.enabled"
    ACCOUNT_DELETED = "account.deleted"
    ACCOUNT_EXPORTED = "account.exported"
    ACCOUNT_ERASED = "account.erased"
    ACCOUNT_UNLOCKED = "account.unlocked"
    ACCOUNT_INVITED = "account.invited"
    REGISTERED_AGAIN = "account.registered_again"
    FIRST_ADMINISTRATOR_OFFERED = "account.first_administrator_offered"
    PROFILE_CHANGED = "profile.changed"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_CONFIRMED = "login.confirmed"
    SECOND_FACTOR_ASKED = "login.second_factor_asked"
    SECOND_FACTOR_FAILED = "login.second_factor_failed"
    LOGOUT = "logout"
    SESSION_REFRESHED = "session.refreshed"
    SESSION_ENDED = "session.ended"
    REFRESH_TOKEN_REPLAYED = "session.refresh_token_replayed"  # noqa: S105 - the name of an event.
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - likewise.
    PASSWORD_REHASHED = "password.rehashed"  # noqa: S105 - likewise.
    PASSWORD_CHANGE_FAILED = "password.change_failed"  # noqa: S105 - likewise.
    RESET_REQUESTED = "password.reset_requested"
    PASSWORD_RESET = "password.reset"  # noqa: S105 - likewise.
    EMAIL_CHANGE_REQUESTED = "email.change_requested"
    EMAIL_CHANGED = "email.changed"
    EMAIL_VERIFICATION_SENT = "email.verification_sent"
    EMAIL_VERIFIED = "email.verified"
    FACTOR_PREPARED = "second_factor.prepared"
    FACTOR_ENABLED = "second_factor.enabled"
    FACTOR_DISABLED = "second_factor.disabled"
    RECOVERY_CODES_MADE = "second_factor.recovery_codes_made"
    RECOVERY_CODE_USED = "second_factor.recovery_code_used"
    KEY_CREATED = "api_key.created"
    KEY_REVOKED = "api_key.revoked"
    SERVICE_CREATED = "service_account.created"
    SERVICE_CHANGED = "service_account.changed"
    SERVICE_DELETED = "service_account.deleted"
    ROLE_CREATED = "role.created"
    ROLE_CHANGED = "role.changed"
    ROLE_DELETED = "role.deleted"
    ROLES_ASSIGNED = "roles.assigned"
    JOB_RETRIED = "job.retried"
    JOB_CANCELLED = "job.cancelled"
    JOB_DROPPED = "job.dropped"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"


class AuditEventRead(Record):
    """Something that somebody did."""

    event: str
    actor_kind: str
    """person, service, job or anonymous."""
    actor_id: int | None
    """The account that acted."""
    credential: str | None
    """By what it came in, such as a session or an API key."""
    subject_id: int | None
    """The account that it was done to."""
    target: str | None
    """What else it was done to."""
    address: str | None
    agent: str | None
    details: Any
    created_at: datetime

    @property
    def told(self) -> str:
        """The event in words."""
        return re.sub("[._]", " ", self.event).capitalize().replace("Api", "API")


class OwnEventQuery(PageQuery):
    """Which of one's own events a list shows."""

    sort: Annotated[str, sort_by()] = "-id"


class AuditEventQuery(PageQuery):
    """Which events a list shows."""

    sort: Annotated[str, sort_by(created="created_at")] = "id"
    event: AnyOf[Event] | None = None
    """Only these kinds of events, such as `login.failed`."""
    actor_id: Reference | None = None
    """Only what this account did."""
    subject_id: Reference | None = None
    """Only what was done to this account."""
    after: Annotated[Moment, After("created_at")] | None = None
    """Only what happened after this moment."""
    before: Annotated[Moment, Before("created_at")] | None = None
    """Only what happened before this moment."""
