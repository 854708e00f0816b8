"""A view says how often it may be used; its answers say how often it still may."""

import httpx
import pytest
from flask import Flask
from support.guarded import TokensOfTests, bearer

from carboy.api.openapi.document import describe

GUESS = "/notes/guess"


async def guess(caller: httpx.AsyncClient, forwarded: str | None = None, **body: str) -> httpx.Response:
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    return await caller.post(GUESS, json=body or {"text": "x"}, headers=headers)


async def test_each_answer_tells_where_the_client_stands(caller: httpx.AsyncClient) -> None:
    answer = await guess(caller)
    assert answer.status_code == 200
    assert answer.headers["RateLimit-Policy"] == '"guess_by_address";q=2;w=60, "guess_in_all";q=3;w=60'
    standing = [item.partition(";t=")[0] for item in answer.headers["RateLimit"].split(", ")]
    assert standing == ['"guess_by_address";r=1', '"guess_in_all";r=2']


async def test_too_many_are_429_with_the_time_to_come_back(caller: httpx.AsyncClient) -> None:
    for _ in range(2):
        await guess(caller)
    refused = await guess(caller)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"guess_by_address";r=0;t=')


async def test_a_request_that_is_wrong_counts_too(caller: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await guess(caller, other="x")).status_code == 422
    assert (await guess(caller)).status_code == 429


@pytest.mark.parametrize("hops", [0, 1, 2])
async def test_an_address_is_believed_as_far_as_our_own_proxies_go(caller: httpx.AsyncClient, hops: int) -> None:
    # The client has written the first one; each proxy adds the address that asked it.
    found = [await guess(caller, f"198.51.100.{number}, 203.0.113.{number}, 192.0.2.1") for number in range(3)]
    by_hops = {0: [200, 200, 429], 1: [200, 200, 429], 2: [200, 200, 200]}
    assert [answer.status_code for answer in found] == by_hops[hops]


@pytest.mark.parametrize("hops", [2])
async def test_a_limit_of_all_counts_all_clients_together(caller: httpx.AsyncClient, hops: int) -> None:
    found = [await guess(caller, f"203.0.113.{number}, 192.0.2.1") for number in range(4)]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
    assert found[-1].headers["RateLimit"].startswith('"guess_in_all";r=0')


async def test_an_account_has_a_count_of_its_own(caller: httpx.AsyncClient) -> None:
    found = [
        await caller.get("/notes/often", headers=bearer(token)) for token in ("one", "one", "one", "two", "reader")
    ]
    # The last one is another token of the first account.
    assert [answer.status_code for answer in found] == [200, 200, 429, 200, 429]


async def test_who_is_over_the_limit_is_not_even_looked_up(caller: httpx.AsyncClient, tokens: TokensOfTests) -> None:
    for _ in range(3):
        await guess(caller)
    assert tokens.asked == []


def test_the_document_tells_of_limits(guarded: Flask) -> None:
    document = describe(guarded)
    limited = document["paths"][GUESS]["post"]["responses"]
    assert {"429", "503"} <= limited.keys()
    assert {"RateLimit", "RateLimit-Policy"} <= limited["200"]["headers"].keys()
    assert "429" not in document["paths"]["/notes/open"]["get"]["responses"]
    refused = document["components"]["responses"]["rate_limited"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= refused["headers"].keys()
