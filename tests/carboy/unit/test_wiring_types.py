"""Which types of objects a parameter accepts, as far as that can be told before anything is made."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest
from dependency_injector import containers, providers

from carboy.di.checks import check_providers
from carboy.di.provider_types import accepts
from carboy.services import UnitOfWork
from carboy.testing import MemoryDatabase

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(StrEnum):
    RED = "red"


class Base: ...


class Child(Base): ...


class Box(Generic[T]): ...


class IntBox(Box[int]): ...


class Options(TypedDict):
    a: int


class Pinged(Protocol):
    name: str

    async def ping(self) -> None: ...


class PingedTwice(Pinged, Protocol):
    def twice(self) -> None: ...


class Right:
    def __init__(self) -> None:
        # Only an instance has it, so that the class cannot tell.
        self.name = "right"

    async def ping(self) -> None: ...


class Wrong:
    name = "wrong"

    def pong(self) -> None: ...


@pytest.mark.parametrize(
    ("annotation", "product"),
    [
        (str, str),
        (object, Right),
        (Any, Right),
        (Base, Child),
        (float, int),
        (complex, float),
        (str, Colour),
        (None, type(None)),
        (type(None), None),
        (str | None, None),
        (str | None, str),
        (Optional[str], str | None),  # noqa: UP045 - the old spelling is what is tested.
        (Union[int, str], str),  # noqa: UP007 - the same.
        (int | str | None, str | None),
        (Annotated[str, "more"], str),
        (Annotated[str | None, []], Annotated[str, {}]),
        (Mapping[str, int], dict),
        (Mapping[str, int], dict[str, Any]),
        (Sequence[int], list),
        (Iterable[int], tuple[int, ...]),
        (Box[int], Box),
        (Box[int], Box[str]),
        (Box[int], IntBox),
        (Options, dict),
        (Literal["a"], str),
        (UserId, int),
        (T, Right),
        (Callable[..., int], type(accepts)),
        (type[Base], type),
        (Awaitable[int], Any),
        ("Base", Right),
        (Pinged, Right),
        (Pinged | None, Right),
        (UnitOfWork, MemoryDatabase),
    ],
)
def test_a_fitting_or_unknown_type_is_accepted(annotation: Any, product: Any) -> None:
    assert accepts(annotation, product)


@pytest.mark.parametrize(
    ("annotation", "product"),
    [
        (str, int),
        (int, float),
        (int, str | None),
        (str, str | None),
        (str, None),
        (str, Annotated[int, "more"]),
        (Annotated[str, "more"], int),
        (str | None, int | None),
        (Optional[str], int),  # noqa: UP045 - the old spelling is what is tested.
        (Child, Base),
        (Mapping[str, int], list),
        (Sequence[int], dict[str, int]),
        (Box[int], Right),
        (IntBox, Box[int]),
        (Options, list),
        (Pinged, Wrong),
        (Pinged | None, Wrong),
        (PingedTwice, Right),
        (UnitOfWork, Right),
        (Callable[..., int], int),
        (None, str),
    ],
)
def test_a_type_that_cannot_fit_is_refused(annotation: Any, product: Any) -> None:
    assert not accepts(annotation, product)


class Holder:
    def __init__(
        self,
        by_name: Mapping[str, Pinged] | None = None,
        row: Annotated[Sequence[Path], "metadata"] = (),
        pair: tuple[Path, ...] = (),
        box: Box[int] | None = None,
        hook: Callable[[Path], list[Path] | None] = lambda _: None,
    ) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by_name": providers.Dict(a=providers.Singleton(Right))}, None),
        ({"by_name": providers.Dict({"a b": providers.Singleton(Right)})}, None),
        ({"by_name": providers.Dict(a=providers.Singleton(Wrong))}, "by_name['a'] wants Pinged, and is given Wrong"),
        (
            {"by_name": providers.Dict({"a b": providers.Singleton(Wrong)})},
            "by_name['a b'] wants Pinged, and is given Wrong",
        ),
        (
            {"by_name": providers.List(providers.Singleton(Right))},
            "by_name wants Mapping[str, Pinged] | None, and is given list",
        ),
        ({"row": providers.List(Path(), providers.Object(Path()))}, None),
        ({"row": providers.List(Path(), "path")}, "row[1] wants Path, and is given str"),
        ({"row": providers.Dict(a=Path())}, "row wants Sequence[Path], and is given dict"),
        ({"pair": providers.List(Path())}, "pair wants tuple[Path, ...], and is given list"),
        ({"box": providers.Dict(a=1)}, "box wants Box[int] | None, and is given dict"),
        ({"hook": providers.Dict(a=1)}, "hook wants Callable[[Path], list[Path] | None], and is given dict"),
    ],
)
def test_the_items_of_a_dict_or_list_are_checked(arguments: dict[str, Any], said: str | None) -> None:
    container = containers.DynamicContainer()
    container.set_providers(holder=providers.Singleton(Holder, **arguments))
    problems = [] if said is None else [f"provider holder: argument {said}"]
    assert list(check_providers(container)) == problems
