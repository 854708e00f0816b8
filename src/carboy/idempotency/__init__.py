"""Idempotency keys: a request that is sent again gets its first answer."""
