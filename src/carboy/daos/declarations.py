"""Checks the declaration of a DAO. Its errors name the file, the mistake and the remedy."""

import inspect
from typing import Any


class DeclarationError(TypeError):
    """A class is declared in a way that cannot work."""


def check_declaration(dao: type[Any]) -> None:
    """Raise a `DeclarationError` if a DAO lacks its model, record or error, or its record has a field of its own."""
    for name, example in (("model", "Note"), ("record", "NoteRead"), ("not_found", "NoteNotFoundError")):
        if not hasattr(dao, name):
            raise DeclarationError(f"{_place(dao)} has no {name}. Write in it, for example: {name} = {example}")
    strange = [name for name in dao.record.model_fields if not hasattr(dao.model, name)]
    if strange:
        columns = ", ".join(column.name for column in dao.model.__table__.columns)
        raise DeclarationError(
            f"{_place(dao)}: {dao.record.__name__}.{strange[0]} is nothing that {dao.model.__name__} has. Write it in"
            f" {dao.model.__name__}, or name one of: {columns}."
        )


def _place(kind: type[Any]) -> str:
    return f"{inspect.getsourcefile(kind) or kind.__module__}: {kind.__name__}"
