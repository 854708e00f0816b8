"""`carboy.testing.override` swaps parts of a container, and puts them back."""

from typing import cast

import pytest
from dependency_injector import containers, providers

from carboy.testing import override


class Engine:
    def __init__(self, name: str = "real") -> None:
        self.name = name


class Dao:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class OtherDao(Dao): ...


class Service:
    def __init__(self, daos: dict[str, Dao]) -> None:
        self.daos = daos


class Container(containers.DeclarativeContainer):
    engine = providers.Singleton(Engine)
    dao = providers.Singleton(Dao, engine=engine)
    service = providers.Singleton(Service, daos=providers.Dict(named=dao, unnamed=providers.Singleton(Dao, engine)))
    apart = providers.Singleton(Engine, name="apart")


def names(container: Container) -> list[str]:
    daos = container.service().daos
    return [container.engine().name, container.dao().engine.name, *(dao.engine.name for dao in daos.values())]


@pytest.mark.parametrize(
    "replacement", [Engine("fake"), providers.Object(Engine("fake")), providers.Singleton(Engine, "fake")]
)
def test_dependents_get_the_replacement_within_the_block_and_the_original_after(replacement: object) -> None:
    container = Container()
    assert names(container) == ["real"] * 4
    with override(container, engine=replacement):
        assert names(container) == ["fake"] * 4
    assert names(container) == ["real"] * 4


def test_an_override_is_undone_after_an_exception() -> None:
    container = Container()
    with pytest.raises(AssertionError), override(container, engine=Engine("fake")):
        assert names(container) == ["not this"]
    assert names(container) == ["real"] * 4


def test_objects_that_do_not_depend_on_the_replaced_part_are_kept() -> None:
    container = Container()
    apart, dao = container.apart(), container.dao()
    with override(container, service="a service"):
        assert container.service() == cast("Service", "a service")
        assert container.dao() is dao
    assert container.apart() is apart


def test_overrides_may_be_nested_and_are_undone_one_by_one() -> None:
    container = Container()
    with override(container, engine=Engine("outer")):
        with override(container, engine=Engine("inner")):
            assert names(container) == ["inner"] * 4
        assert names(container) == ["outer"] * 4
    assert names(container) == ["real"] * 4


def test_a_replacement_is_rebuilt_if_its_dependency_is_replaced_later() -> None:
    container = Container()
    with override(container, dao=providers.Singleton(OtherDao, engine=container.engine)):
        assert container.dao().engine.name == "real"
        with override(container, engine=Engine("fake")):
            assert isinstance(container.dao(), OtherDao)
            assert names(container) == ["fake"] * 4
        assert names(container) == ["real"] * 4


def test_several_parts_may_be_replaced_at_once() -> None:
    container = Container()
    dao = providers.Singleton(OtherDao, engine=container.engine)
    with override(container, engine=Engine("fake"), dao=dao):
        assert isinstance(container.service().daos["named"], OtherDao)
        assert names(container) == ["fake"] * 4
    assert type(container.service().daos["named"]) is Dao


def test_an_unknown_name_is_an_error_and_changes_nothing() -> None:
    container = Container()
    with (
        pytest.raises(AttributeError, match="The container has no provider enigne, nothing"),
        override(container, enigne=1, nothing=2, engine=Engine("fake")),
    ):
        pytest.fail("The block ran.")
    assert names(container) == ["real"] * 4


def test_an_override_that_fails_to_begin_changes_nothing() -> None:
    container = Container()
    # The library refuses to override a provider with itself.
    with (
        pytest.raises(Exception, match="could not be overridden"),
        override(container, engine=Engine("fake"), dao=container.dao),
    ):
        pytest.fail("The block ran.")
    assert names(container) == ["real"] * 4


def test_another_container_of_the_same_class_is_left_alone() -> None:
    one, other = Container(), Container()
    with override(one, engine=Engine("fake")):
        assert names(other) == ["real"] * 4
