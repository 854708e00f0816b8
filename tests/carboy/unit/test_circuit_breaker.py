"""The circuit breaker: when it opens, and who may try whether what failed is back."""

import asyncio

import pytest

from carboy.clients.breaker import CircuitBreaker, CircuitOpenError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    def is_failure(error: BaseException) -> bool | None:
        return None if isinstance(error, asyncio.CancelledError) else isinstance(error, OSError)

    return CircuitBreaker(3, 10.0, is_failure, clock)


def state_of(breaker: CircuitBreaker) -> str:
    return breaker.state


def fail(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    error = error or OSError()
    with pytest.raises(type(error)), breaker.call():
        raise error


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.call():
        pass


def open_it(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        fail(breaker)
    assert state_of(breaker) == "open"


def test_it_opens_after_failures_in_a_row_only(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    assert state_of(breaker) == "closed"
    open_it(breaker)
    with pytest.raises(CircuitOpenError, match=r"another 10\.0 s"), breaker.call():
        pytest.fail("The call was made.")


def test_errors_that_are_no_failure_show_that_what_is_called_is_well(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    fail(breaker, ValueError())
    fail(breaker)
    fail(breaker)
    assert state_of(breaker) == "closed"


def test_one_probe_at_a_time_goes_through_when_it_is_half_open(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 9.9
    with pytest.raises(CircuitOpenError), breaker.call():
        pytest.fail("The call was made.")
    clock.now += 0.1
    assert state_of(breaker) == "half_open"
    with breaker.call():
        for _ in range(9):
            with pytest.raises(CircuitOpenError), breaker.call():
                pytest.fail("A second probe was made.")
    assert state_of(breaker) == "closed"
    succeed(breaker)


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 10
    fail(breaker)
    assert state_of(breaker) == "open"
    clock.now += 9.9
    assert state_of(breaker) == "open"
    clock.now += 0.1
    succeed(breaker)
    assert state_of(breaker) == "closed"
    # It counts from the beginning.
    fail(breaker)
    assert state_of(breaker) == "closed"


def test_a_probe_whose_caller_leaves_lets_the_next_call_be_the_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 10
    fail(breaker, asyncio.CancelledError())
    assert state_of(breaker) == "half_open"
    succeed(breaker)
    assert state_of(breaker) == "closed"


def test_the_outcome_of_a_call_from_before_a_change_of_state_is_ignored(breaker: CircuitBreaker, clock: Clock) -> None:
    early_success, early_failure = breaker.call(), breaker.call()
    early_success.__enter__()
    early_failure.__enter__()
    open_it(breaker)
    early_success.__exit__(None, None, None)
    assert state_of(breaker) == "open"
    clock.now += 10
    succeed(breaker)
    fail(breaker)
    fail(breaker)
    assert not early_failure.__exit__(OSError, OSError(), None)
    assert state_of(breaker) == "closed"
