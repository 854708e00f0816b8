from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.idempotency.errors import IdempotencyKeyInUseError
from carboy.idempotency.models import IdempotencyKey
from carboy.idempotency.schemas import IdempotencyKeyRead


class IdempotencyKeyDao(Dao[IdempotencyKeyRead]):
    model, record, not_found = IdempotencyKey, IdempotencyKeyRead, NotFoundError
    conflicts = {"key": IdempotencyKeyInUseError}

    async def find_by_key(self, scope: str, key: str) -> IdempotencyKeyRead | None:
        return await self._find_by(scope=scope, key=key)
