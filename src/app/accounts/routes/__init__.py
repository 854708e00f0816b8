"""The API of accounts, in a blueprint for each kind of resource."""

from app.accounts.routes.accounts import accounts
from app.accounts.routes.auth import auth
from app.accounts.routes.me import me
from app.accounts.routes.roles import roles
from app.accounts.routes.service_accounts import service_accounts

blueprints = (auth, me, accounts, service_accounts, roles)
