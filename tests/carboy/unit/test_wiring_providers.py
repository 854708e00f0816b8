"""A provider that would be called with what does not fit is an error at start, which names it and the argument."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import pytest
from dependency_injector import containers, providers
from flask import Flask
from pydantic import BaseModel

from carboy.di.checks import check_providers
from carboy.di.wiring import WiringError, wire
from containers import Container

T = TypeVar("T")


class Engine:
    def __init__(self, url: str = "", *, size: int = 1) -> None:
        self.url = url
        self.size = size

    def connect(self) -> str:
        return self.url

    @property
    def kind(self) -> str:
        return "engine"


class Store:
    def __init__(self, engine: Engine, name: str) -> None: ...


class Inner(BaseModel):
    url: str
    size: int | None = None


class Outer(BaseModel):
    inner: Inner
    maybe: Inner | None = None


@dataclass
class Record:
    engine: Engine


def make_store(engine: Engine, /, name: str, *, limit: float = 1.0) -> Store:
    return Store(engine, name)


def take_all(*engines: Engine, **names: str) -> Store:
    return Store(engines[0], str(names))


def problems_of(**graph: Any) -> list[str]:
    container = containers.DynamicContainer()
    container.set_providers(**graph)
    return list(check_providers(container))


ENGINE = providers.Singleton(Engine)
OUTER = providers.Singleton(Outer, inner=providers.Singleton(Inner, url="u"))


@pytest.mark.parametrize("kind", [providers.Singleton, providers.Factory, providers.ThreadSafeSingleton])
@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {"engine": ENGINE}, "argument name is missing"),
        ((ENGINE,), {}, "argument name is missing"),
        ((ENGINE, "n"), {"other": 1}, "argument other is unknown"),
        ((ENGINE, "n", 3), {}, "argument 3 is one too many"),
        ((ENGINE, "n"), {"name": "m"}, "argument name is given twice"),
        ((), {"engine": ENGINE, "name": 5}, "argument name wants str, and is given int"),
        ((), {"engine": "e", "name": "n"}, "argument engine wants Engine, and is given str"),
        ((None, "n"), {}, "argument engine wants Engine, and is given NoneType"),
        ((), {"engine": OUTER, "name": "n"}, "argument engine wants Engine, and is given Outer"),
        ((ENGINE, OUTER.provided.inner.url.real), {}, "argument name: str has no attribute 'real'"),
        ((ENGINE, OUTER.provided.iner.url), {}, "argument name: Outer has no attribute 'iner'"),
        ((ENGINE, OUTER.provided.inner.uri), {}, "argument name: Inner has no attribute 'uri'"),
        ((ENGINE, OUTER.provided.inner), {}, "argument name wants str, and is given Inner"),
        ((ENGINE, OUTER.provided.inner.size), {}, "argument name wants str, and is given int | None"),
        ((ENGINE, ENGINE.provided.knid), {}, "argument name: Engine has no attribute 'knid'"),
        ((ENGINE, ENGINE.provided.conect.call()), {}, "argument name: Engine has no attribute 'conect'"),
        ((ENGINE, OUTER.provided.iner["x"]), {}, "argument name: Outer has no attribute 'iner'"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error(
    kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any], said: str
) -> None:
    assert problems_of(store=kind(Store, *args, **kwargs)) == [f"provider store: {said}"]


def test_arguments_of_a_function_that_do_not_fit_are_an_error() -> None:
    assert problems_of(store=providers.Singleton(make_store, engine=ENGINE, name="n")) == [
        "provider store: argument engine is missing",
        "provider store: argument engine is unknown",
    ]
    assert problems_of(store=providers.Singleton(make_store, ENGINE, "n", 2)) == [
        "provider store: argument 3 is one too many"
    ]
    assert problems_of(store=providers.Singleton(take_all, "e", a=5)) == [
        "provider store: argument 1 wants Engine, and is given str",
        "provider store: argument a wants str, and is given int",
    ]


def test_all_problems_of_all_providers_are_reported() -> None:
    graph: dict[str, Any] = {"one": providers.Singleton(Store, nmae="n"), "two": providers.Factory(Store, 5, "n")}
    assert problems_of(**graph) == [
        "provider one: argument engine is missing",
        "provider one: argument name is missing",
        "provider one: argument nmae is unknown",
        "provider two: argument engine wants Engine, and is given int",
    ]


def test_a_provider_within_an_argument_is_checked_too() -> None:
    inner = providers.Singleton(Store, engine=ENGINE)
    graph: dict[str, Any] = {"record": providers.Singleton(dict, things=providers.Dict(store=inner))}
    assert problems_of(**graph) == ["provider record: within it, Store: argument name is missing"]


@pytest.mark.parametrize(
    "provider",
    [
        providers.Singleton(Store, ENGINE, "n"),
        providers.Singleton(Store, name="n", engine=ENGINE),
        providers.Singleton(make_store, ENGINE, name="n", limit=5),
        providers.Singleton(take_all, ENGINE, ENGINE, a="n", b="m"),
        providers.Singleton(Store, ENGINE, OUTER.provided.inner.url),
        # An attribute that only __init__ sets, a property, a method, and what no annotation tells.
        providers.Singleton(Store, ENGINE, ENGINE.provided.url),
        providers.Singleton(Store, ENGINE, ENGINE.provided.kind),
        providers.Singleton(Store, ENGINE, ENGINE.provided.connect.call()),
        providers.Singleton(Store, ENGINE, OUTER.provided.maybe.url),
        providers.Singleton(Store, ENGINE, providers.Object({"a": "n"}).provided["a"]),
        providers.Singleton(Inner, url="u", size=OUTER.provided.inner.size),
        providers.Singleton(Record, engine=ENGINE),
        providers.Singleton(Record, ENGINE),
        providers.Singleton(dict, a=1),
        providers.Singleton(object),
        providers.Factory(lambda engine: engine, ENGINE),
    ],
)
def test_arguments_that_fit_are_accepted(provider: Any) -> None:
    assert problems_of(thing=provider) == []


async def connect(url: str) -> AsyncIterator[Engine]:
    yield Engine(url)


async def load(url: str) -> Engine:
    return Engine(url)


@pytest.mark.parametrize("make", [connect, load])
def test_a_resource_is_checked_too(make: Any) -> None:
    engine = providers.Resource(make, url="u")
    assert problems_of(engine=engine, record=providers.Singleton(Record, engine)) == []
    assert problems_of(engine=providers.Resource(make, ulr="u"), inner=providers.Singleton(Inner, url=engine)) == [
        "provider engine: argument url is missing",
        "provider engine: argument ulr is unknown",
        "provider inner: argument url wants str, and is given Engine",
    ]


def test_annotations_that_cannot_be_evaluated_are_let_pass() -> None:
    # As imports that stand under TYPE_CHECKING; the names of arguments are checked all the same.
    def make(engine: "NotThere", name: "str") -> "NotThere": ...  # type: ignore[name-defined]  # noqa: F821 - on purpose.

    assert problems_of(thing=providers.Singleton(make, engine=1, name="n")) == []
    assert problems_of(thing=providers.Singleton(make, engine=1)) == ["provider thing: argument name is missing"]


def test_a_function_that_takes_a_class_gives_an_object_of_it() -> None:
    def make(kind: type[T], name: str) -> T:
        return kind()

    made = providers.Singleton(make, Inner, name="n")
    assert problems_of(thing=providers.Singleton(Inner, url=made.provided.url)) == []
    assert problems_of(thing=providers.Singleton(Inner, url=made.provided.gone)) == [
        "provider thing: argument url: Inner has no attribute 'gone'"
    ]
    # Which class it is cannot be told where the arguments do not fit, which is an error of its own.
    assert problems_of(thing=providers.Singleton(make, Inner, nam="n")) != []


def test_attributes_whose_annotations_cannot_be_evaluated_are_known_by_name() -> None:
    class Hidden:
        there: "NotThere"  # type: ignore[name-defined]  # noqa: F821 - on purpose.

    hidden = providers.Singleton(Hidden)
    assert problems_of(thing=providers.Singleton(Inner, url=hidden.provided.there)) == []
    assert problems_of(thing=providers.Singleton(Inner, url=hidden.provided.gone)) == [
        f"provider thing: argument url: {Hidden.__qualname__} has no attribute 'gone'"
    ]


def test_an_overriding_provider_of_another_type_is_an_error() -> None:
    engine = providers.Singleton(Engine)
    graph = {"engine": engine, "record": providers.Singleton(Record, engine=engine)}
    with engine.override(providers.Singleton(Inner, url="u")):
        assert problems_of(**graph) == ["provider record: argument engine wants Engine, and is given Inner"]
    with engine.override("an object"):
        assert problems_of(**graph) == ["provider record: argument engine wants Engine, and is given str"]
    assert problems_of(**graph) == []


def test_the_arguments_of_an_overriding_provider_are_checked() -> None:
    engine = providers.Singleton(Engine)
    with engine.override(providers.Singleton(Engine, ulr="u")):
        assert problems_of(engine=engine) == ["provider engine: argument ulr is unknown"]


def test_the_projects_own_container_is_right() -> None:
    assert list(check_providers(Container())) == []


def test_wire_raises_what_is_wrong_with_a_provider() -> None:
    container = containers.DynamicContainer()
    container.set_providers(store=providers.Singleton(Store, engine=ENGINE))
    with pytest.raises(WiringError) as raised:
        wire(container, Flask("things", static_folder=None))
    assert str(raised.value) == "The container is wrong:\n- provider store: argument name is missing"


def test_metadata_that_cannot_be_hashed_is_no_hindrance() -> None:
    def make(engine: Annotated[Engine, {"a": []}]) -> Annotated[Engine, {}]: ...  # type: ignore[empty-body]

    made = providers.Singleton(make, engine=ENGINE)
    assert problems_of(made=made, record=providers.Singleton(Record, engine=made)) == []
    assert problems_of(store=providers.Singleton(Inner, url=made)) == [
        "provider store: argument url wants str, and is given Engine"
    ]
