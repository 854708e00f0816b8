"""The part of a statement that reads what an account may do."""

from sqlalchemy import ScalarSelect, SQLColumnExpression, func, or_, select

from app.accounts.models import Account, Permission, Role, account_roles, role_permissions
from carboy.daos.repeated import constant


def permissions_of_account(has_second_factor: SQLColumnExpression[bool]) -> ScalarSelect[str]:
    """Return the subquery of an account's permissions, with blanks between them; null if there are none.

    Args:
        has_second_factor: Whether one was shown: a role that requires one counts for nothing otherwise.
    """
    counts = or_(Role.requires_second_factor.is_(False), has_second_factor)
    return (
        select(func.aggregate_strings(Permission.name, constant(" ")))
        .select_from(account_roles)
        .join(Role, Role.id == account_roles.c.roles_id)
        .join(role_permissions, role_permissions.c.roles_id == Role.id)
        .join(Permission, Permission.id == role_permissions.c.permissions_id)
        .where(account_roles.c.accounts_id == Account.id, counts)
        .correlate_except(account_roles, Role, role_permissions, Permission)
        .scalar_subquery()
    )
