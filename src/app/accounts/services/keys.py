from collections.abc import AsyncIterator
from datetime import UTC, datetime

from app.accounts.daos import AccountDao, ApiKeyDao
from app.accounts.errors import AccountNotFoundError, ExcessiveScopesError, TooManyKeysError
from app.accounts.schemas.common import spell_scopes
from app.accounts.schemas.keys import ApiKeyCreate, ApiKeyIssued, ApiKeyQuery, ApiKeyRead
from app.accounts.schemas.kinds import AccountKind
from app.accounts.services.authentication import KEY
from app.accounts.services.guarding import Guard
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from carboy.errors import FieldProblem, InvalidInputError
from carboy.schemas.base import Page
from carboy.security.tokens import Tokens
from carboy.services import Cursors, Service, UnitOfWork, read_only
from carboy.services.listing import every


class KeyService(Service):
    """Makes, lists and revokes API keys: a person's own, and those of service accounts."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        keys: ApiKeyDao,
        tokens: Tokens,
        guard: Guard,
        cursors: Cursors,
        audit: Audit,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._keys = keys
        self._tokens = tokens
        self._guard = guard
        self._cursors = cursors
        self._audit = audit
        self._settings = settings

    @read_only
    async def list_own(self, actor: Actor, query: ApiKeyQuery) -> Page[ApiKeyRead]:
        """Return one page of the actor's keys.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._keys.of(actor.own_account), query)

    @audited
    async def create_own(self, actor: Actor, new: ApiKeyCreate) -> ApiKeyIssued:
        """Make a key of the actor's own, which can do no more than the session that it is made in.

        Raises:
            FreshLoginRequiredError: The login was too long ago, or the actor came by a key.
            ExcessiveScopesError: The session does not have these scopes itself.
            InvalidInputError: The key would have expired already.
            TooManyKeysError: The account has too many.
        """
        actor.require_fresh(self._settings.fresh)
        return await self._create(actor, actor.own_account, new)

    @audited
    async def revoke_own(self, actor: Actor, key_id: int) -> None:
        """Revoke one of the actor's keys: its very next request is refused.

        Raises:
            ApiKeyNotFoundError: There is none, or it is somebody else's.
        """
        await self._revoke(actor, actor.own_account, key_id)

    @read_only
    async def list_of_service(self, account_id: int, query: ApiKeyQuery) -> Page[ApiKeyRead]:
        """Return one page of a service account's keys.

        Raises:
            AccountNotFoundError: There is no such service account.
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        await self._require_service(account_id)
        return await self._cursors.page(self._keys.of(account_id), query)

    @audited
    async def create_for_service(self, actor: Actor, account_id: int, new: ApiKeyCreate) -> ApiKeyIssued:
        """Make a key of a service account.

        Raises:
            AccountNotFoundError: There is no such service account.
            ForbiddenError: It may do more than the actor.
            ExcessiveScopesError, InvalidInputError, TooManyKeysError: As for `create_own`.
        """
        await self._require_service(account_id)
        await self._guard.require_no_less(actor, account_id)
        return await self._create(actor, account_id, new)

    @audited
    async def revoke_of_service(self, actor: Actor, account_id: int, key_id: int) -> None:
        """Revoke a key of a service account.

        Raises:
            AccountNotFoundError, ApiKeyNotFoundError: There is no such service account, or key of it.
        """
        await self._require_service(account_id)
        await self._revoke(actor, account_id, key_id)

    def every_key(self, account_id: int) -> AsyncIterator[ApiKeyRead]:
        """Yield all keys of an account, for whoever runs a command on the server."""
        return every(self._unit_of_work, self._keys.of(account_id))

    @audited
    async def issue(self, actor: Actor, account_id: int, new: ApiKeyCreate) -> ApiKeyIssued:
        """Make a key of any account, for whoever runs a command on the server."""
        return await self._create(actor, account_id, new)

    @audited
    async def revoke_any(self, actor: Actor, key_id: int) -> None:
        """Revoke any key, for whoever runs a command on the server.

        Raises:
            ApiKeyNotFoundError: There is none.
        """
        await self._keys.of_all().delete(key_id)
        await self._audit.record(Event.KEY_REVOKED, actor, target=f"api key {key_id}")

    async def _create(self, actor: Actor, account_id: int, new: ApiKeyCreate) -> ApiKeyIssued:
        await self._accounts.lock(account_id)
        own, scopes = self._keys.of(account_id), new.scopes
        if actor.scopes is not None and (scopes is None or not {*scopes} <= actor.scopes):
            raise ExcessiveScopesError
        if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
            raise InvalidInputError([FieldProblem(pointer="#/expires_at", detail="Must be in the future.")])
        if await own.count() >= self._settings.max_api_keys:
            raise TooManyKeysError
        token = self._tokens.new(KEY)
        key = await own.add(
            {
                "name": new.name,
                "digest": token.digest,
                "scopes": spell_scopes(scopes),
                "expires_at": new.expires_at,
                "has_second_factor": actor.has_second_factor,
            }
        )
        target = f"api key {key.id}"
        await self._audit.record(Event.KEY_CREATED, actor, subject_id=account_id, target=target, scopes=key.scopes)
        return ApiKeyIssued(**dict(key), key=token.reveal())

    async def _revoke(self, actor: Actor, account_id: int, key_id: int) -> None:
        await self._keys.of(account_id).delete(key_id)
        await self._audit.record(Event.KEY_REVOKED, actor, subject_id=account_id, target=f"api key {key_id}")

    async def _require_service(self, account_id: int) -> None:
        account = await self._accounts.get(account_id)
        if account.kind is not AccountKind.SERVICE:
            raise AccountNotFoundError
