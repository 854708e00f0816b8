"""Requests that are sent ten times at once, each again for as long as its client is told to come back."""

import asyncio
from collections import Counter

import httpx
from support.balancer import Balancer
from support.users import registration

CLIENTS = 10

Sender = httpx.AsyncClient | Balancer
"""What sends requests."""


async def create_user(sender: Sender, key: str, told: Counter[str]) -> httpx.Response:
    """Send one request until it is answered for good, as a client may with a key; and count what it is told."""
    while True:
        try:
            answer = await sender.request(
                "POST", "/api/users", json=registration(key), headers={"Idempotency-Key": key}
            )
        except httpx.TransportError as error:
            told[type(error).__name__] += 1
            continue
        if "Retry-After" not in answer.headers:
            return answer
        told[answer.json()["code"]] += 1
        await asyncio.sleep(int(answer.headers["Retry-After"]))


async def assert_created_once(sender: Sender, key: str, told: Counter[str]) -> None:
    """Send a request ten times at once, and check that all answers are that of its one effect."""
    answers = await asyncio.gather(*(create_user(sender, key, told) for _ in range(CLIENTS)))
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({(answer.text, answer.headers["Location"]) for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
