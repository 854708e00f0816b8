from app.accounts.models.accounts import Account, OneTimeToken
from app.accounts.models.credentials import ApiKey, Credential
from app.accounts.models.roles import Permission, Role, account_roles, role_permissions
from app.accounts.models.sessions import Session, SessionToken

__all__ = [
    "Account",
    "ApiKey",
    "Credential",
    "OneTimeToken",
    "Permission",
    "Role",
    "Session",
    "SessionToken",
    "account_roles",
    "role_permissions",
]
