"""The `@transactional` and `@read_only` decorators."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class UnitOfWork(Protocol):
    """Runs work in one transaction, or joins the current one."""

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that only reads."""

    async def write(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that may write, all or nothing."""

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is open that may write."""

    async def try_lock(self, name: str) -> bool:
        """Take a lock that ends with the current transaction; False if another transaction has it."""


class Service:
    """A service whose methods may be marked with `transactional` and `read_only`."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work


ServiceT = TypeVar("ServiceT", bound=Service)
Method = Callable[Concatenate[ServiceT, P], Coroutine[Any, Any, T]]


def transactional(method: Method[ServiceT, P, T]) -> Method[ServiceT, P, T]:
    """Make a method one transaction: it commits on return and rolls back on any exception.

    A transactional method that calls another joins its transaction. After a conflict with another transaction the
    method is retried, so side effects must be idempotent or happen after the commit.
    """

    @wraps(method)
    async def run(self: ServiceT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._unit_of_work.write(partial(method, self, *args, **kwargs))

    return run


def read_only(method: Method[ServiceT, P, T]) -> Method[ServiceT, P, T]:
    """Make a method a read-only unit of work: cheaper than a transaction; writing in it is an error."""

    @wraps(method)
    async def run(self: ServiceT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._unit_of_work.read(partial(method, self, *args, **kwargs))

    return run
