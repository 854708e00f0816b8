"""What the parameters of a list may be annotated with."""

import re
from enum import StrEnum
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from carboy.daos.searches import index_parameters
from carboy.schemas.base import PageQuery
from carboy.schemas.filters import AnyOf, Before, Equal, IsSet, Related, filters_of, where_of


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"
    HUGE = "x.large"


SIZES: TypeAdapter[tuple[Size, ...]] = TypeAdapter(AnyOf[Size])
NUMBERS: TypeAdapter[tuple[int, ...]] = TypeAdapter(AnyOf[int])


class BoxQuery(PageQuery):
    size: AnyOf[Size] | None = None
    until: Annotated[int, Before("height")] | None = None
    labelled: Annotated[bool, IsSet("label")]
    owner: Annotated[str, Related("owner", "name")] | None = None


class TwiceQuery(PageQuery):
    size: str | None = None
    sizes: Annotated[AnyOf[str], Equal("size")] | None = None


def test_each_parameter_is_a_filter_and_only_those_that_were_given_count() -> None:
    asked = where_of(BoxQuery.model_validate({"size": "large", "labelled": "false"}))
    assert asked == {Equal("size"): (Size.LARGE,), IsSet("label"): False}
    assert filters_of(BoxQuery)["owner"] == Related("owner", Equal("name"))


def test_two_parameters_of_one_filter_are_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"TwiceQuery\.sizes"):
        filters_of(TwiceQuery)


@pytest.mark.parametrize(
    "text", ["small", "small,large", "small,small", "", "small,", ",", "huge", "small large", "x.large", "xxlarge"]
)
def test_the_documented_values_are_those_that_are_taken(text: str) -> None:
    try:
        SIZES.validate_python(text)
        is_taken = True
    except ValidationError:
        is_taken = False
    documented = SIZES.json_schema()
    assert bool(re.fullmatch(documented["pattern"], text)) == is_taken
    assert documented["examples"] == ["small,large"]


def test_several_values_have_the_type_of_one_and_are_not_too_many() -> None:
    assert NUMBERS.validate_python("1,20") == (1, 20)
    assert NUMBERS.validate_python((3,)) == (3,)
    assert NUMBERS.json_schema()["type"] == "string"
    with pytest.raises(ValidationError, match="100 values at most"):
        NUMBERS.validate_python("1," * 100 + "1")


@pytest.mark.parametrize("text", ["ab", "a-b", "...", "a b c", "_a_"])
def test_a_search_index_is_no_help_without_three_letters_that_stand_together(text: str) -> None:
    assert index_parameters(text) == {}


def test_a_search_index_is_asked_for_each_three_letters() -> None:
    assert index_parameters('AB"c') == {}
    assert index_parameters('abc"d') == {"row_match": '("abc" AND "bc""" AND "c""d")'}
