"""A circuit breaker: stops calling what keeps failing, and lets one call at a time find out whether it is back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

State = Literal["closed", "open", "half_open"]


class CircuitOpenError(Exception):
    """The call was not made, as those before it failed.

    Args:
        seconds: How long until the next call may be tried.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the circuit is open for another {seconds:.1f} s")
        self.seconds = seconds


class CircuitBreaker:
    """Opens after a number of failures in a row, and is half open once it has been open for a while.

    Half open it lets exactly one call through, the probe: that closes it or opens it anew. A probe that is given up,
    as its caller was cancelled, leaves its place to the next call. The outcome of a call that began before the circuit
    last changed its state says nothing of the present and is ignored. It belongs to one event loop, and awaits nothing.

    Args:
        failures: How many failures in a row open it.
        open_seconds: How long it stays open.
        is_failure: Tells whether an exception is a failure of what is called (True), none (False), or says nothing of
            it (None), as a cancellation.
        clock: Gives seconds that never go back.
    """

    def __init__(
        self,
        failures: int,
        open_seconds: float,
        is_failure: Callable[[BaseException], bool | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._open_seconds = open_seconds
        self._is_failure = is_failure
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._is_probing = False
        self._generation = 0

    @property
    def state(self) -> State:
        if self._opened is None:
            return "closed"
        return "half_open" if self._remaining() <= 0 else "open"

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard one call.

        Raises:
            CircuitOpenError: The circuit is open, or half open and another call is its probe.
        """
        is_probe = self._admit()
        generation = self._generation
        failed: bool | None = None
        try:
            yield
            failed = False
        except BaseException as error:
            failed = self._is_failure(error)
            raise
        finally:
            if is_probe:
                self._is_probing = False
            if failed is not None and generation == self._generation:
                self._count(failed=failed, is_probe=is_probe)

    def _admit(self) -> bool:
        """Return whether a call is the probe."""
        if self._opened is None:
            return False
        if self._is_probing or self._remaining() > 0:
            raise CircuitOpenError(max(self._remaining(), 0))
        self._is_probing = True
        return True

    def _count(self, *, failed: bool, is_probe: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if failed and (is_probe or self._failures >= self._limit):
            self._opened = self._clock()
            self._generation += 1
        elif is_probe:
            self._opened = None
            self._generation += 1

    def _remaining(self) -> float:
        return 0 if self._opened is None else self._opened + self._open_seconds - self._clock()
