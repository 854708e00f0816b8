"""The payload of a job: what its function is given by whoever enqueues it, as JSON."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
from typing_extensions import TypedDict


class PayloadError(Exception):
    """A function's parameters cannot be a payload."""


class Payload:
    """Writes the arguments of a function as JSON, and reads them again.

    Args:
        parameters: Those of the function that are no dependencies.
    """

    def __init__(self, parameters: Sequence[inspect.Parameter]) -> None:
        for one in parameters:
            if one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY}:
                raise PayloadError(f"the argument {one.name} has no name of its own in a payload.")
            if one.annotation is one.empty:
                raise PayloadError(f"the argument {one.name} has no type.")
        self.names = tuple(one.name for one in parameters)
        self.required = tuple(one.name for one in parameters if one.default is one.empty)
        # Defaults stay the function's own: an argument that is not given is in no payload.
        fields = {
            one.name: one.annotation if one.default is one.empty else NotRequired[one.annotation] for one in parameters
        }
        make: Any = TypedDict
        kind = make("Payload", fields)
        # A validation error is logged, and must not tell values.
        kind.__pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)
        try:
            self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(kind)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise PayloadError(f"pydantic cannot read its arguments: {error}") from error
        self._signature = inspect.Signature(list(parameters))

    def write(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """Return the arguments of a call as JSON.

        Raises:
            TypeError: They do not fit the function.
            pydantic.ValidationError: One is not of its type.
        """
        values = self._signature.bind(*args, **kwargs).arguments
        return self._adapter.dump_json(self._adapter.validate_python(values)).decode()

    def read(self, payload: str) -> dict[str, Any]:
        """Return the arguments that a payload holds.

        Raises:
            pydantic.ValidationError: It is no JSON, or not what the function takes.
        """
        return self._adapter.validate_json(payload)
