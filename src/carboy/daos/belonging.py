"""What rows of a DAO belong to, and what belongs to them."""

from typing import Any

from carboy.daos.base import Dao
from carboy.daos.relations import relations_of
from carboy.models.base import table_of
from carboy.models.soft_deletion import is_soft_deleted


def tables_shown(dao: Dao[Any]) -> tuple[str, ...]:
    """Return the DAO's table, and those of the children and links that its record shows."""
    shown = (relations_of(dao.model)[name] for name in dao.record.model_fields if name in relations_of(dao.model))
    return (dao.name, *(relation.near.table.name for relation in shown if relation.many))


def table_referred_to(dao: Dao[Any], column: str) -> str | None:
    """Return the table whose ids a column of the DAO's refers to; None if it refers to none or does not exist."""
    columns = table_of(dao.model).columns
    keys = [key.target_fullname.partition(".") for key in columns[column].foreign_keys] if column in columns else []
    return next((table for table, _, name in keys if name == "id"), None)


def stays_when_deleted(dao: Dao[Any]) -> bool:
    """Tell whether rows that are deleted are only marked."""
    return is_soft_deleted(table_of(dao.model))
