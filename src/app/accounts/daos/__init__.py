from app.accounts.daos.accounts import AccountDao
from app.accounts.daos.credentials import ApiKeyDao, CredentialDao
from app.accounts.daos.one_time_tokens import OneTimeTokenDao
from app.accounts.daos.roles import RoleDao
from app.accounts.daos.sessions import SessionDao, SessionTokenDao

__all__ = [
    "AccountDao",
    "ApiKeyDao",
    "CredentialDao",
    "OneTimeTokenDao",
    "RoleDao",
    "SessionDao",
    "SessionTokenDao",
]
