"""Replays the first answer to a request that is sent again: draft-ietf-httpapi-idempotency-key-header-07."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from carboy.idempotency.schemas import IdempotencyKeyRead, StoredAnswer
from carboy.services.transactions import Service, UnitOfWork, transactional

Work = Callable[[], Awaitable[StoredAnswer]]


class IdempotencyService(Service):
    """Stores each answer in the transaction of its effect, so that both exist or neither."""

    def __init__(self, unit_of_work: UnitOfWork, keys: IdempotencyKeyDao, lifetime_hours: int) -> None:
        super().__init__(unit_of_work)
        self._keys = keys
        self._lifetime = timedelta(hours=lifetime_hours)
        self._in_progress: set[tuple[str, str]] = set()

    async def answer_once(self, scope: str, key: str, fingerprint: str, work: Work) -> tuple[StoredAnswer, bool]:
        """Do the work and store its answer, or return the one that is stored; and say whether it was stored before.

        Work that raises leaves nothing behind, so that the request may be sent again. As in every transaction, it may
        be run again after a conflict.

        Args:
            scope: What the key is unique in, such as an account and an operation; kept short, as it is indexed.
            key: What the client has chosen.
            fingerprint: A digest that is the same for the same request only.
            work: Makes the effect and its answer. The service methods that it calls join the transaction.

        Raises:
            IdempotencyKeyInUseError: A request with this key is in progress, in this process or another.
            IdempotencyKeyReusedError: The key came with another fingerprint before.
        """
        # Waiting holds no connection, so that impatient clients cannot exhaust the pool.
        if (scope, key) in self._in_progress:
            raise IdempotencyKeyInUseError
        self._in_progress.add((scope, key))
        try:
            return await self._answer_once(scope, key, fingerprint, work)
        finally:
            self._in_progress.remove((scope, key))

    @transactional
    async def _answer_once(self, scope: str, key: str, fingerprint: str, work: Work) -> tuple[StoredAnswer, bool]:
        if not await self._unit_of_work.try_lock(f"idempotency key {key} in {scope}"):
            raise IdempotencyKeyInUseError
        stored = await self._find(scope, key)
        if stored is None:
            answer = await work()
            await self._store(answer, scope=scope, key=key, fingerprint=fingerprint)
            return answer, False
        if stored.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError
        return StoredAnswer.model_validate(stored), True

    async def _find(self, scope: str, key: str) -> IdempotencyKeyRead | None:
        stored = await self._keys.find_by_key(scope, key)
        if stored is not None and stored.expires_at <= datetime.now(UTC):
            await self._keys.delete(stored.id)
            return None
        return stored

    async def _store(self, answer: StoredAnswer, **names: str) -> None:
        expires_at = datetime.now(UTC) + self._lifetime
        await self._keys.add({**answer.model_dump(), **names, "expires_at": expires_at})


def scope_of(operation: str, account_id: int | None) -> str:
    """Return what an account's key is unique in: the same key may serve another operation, and another account."""
    return operation if account_id is None else f"{operation}{suffix_of(account_id)}"


def suffix_of(account_id: int) -> str:
    """Return how the scopes of an account's keys end."""
    return f" of account {account_id}"
