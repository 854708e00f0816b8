from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.models import Base, KeyText, link_table


class Permission(Base):
    """Something that can be permitted: those of `app.security.Permission` that some role has."""

    __tablename__ = "permissions"

    name: Mapped[str] = mapped_column(KeyText, unique=True)


class Role(Base):
    """What accounts may do who have it."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(KeyText, unique=True)
    description: Mapped[str | None] = mapped_column(String(200))
    requires_second_factor: Mapped[bool] = mapped_column(default=False)
    """Whether it counts only in sessions that were begun with a second factor (ASVS 5.0 6.3.3)."""

    permissions: Mapped[list[Permission]] = relationship(
        secondary="role_permissions", lazy="raise", info={"value": "name"}
    )


role_permissions = link_table("role_permissions", "roles.id", "permissions.id")
account_roles = link_table("account_roles", "accounts.id", "roles.id")
