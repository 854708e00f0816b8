"""Nothing that a client can send makes the server fail: a seeded crowd of odd requests gets answers below 500."""

import json
import random
from collections import Counter
from typing import Any

from flask import Flask
from support.accounts import RAW_HEADERS
from support.asgi import Conversation, http_scope, within

from carboy.server import create_asgi
from carboy.testing import client_of
from containers import Container

TEXTS = [
    "", " ", "Ada", "ada@example.org", "a" * 300, "\x00", "\n", "\u202e", "\ufdfa" * 40, "İ" * 80, "ß@ß.org",
    "a@b", "@", "a@" + "b." * 100 + "org", '"a b"@example.org', "a@[127.0.0.1]", "a@xn--a.org", "<a@b.org>",
    "A <a@b.org>", "\U0001f600",
    "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "%s%n", "\ud7ff", "\ufffe", "\u200b", "e\u0301" * 50, "null", "NaN",
]  # fmt: skip
NAMES = ["username", "email", "full_name", "active", "id", "version", "__class__", "", "a/b~c", "\x00", "\u2028"]
QUERY = ["limit", "cursor", "username", "email", "x", "", "limit[]"]
NUMBERS = [0, -1, 1, 2**63, -(2**63), 10**400, 1.5, 1e308, float("inf"), float("nan")]
METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW", "get", "A" * 100, "GE\tT", "!"]
SEGMENTS = [
    "1",
    "0",
    "-1",
    "9" * 25,
    "9" * 5000,
    "%00",
    "%ff",
    "..",
    ".",
    "",
    "%2f",
    "%25",
    "٣",
    "a;b",
    "*",
    "\\",
    "a" * 3000,
]
HEADERS = [
    "content-type", "content-length", "content-encoding", "accept", "host", "x-request-id", "cookie", "expect",
    "if-match", "if-modified-since", "range", "authorization", "x-forwarded-for", "transfer-encoding", "x_odd",
]  # fmt: skip
VALUES = [
    b"", b"application/json", b"application/json; charset=\xff", b"application/json;charset=nope", b"0", b"-1", b"abc",
    b"9" * 50, b"\xff\xfe", b"gzip", b"bytes=0-", b"a\tb", b"x" * 5000, b"Basic \xff", b"a=b; a=c; =; ;", b"[::1",
    b"testserver:99999", b"100-continue", b'"', b"Mon, 99 Foo 9999", b"chunked", b"utf-7",
]  # fmt: skip


def odd_json(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind < 2:
        return chance.choice(TEXTS)
    if kind == 2:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice([None, True, False])
    if kind == 5:
        return [odd_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES): odd_json(chance, depth + 1) for _ in range(chance.randrange(6))}


def odd_body(chance: random.Random) -> bytes:
    if chance.random() < 0.6:
        # The same, as far as the service.
        body = {
            "username": chance.choice(TEXTS),
            "email": chance.choice([*TEXTS, *["a@b.org", "c@b.org", "d@b.org"] * 2]),
        }
        body |= {chance.choice(NAMES[:4]): odd_json(chance, 2)} if chance.random() < 0.5 else {}
        return json.dumps(body).encode()
    text = json.dumps(odd_json(chance)).encode()
    place = chance.randrange(len(text) + 1)
    return chance.choice([text, text[:place], text[:place] + bytes([chance.randrange(256)]) + text[place:]])


def odd_scope(chance: random.Random) -> Any:
    path = chance.choice(
        ["/api/users", "/api/users", "/api/users/", "/health/ready", "/health/", "/static/", "/", "//"]
    )
    if chance.random() < 0.3:
        # Often nearly right, so that there are users to find, to change and to delete.
        path = chance.choice(["/api/users", "/api/users", f"/api/users/{chance.randrange(1, 9)}"])
        return http_scope(
            path, chance.choice(["POST", "DELETE"]), [*RAW_HEADERS, (b"content-type", b"application/json")]
        )
    path += (
        chance.choice(SEGMENTS) if path.endswith("/") else chance.choice(["", "", "/1", "/" + chance.choice(SEGMENTS)])
    )
    pairs = [
        f"{chance.choice(QUERY)}={chance.choice([*TEXTS, *map(str, NUMBERS)])}" for _ in range(chance.randrange(3))
    ]
    query = "&".join(pairs).encode("utf-8", "surrogatepass")
    if query and chance.random() < 0.3:
        query = query.replace(b"=", b"%", 1)
    headers = RAW_HEADERS + ([] if chance.random() < 0.3 else [(b"content-type", b"application/json")])
    headers += [(chance.choice(HEADERS).encode(), chance.choice(VALUES)) for _ in range(chance.randrange(4))]
    method = chance.choice(METHODS if chance.random() < 0.3 else METHODS[:4])
    return http_scope(path, method, headers, query_string=query)


async def test_no_odd_request_makes_the_server_fail(app: Flask, container: Container) -> None:
    chance = random.Random(20261123)  # noqa: S311 - chance, not secrecy, and the same in each run.
    statuses: Counter[int] = Counter()
    asgi = create_asgi(container, app)
    async with client_of(asgi):
        for _ in range(1000):
            scope, body = odd_scope(chance), odd_body(chance)
            conversation = Conversation(asgi, scope, chunks=(body[:10], body[10:])).start()
            await within(conversation.outer)  # type: ignore[arg-type]  # it has been started.
            answer = conversation.answer
            assert answer.status < 500, (scope, body)
            assert answer.header("X-Request-ID")
            if answer.status >= 400 and scope["method"] != "HEAD":
                assert json.loads(answer.body)["status"] == answer.status, (scope, body)
            statuses[answer.status] += 1
    # The crowd would show nothing if it did not get anywhere.
    assert {200, 201, 204, 400, 404, 405, 409, 415, 422} <= set(statuses)
