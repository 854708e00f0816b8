"""Sends logins at a rate, come what may: ``python -m support.flood URL RATE SECONDS`` prints the statuses."""

import asyncio
import json
import secrets
import sys
import time
from collections import Counter

import httpx

CONNECTIONS = 400


async def flood(url: str, rate: int, seconds: int) -> Counter[str]:
    """Send logins, each from another address and half of them at one name, and count what is answered."""
    statuses: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, limits=limits) as client:

        async def log_in(number: int) -> None:
            name = "ada" if number % 2 else secrets.token_hex(4)
            headers = {"X-Forwarded-For": f"10.{number // 62500}.{number // 250 % 250}.{number % 250}"}
            body = {"login": name, "password": "a wrong one that is long enough"}
            try:
                answer = await client.post("/api/auth/login", json=body, headers=headers)
                statuses[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                statuses[type(error).__name__] += 1

        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(rate * seconds):
                await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
                tasks.create_task(log_in(number))
    return statuses


if __name__ == "__main__":
    found = asyncio.run(flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write(json.dumps(found))
