"""A singleton that would keep something shorter-lived is an error at start."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from dependency_injector import containers, providers

from carboy.di.checks import check_providers


class Engine:
    def connect(self) -> str:
        return "connected"

    @property
    def kind(self) -> str:
        return "engine"


class Label:
    def __init__(self, url: str) -> None: ...


ENGINE = providers.Singleton(Engine)


def problems_of(**graph: Any) -> list[str]:
    container = containers.DynamicContainer()
    container.set_providers(**graph)
    return list(check_providers(container))


class Keeper:
    def __init__(self, engine: Engine) -> None: ...


class Keepers:
    def __init__(self, by_name: Mapping[str, Engine] | None = None, row: Sequence[Engine] = ()) -> None: ...


SHORT = [providers.Factory, providers.ThreadLocalSingleton, providers.ContextLocalSingleton]


@pytest.mark.parametrize("short", SHORT)
@pytest.mark.parametrize(
    ("keep", "place"),
    [
        (lambda engine: providers.Singleton(Keeper, engine=engine), "argument engine"),
        (lambda engine: providers.ThreadSafeSingleton(Keeper, engine), "argument engine"),
        (lambda engine: providers.Singleton(Keepers, by_name=providers.Dict(a=engine)), "argument by_name.a"),
        (lambda engine: providers.Singleton(Keepers, row=providers.List(engine)), "argument row.0"),
        (
            lambda engine: providers.Singleton(dict, a=providers.Dict(b=providers.List(ENGINE, engine))),
            "argument a.b.1",
        ),
        (lambda engine: providers.Singleton(Label, url=engine.provided.kind), "argument url"),
        (lambda engine: providers.Singleton(Label, url=engine.provided.connect.call()), "argument url"),
    ],
)
def test_a_singleton_that_keeps_something_short_lived_is_an_error(
    short: Any, keep: Callable[[Any], Any], place: str
) -> None:
    assert problems_of(keeper=keep(short(Engine))) == [
        (
            f"provider keeper: {place} is a {short.__name__}, whose object this singleton would keep for ever; pass its"
            " .provider instead"
        )
    ]


def test_overriding_a_singleton_with_a_factory_is_an_error_for_its_holder() -> None:
    engine = providers.Singleton(Engine)
    with engine.override(providers.Factory(Engine)):
        assert len(problems_of(keeper=providers.Singleton(Keeper, engine=engine))) == 1


def test_a_singleton_may_keep_the_maker_of_something_short_lived() -> None:
    class Maker:
        def __init__(self, make: Callable[[], Engine]) -> None: ...

    factory = providers.Factory(Engine)
    assert problems_of(maker=providers.Singleton(Maker, make=factory.provider)) == []
    assert problems_of(maker=providers.Singleton(Maker, make=providers.DelegatedFactory(Engine))) == []


def test_something_short_lived_may_keep_anything() -> None:
    for short in SHORT:
        assert problems_of(keeper=short(Keeper, engine=providers.Factory(Engine))) == []
