"""Says of a DAO that is declared wrongly in which file it stands, what is wrong, and what to write."""

import inspect
from typing import Any


class DeclarationError(TypeError):
    """A class is declared in a way that cannot work."""


def check_record(dao: type[Any]) -> None:
    """Raise a `DeclarationError` if a DAO's record has a field that its model has not; a base may have neither."""
    model, record = getattr(dao, "model", None), getattr(dao, "record", None)
    if model is None or record is None:
        return
    strange = [name for name in record.model_fields if not hasattr(model, name)]
    if strange:
        columns = ", ".join(column.name for column in model.__table__.columns)
        raise DeclarationError(
            f"{_place(dao)}: {record.__name__}.{strange[0]} is nothing that {model.__name__} has. Write it in"
            f" {model.__name__}, or name one of: {columns}."
        )


def require_declared(dao: type[Any]) -> None:
    """Raise a `DeclarationError` if a DAO that is to be made has no model, no record or no error."""
    for name, example in (("model", "Note"), ("record", "NoteRead"), ("not_found", "NoteNotFoundError")):
        if not hasattr(dao, name):
            raise DeclarationError(f"{_place(dao)} has no {name}. Write in it, for example: {name} = {example}")


def _place(kind: type[Any]) -> str:
    return f"{inspect.getsourcefile(kind) or kind.__module__}: {kind.__name__}"
