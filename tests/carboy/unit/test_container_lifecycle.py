"""Whatever a container holds that can be opened and closed is open while the application serves."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dependency_injector import containers, providers

from carboy.di.lifecycle import opened
from carboy.testing import override

Told = list[str]


@pytest.fixture
def told() -> Told:
    """What was opened and closed, in order."""
    return []


class Part:
    def __init__(self, told: Told, name: str, *needs: object, fails: str = "") -> None:
        self.told, self.name, self.needs, self.fails = told, name, needs, fails

    async def open(self) -> None:
        self.tell("open")

    async def close(self) -> None:
        self.tell("close")

    def tell(self, what: str) -> None:
        if self.fails == what:
            raise ConnectionError(f"{self.name} does not {what}")
        self.told.append(f"{what} {self.name}")


class SyncPart(Part):
    def open(self) -> None:  # type: ignore[override]  # either may be sync.
        self.tell("open")

    def close(self) -> None:  # type: ignore[override]
        self.tell("close")


class Holder:
    """Can be neither opened nor closed."""

    def __init__(self, *needs: object, **named: object) -> None:
        self.needs, self.named = needs, named


def container_of(**graph: Any) -> Any:
    container = containers.DynamicContainer()
    container.set_providers(**graph)
    return container


def part(told: Told, name: str, *needs: object, **options: Any) -> Any:
    return providers.Singleton(Part, told, name, *needs, **options)


async def test_parts_are_opened_in_the_order_of_need_and_closed_in_reverse(told: Told) -> None:
    engine = part(told, "engine")
    client = providers.Singleton(SyncPart, told, "client", engine.provided.name)
    # Declared before what it needs, which it needs through others.
    service = part(told, "service", providers.Dict(all=providers.List(client)), providers.Factory(Holder, engine))
    async with opened(container_of(service=service, engine=engine, client=client)):
        assert told == ["open engine", "open client", "open service"]
    assert told[3:] == ["close service", "close client", "close engine"]


async def test_a_part_without_a_name_is_opened_too(told: Told) -> None:
    async with opened(container_of(holder=providers.Factory(Holder, part(told, "inner")))):
        assert told == ["open inner"]


async def test_a_part_is_opened_as_the_object_that_everybody_gets(told: Told) -> None:
    container = container_of(part=part(told, "part"))
    container.part().name = "renamed"
    async with opened(container):
        assert told == ["open renamed"]


async def test_parts_of_sub_containers_are_opened_after_what_they_are_given(told: Told) -> None:
    class Billing(containers.DeclarativeContainer):
        database: Any = providers.Dependency()
        # A function, as the library copies the arguments of a declared container.
        client = providers.Singleton(lambda needed: Part(told, "client", needed), database)

    database = part(told, "database")
    async with opened(container_of(billing=providers.Container(Billing, database=database), database=database)):
        assert told == ["open database", "open client"]


async def test_an_override_is_opened_in_place_of_what_it_overrides(told: Told) -> None:
    container = container_of(part=part(told, "real"))
    for fake in (Part(told, "fake"), part(told, "fake")):
        told.clear()
        with override(container, part=fake):
            async with opened(container):
                pass
        assert told == ["open fake", "close fake"]


async def test_an_object_with_two_names_is_opened_once(told: Told) -> None:
    one, whole = part(told, "part"), Part(told, "whole")
    graph = {"one": one, "alias": one, "whole": providers.Object(whole), "again": providers.Object(whole)}
    async with opened(container_of(**graph)):
        assert told == ["open part", "open whole"]
    assert told[2:] == ["close whole", "close part"]


async def test_an_object_without_open_and_close_is_left_alone(told: Told) -> None:
    class Closing:
        def close(self) -> None:
            raise AssertionError

    graph = {
        "closing": providers.Singleton(Closing),
        "kind": providers.Object(Part),
        "short": providers.Factory(Part, told, "short"),
        "thread": providers.ThreadLocalSingleton(Part, told, "thread"),
    }
    async with opened(container_of(**graph)):
        assert told == []


async def test_only_the_selected_one_of_several_is_opened(told: Told) -> None:
    selector = providers.Selector(lambda: "smtp", smtp=part(told, "smtp"), console=part(told, "console"))
    async with opened(container_of(mail=selector)):
        assert told == ["open smtp"]


async def test_a_part_that_does_not_open_closes_those_that_have(told: Told) -> None:
    graph = {"one": part(told, "one"), "two": part(told, "two", fails="open"), "three": part(told, "three")}
    with pytest.raises(ConnectionError, match="two does not open"):
        async with opened(container_of(**graph)):
            pytest.fail("The application started.")
    assert told == ["open one", "close one"]


async def test_a_part_that_cannot_be_made_closes_those_that_are_open(told: Told) -> None:
    def fail() -> None:
        raise LookupError("no such part")

    with pytest.raises(LookupError):
        async with opened(container_of(one=part(told, "one"), two=providers.Singleton(fail))):
            pytest.fail("The application started.")
    assert told == ["open one", "close one"]


async def test_a_part_that_does_not_close_keeps_no_other_open(told: Told) -> None:
    graph = {"one": part(told, "one"), "two": part(told, "two", fails="close"), "three": part(told, "three")}
    with pytest.raises(ConnectionError, match="two does not close"):
        async with opened(container_of(**graph)):
            told.clear()
    assert told == ["close three", "close one"]


async def test_parts_are_closed_after_an_error_too(told: Told) -> None:
    with pytest.raises(ArithmeticError):
        async with opened(container_of(one=part(told, "one"))):
            raise ArithmeticError
    assert told == ["open one", "close one"]


def sync_resource(told: Told) -> Iterator[str]:
    told.append("open resource")
    yield "a client"
    told.append("close resource")


async def async_resource(told: Told) -> AsyncIterator[str]:
    told.append("open resource")
    yield "a client"
    told.append("close resource")


@pytest.mark.parametrize("make", [sync_resource, async_resource])
async def test_resources_are_initialised_and_shut_down_in_the_same_order(told: Told, make: Any) -> None:
    engine = part(told, "engine")
    client = providers.Resource(make, providers.Callable(lambda told, _: told, told, engine))
    container = container_of(service=part(told, "service", client), client=client, engine=engine)
    for _ in range(2):
        told.clear()
        async with opened(container):
            assert told == ["open engine", "open resource", "open service"]
            # The object itself, not a future of it, also in what was made of it.
            assert container.client() == "a client"
            assert container.service().needs == ("a client",)
        assert told[3:] == ["close service", "close resource", "close engine"]


async def test_objects_that_hold_a_closed_resource_are_rebuilt(told: Told) -> None:
    def connect() -> Iterator[Holder]:
        yield Holder()

    client: Any = providers.Resource(connect)
    container = container_of(client=client, service=providers.Singleton(Holder, client))
    async with opened(container):
        first = container.service()
    async with opened(container):
        assert container.service() is not first
        assert container.service().needs == (container.client(),)


async def test_a_resource_that_fails_closes_what_is_open(told: Told) -> None:
    async def fail(_: object) -> None:
        raise ConnectionError("away")

    engine = part(told, "engine")
    with pytest.raises(ConnectionError, match="away"):
        async with opened(container_of(client=providers.Resource(fail, engine))):
            pytest.fail("The application started.")
    assert told == ["open engine", "close engine"]
