"""Each attempt to log in costs one hash, and no crowd of them costs more than the threads and the queue hold."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import argon2
import pytest
import pytest_asyncio
from support.passwords import cheap

from carboy.config.settings import Settings
from carboy.security.errors import PasswordsBusyError
from carboy.security.passwords import PasswordHasher, PasswordThreads


@asynccontextmanager
async def opened(**changes: int) -> AsyncIterator[PasswordHasher]:
    threads = PasswordThreads(cheap(**changes))
    hasher = PasswordHasher(cheap(**changes), threads)
    threads.open()
    try:
        yield hasher
    finally:
        threads.close()


@pytest_asyncio.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    async with opened() as hasher:
        yield hasher


@pytest.fixture
def threads() -> Iterator[PasswordThreads]:
    threads = PasswordThreads(cheap(queue=1))
    threads.open()
    yield threads
    threads.close()


async def test_a_password_is_verified_exactly_as_it_was_typed(hasher: PasswordHasher) -> None:
    password = " Zwölf Boxkämpfer\u2003"
    encoded = await hasher.hash(password)
    assert encoded.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await hasher.verify(encoded, password)
    for other in (password.strip(), password.lower(), password + "x", "", "\ud800"):
        assert not await hasher.verify(encoded, other)


async def test_two_hashes_of_one_password_differ(hasher: PasswordHasher) -> None:
    assert await hasher.hash("same") != await hasher.hash("same")


async def test_every_attempt_computes_one_hash_whoever_it_is_for(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = await hasher.hash("right")
    computed = 0
    verify = argon2.PasswordHasher.verify

    def counted(library: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        nonlocal computed
        # Of what is no hash, none is computed.
        computed += stored.startswith("$argon2id$")
        return verify(library, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    for stored, password in ((encoded, "right"), (encoded, "wrong"), (None, "right"), ("!no hash", "right")):
        before, computed = hasher.count, 0
        await hasher.verify(stored, password)
        assert (hasher.count - before, computed) == (1, 1), stored


async def test_a_missing_hash_is_never_verified(hasher: PasswordHasher) -> None:
    for password in ("", "right"):
        assert not await hasher.verify(None, password)
        assert not await hasher.verify("not a hash", password)


async def test_a_hash_of_other_parameters_is_to_be_made_anew(hasher: PasswordHasher) -> None:
    encoded = await hasher.hash("right")
    assert not hasher.needs_rehash(encoded)
    async with opened(memory_kib=16) as stronger:
        assert await stronger.verify(encoded, "right")
        assert stronger.needs_rehash(encoded)


async def test_a_full_queue_is_refused_at_once_and_has_room_again_when_a_job_ends(threads: PasswordThreads) -> None:
    release = threading.Event()
    waiting = [asyncio.ensure_future(threads.run(release.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusyError):
        await threads.run(int)
    release.set()
    await asyncio.gather(*waiting)
    assert await threads.run(int) == 0


async def test_a_client_that_leaves_does_not_make_room_before_its_hash_has_ended(threads: PasswordThreads) -> None:
    release, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(30)

    waiting = [asyncio.ensure_future(threads.run(work)) for _ in range(2)]
    await asyncio.to_thread(begun.wait, 30)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    with pytest.raises(PasswordsBusyError):
        await threads.run(int)
    release.set()
    await waiting[1]


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere a thread has no priority of its own.")
async def test_hashing_gives_way_to_the_event_loop(threads: PasswordThreads) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert await threads.run(niceness) == min(before + 10, 19)
    assert niceness() == before


async def test_where_that_is_forbidden_passwords_are_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbid)
    async with opened() as hasher:
        assert await hasher.verify(await hasher.hash("right"), "right")


async def test_threads_that_are_not_open_say_so(hasher: PasswordHasher) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await PasswordThreads(cheap()).run(int)


def test_tests_hash_cheaply_and_others_as_owasp_says(settings: Settings) -> None:
    assert settings.passwords.memory_kib < 1000
