"""What a thief of the database and of the logs would have, and whether a secret can be read in it."""

import base64
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyotp
from sqlalchemy import text
from support.people import NOBODY, add_person, bearer, secrets_in, tokens_of

from carboy.models import Base
from carboy.telemetry.stderr import Stderr
from carboy.testing import drain, mailbox
from containers import Container

PIECE = 16
"""Characters of a secret that are looked for: nobody writes them by chance, and half a secret is found, too."""


def pieces_of(secret: str) -> set[bytes]:
    """Return what would be found of a secret that is written as it is, in hexadecimal, or in base 64."""
    raw = secret.encode()
    spelled = {raw, raw.replace(b"-", b""), raw.hex().encode(), raw.hex().upper().encode()}
    spelled |= {encode(raw).rstrip(b"=") for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    return {one[-24:-8] for one in spelled}


def shown_in(dump: bytes, secrets: Iterable[str]) -> list[str]:
    """Return those of the secrets that can be read in a dump."""
    pieces = {piece: secret for secret in secrets for piece in pieces_of(secret)}
    found = (dump[place : place + PIECE] for place in range(len(dump) - PIECE + 1))
    return sorted({pieces[piece] for piece in found if piece in pieces})


async def stored_values(container: Container) -> list[str]:
    """Return every value of every row, as text."""
    database, values = container.database(), []
    for table in Base.metadata.sorted_tables:
        statement = text(f"SELECT * FROM {table.name}")  # noqa: S608 - the name of a table of ours.
        for row in await database.read(partial(database.execute, statement)):
            values += [str(value) for value in row if value is not None]
    return values


async def stored_bytes(container: Container) -> bytes:
    """Return what is stored: all rows, and of SQLite the file and its journals as they are on the disk."""
    kept = "\n".join(await stored_values(container)).encode()
    url = container.engines().writer.url
    if url.get_backend_name() == "sqlite":
        for name in ("", "-wal", "-journal"):
            path = Path(f"{url.database}{name}")
            kept += path.read_bytes() if path.exists() else b""  # noqa: ASYNC240 - nothing else runs here.
    return kept


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write the application's log to a file."""
    [handler] = [one for one in logging.getLogger().handlers if isinstance(one, Stderr)]
    with path.open("w", encoding="utf-8") as file:
        handler.setStream(file)
        yield
        handler.setStream(sys.stderr)


async def live(client: httpx.AsyncClient, container: Container, name: str, password: str, new: str) -> list[str]:
    """Let a person do all that has to do with secrets, and return these."""
    await add_person(container, name, password=password)
    answers: list[Any] = [await tokens_of(client, name, password)]
    headers = bearer(answers[0])
    answers.append((await client.post("/api/me/api-keys", json={"name": "ci"}, headers=headers)).json())
    prepared = (await client.post("/api/me/second-factor", headers=headers)).json()
    code = {"code": pyotp.TOTP(prepared["seed"]).now()}
    recovery = (await client.post("/api/me/second-factor/confirm", json=code, headers=headers)).json()["codes"]
    old = {"refresh_token": answers[0]["refresh_token"]}
    answers.append((await client.post("/api/auth/refresh", json=old, headers=NOBODY)).json())
    answers.append(await tokens_of(client, name, password))
    assert answers[-1]["second_factor_token"] is not None
    link = await reset_link(client, container, name)
    body = {"token": link, "password": new}
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)).status_code == 204
    # A link that nobody has used yet.
    unused = await reset_link(client, container, name)
    return [*secrets_in(answers), prepared["seed"], *recovery, link, unused, password, new]


async def reset_link(client: httpx.AsyncClient, container: Container, name: str) -> str:
    await client.post("/api/auth/password-reset", json={"email": f"{name}@example.org"}, headers=NOBODY)
    await drain(container)
    body = mailbox(container).sent[-1].get_body(("plain",))
    assert body is not None
    [token] = secrets_in(body.get_content())
    return token


async def replay(client: httpx.AsyncClient, value: str) -> set[int]:
    """Send a stored value wherever a secret is taken, and return the statuses."""
    # What no header may hold is no token of a header either.
    sent = value if value.isascii() and value.isprintable() else ""
    answers = [
        await client.get("/api/me", headers=bearer(sent)),
        await client.post("/api/auth/refresh", json={"refresh_token": value}, headers=NOBODY),
        await client.post("/api/auth/second-factor", json={"token": value, "code": "000000"}, headers=NOBODY),
        await client.post("/api/auth/password-reset/confirm", json={"token": value, "password": value}, headers=NOBODY),
    ]
    return {answer.status_code for answer in answers}
