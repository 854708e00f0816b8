from flask import url_for

from app.accounts.errors import (
    AccountNotFoundError,
    ApiKeyNotFoundError,
    ExcessiveScopesError,
    ServiceNameTakenError,
    TooManyKeysError,
)
from app.accounts.provided import Accounts, Keys
from app.accounts.routes.common import AccountId, KeyId, keep_out_of_caches
from app.accounts.schemas.accounts import AccountRead, ServiceCreate, ServiceUpdate
from app.accounts.schemas.keys import ApiKeyCreate, ApiKeyIssued, ApiKeyQuery, ApiKeyRead
from app.security import Actor
from carboy.api import ApiBlueprint, Created, Expected, Issued, requires
from carboy.schemas.base import Page

service_accounts = ApiBlueprint(
    "service_accounts",
    __name__,
    url_prefix="/api/service-accounts",
    description="Accounts of programs: no password, and keys that outlive a person.",
)
service_accounts.after_request(keep_out_of_caches)


@service_accounts.post("", errors=[ServiceNameTakenError])
@requires("accounts:manage")
async def create_service_account(new: ServiceCreate, actor: Actor, service: Accounts) -> Created[AccountRead]:
    """Create a service account.

    To give it roles takes the permission `roles:manage` too.
    """
    account = await service.create_service(actor, new)
    return Created(account, url_for("accounts.get_account", account_id=account.id))


@service_accounts.patch("/<int:account_id>", errors=[AccountNotFoundError, ServiceNameTakenError])
@requires("accounts:manage")
async def update_service_account(
    account_id: AccountId, change: ServiceUpdate, expected: Expected, actor: Actor, service: Accounts
) -> AccountRead:
    """Rename, disable or enable a service account."""
    return await service.update_service(actor, account_id, change, expected)


@service_accounts.delete("/<int:account_id>", errors=[AccountNotFoundError])
@requires("accounts:manage")
async def delete_service_account(account_id: AccountId, expected: Expected, actor: Actor, service: Accounts) -> None:
    """Delete a service account and its keys."""
    await service.delete_service(actor, account_id, expected)


@service_accounts.get("/<int:account_id>/api-keys", errors=[AccountNotFoundError])
@requires("accounts:manage", own="account_id")
async def list_service_api_keys(account_id: AccountId, query: ApiKeyQuery, service: Keys) -> Page[ApiKeyRead]:
    """List the API keys of a service account."""
    return await service.list_of_service(account_id, query)


@service_accounts.post(
    "/<int:account_id>/api-keys", errors=[AccountNotFoundError, ExcessiveScopesError, TooManyKeysError]
)
@requires("accounts:manage")
async def create_service_api_key(
    account_id: AccountId, new: ApiKeyCreate, actor: Actor, service: Keys
) -> Issued[ApiKeyIssued]:
    """Make an API key of a service account.

    The key itself is shown this once.
    """
    return Issued(await service.create_for_service(actor, account_id, new))


@service_accounts.delete("/<int:account_id>/api-keys/<int:key_id>", errors=[AccountNotFoundError, ApiKeyNotFoundError])
@requires("accounts:manage")
async def revoke_service_api_key(account_id: AccountId, key_id: KeyId, actor: Actor, service: Keys) -> None:
    """Revoke an API key of a service account."""
    await service.revoke_of_service(actor, account_id, key_id)
