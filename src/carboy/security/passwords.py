"""Hashes passwords with argon2id on threads of their own, and costs the same for an account that is not there."""

import asyncio
import os
import secrets
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from carboy.config.settings import PasswordSettings
from carboy.security.errors import PasswordsBusyError

T = TypeVar("T")

NICENESS = 10
"""What the threads add to that of the process: beside another thread, each gets a tenth of a processor (sched(7))."""


class PasswordThreads:
    """The threads on which passwords are hashed and rated, so that neither keeps the event loop or the views waiting.

    A hash takes tens of milliseconds and 19 MiB: the threads bound how many are under way, the queue how many wait.
    """

    def __init__(self, settings: PasswordSettings) -> None:
        self._threads = settings.threads
        self._places = threading.BoundedSemaphore(settings.threads + settings.queue)
        self._executor: ThreadPoolExecutor | None = None

    def open(self) -> None:
        self._executor = ThreadPoolExecutor(self._threads, "passwords", _give_way)

    def close(self) -> None:
        """Let what is under way end, and drop what waits."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a function on one of the threads.

        Raises:
            PasswordsBusyError: The queue is full.
            RuntimeError: The threads are not open.
        """
        if self._executor is None:
            raise RuntimeError("The password threads are not open: the lifespan opens them, and so does opened().")
        if not self._places.acquire(blocking=False):
            raise PasswordsBusyError
        try:
            job = self._executor.submit(function, *args)
        except BaseException:
            self._places.release()
            raise
        # Of the job, not of whoever waits for it: a client that leaves does not stop a hash that is under way.
        job.add_done_callback(lambda _job: self._places.release())
        return await asyncio.wrap_future(job)


class PasswordHasher:
    """Hashes and verifies passwords (ASVS 5.0 11.4.2), one hash for each attempt whoever it is for (6.3.8)."""

    def __init__(self, settings: PasswordSettings, threads: PasswordThreads) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.iterations, memory_cost=settings.memory_kib, parallelism=settings.parallelism
        )
        self._threads = threads
        self._dummy = _hash_of_nothing(settings)
        self.count = 0
        """How many hashes were computed for callers. A test sees from it that all attempts cost the same."""

    async def hash(self, password: str) -> str:
        """Return the encoded hash of a password, with its parameters and salt.

        Raises:
            PasswordsBusyError: Too many wait already.
        """
        self.count += 1
        return await self._threads.run(self._argon2.hash, _encoded(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Tell whether a password is that of a hash.

        Args:
            encoded: The stored hash; None for an account that is missing, disabled, locked or has no password. Then a
                dummy is verified, and the answer is False.
            password: As it was typed: nothing is trimmed, cut or normalised (ASVS 5.0 6.2.8).

        Raises:
            PasswordsBusyError: Too many wait already.
        """
        self.count += 1
        return await self._threads.run(self._verify, encoded, _encoded(password))

    def needs_rehash(self, encoded: str) -> bool:
        """Tell whether a hash was made with other parameters than today's: make it anew at the next login."""
        return self._argon2.check_needs_rehash(encoded)

    def _verify(self, encoded: str | None, password: bytes) -> bool:
        if encoded is not None:
            try:
                return self._argon2.verify(encoded, password)
            except InvalidHashError:
                # Not a hash at all, so that none was computed yet.
                encoded = None
            except VerificationError:
                return False
        with suppress(VerificationError):
            self._argon2.verify(self._dummy, password)
        return False


def _give_way() -> None:
    """Let the event loop go first where processors are few: on Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
        # Some sandboxes forbid it. It is better to hash as others do than not at all.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def _hash_of_nothing(settings: PasswordSettings) -> str:
    """Return what stands in for a hash that is missing: its digest is random, and to verify it takes as long."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (argon2.DEFAULT_RANDOM_SALT_LENGTH, argon2.DEFAULT_HASH_LENGTH)
    )
    parameters = f"m={settings.memory_kib},t={settings.iterations},p={settings.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${parameters}${salt}${digest}"


def _encoded(password: str) -> bytes:
    # A lone surrogate is no error here: it is a wrong password.
    return password.encode(errors="surrogatepass")
