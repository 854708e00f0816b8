"""The text below a field describes it in the JSON schema."""

from typing import Annotated

from pydantic import Field

from carboy.schemas.base import Query


class First(Query):
    plain: int = 1
    told: int = 1
    """Told by
    two lines."""
    both: Annotated[int, Field(description="Told by its field.")] = 1
    """Told below."""
    renamed: int = Field(1, alias="named")
    """Told of another name."""


class Second(First):
    told: int = 2
    new: int = 3
    """New."""

    class Inner:
        plain: int = 1
        """Of another class."""


def descriptions(model: type[Query]) -> dict[str, str | None]:
    return {name: schema.get("description") for name, schema in model.model_json_schema()["properties"].items()}


def test_the_text_below_a_field_describes_it_unless_the_field_does() -> None:
    assert descriptions(First) == {
        "plain": None,
        "told": "Told by\ntwo lines.",
        "both": "Told by its field.",
        "named": "Told of another name.",
    }


def test_a_field_that_is_declared_anew_has_the_text_of_its_new_declaration() -> None:
    assert descriptions(Second) == descriptions(First) | {"told": None, "new": "New."}
