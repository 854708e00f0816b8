"""Sends logins at a rate, come what may: ``python -m support.flood HOST PORT RATE SECONDS`` prints the statuses."""

import asyncio
import json
import secrets
import sys
import time
from collections import Counter

PATIENCE = 30.0


async def flood(host: str, port: int, rate: int, seconds: int) -> Counter[str]:
    """Send logins, each from another address and half of them at one name, and count what is answered.

    Each has a connection of its own and is written by hand: a client that keeps hundreds of them takes more time than
    the server does.
    """
    statuses: Counter[str] = Counter()

    async def log_in(number: int) -> None:
        try:
            statuses[await asyncio.wait_for(exchange(host, port, request_of(number)), PATIENCE)] += 1
        except (OSError, TimeoutError) as error:
            statuses[type(error).__name__] += 1

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(rate * seconds):
            await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
            tasks.create_task(log_in(number))
    return statuses


def request_of(number: int) -> bytes:
    name = "ada" if number % 2 else secrets.token_hex(4)
    body = json.dumps({"login": name, "password": "a wrong one that is long enough"})
    return (
        "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: 10.{number // 62500}.{number // 250 % 250}.{number % 250}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def exchange(host: str, port: int, request: bytes) -> str:
    """Send a request, and return the status of its answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        answer = await reader.read()
        return answer.split(b" ", 2)[1].decode() if answer else "nothing"
    finally:
        writer.close()


if __name__ == "__main__":
    found = asyncio.run(flood(sys.argv[1], *map(int, sys.argv[2:])))
    sys.stdout.write(json.dumps(found))
