"""What can be configured. Every default stands in config.yaml."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from carboy.config import Settings as KitSettings
from carboy.config.settings import Section


class AccountSettings(Section):
    registration: Literal["open", "invitation", "closed"]
    access_minutes: int = Field(gt=0)
    refresh_days: int = Field(gt=0)
    session_days: int = Field(gt=0)
    page_idle_minutes: int = Field(gt=0)
    page_hours: int = Field(gt=0)
    fresh_minutes: int = Field(gt=0)
    half_login_minutes: int = Field(gt=0)
    reset_minutes: int = Field(gt=0)
    verification_hours: int = Field(gt=0)
    invitation_days: int = Field(gt=0)
    first_administrator_hours: int = Field(gt=0)
    max_sessions: int = Field(gt=0)
    max_api_keys: int = Field(gt=0)
    keep_expired_keys_days: int = Field(ge=0)

    @property
    def fresh(self) -> timedelta:
        """How long ago a login may be that still counts as fresh."""
        return timedelta(minutes=self.fresh_minutes)

    @property
    def keep_expired_keys(self) -> timedelta:
        """How long API keys that have expired are kept."""
        return timedelta(days=self.keep_expired_keys_days)


class AuditSettings(Section):
    keep_days: int | None = Field(gt=0)

    @property
    def keep(self) -> timedelta | None:
        """How long events are kept; None for ever."""
        return None if self.keep_days is None else timedelta(days=self.keep_days)


class Settings(KitSettings):
    """The kit's settings and the application's own sections."""

    accounts: AccountSettings
    audit: AuditSettings
