"""Operations that generated migrations have besides Alembic's: notes to their author, and types of enums."""

from textwrap import wrap

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Enum

PAGE = "docs/migrations.md"
COMMENT_WIDTH = 110

REQUIRED = (
    "{column} must not be null, and its model has no default that could be written here. Say below what the rows that"
    f" are there get; without it the migration fails where there are any. On a large table of PostgreSQL see {PAGE}."
)
WITH_DEFAULT = (
    "{column}: the rows that are there get the default of the model. The database keeps it for processes of the"
    " version before, which do not know the column."
)
PERHAPS_RENAMED = (
    "{table}: {old} is dropped and {new} is added, so that the values of {old} are lost. If it has a new name only,"
    " delete this file and write it anew with --rename {table}.{old}={new}"
)
RENAMED = (
    "{table}.{old} is {new} from now on, and processes of the version before fail until they are replaced. Without a"
    f" pause: {PAGE}."
)
CHECKED = (
    "{name}: change rows with a value that is no longer allowed above this, or the migration fails. PostgreSQL reads"
    f" the whole table under a lock; for a large one see {PAGE}."
)
INDEXED = f"{{name}}: nobody can write to {{table}} while PostgreSQL builds it. For a large table see {PAGE}."


class NoteOp(ops.MigrateOperation):
    """A comment: a note, which the command prints too, and lines of code for the author to complete."""

    def __init__(self, note: str, *code: str) -> None:
        self.note, self.code = note, code

    def to_diff_tuple(self) -> tuple[str, str]:
        return ("note", self.note)


class EnumOp(ops.MigrateOperation):
    """Creates or drops the type of an enum. PostgreSQL keeps it apart from tables, and Alembic ignores it."""

    def __init__(self, kind: Enum, verb: str) -> None:
        self.kind, self.verb = kind, verb

    def to_diff_tuple(self) -> tuple[str, str]:
        return (f"{self.verb}_type", str(self.kind.name))


@renderers.dispatch_for(NoteOp)
def _render_note(_context: AutogenContext, operation: NoteOp) -> list[str]:
    return [f"# {line}" for line in (*wrap(operation.note, COMMENT_WIDTH), *operation.code)]


@renderers.dispatch_for(EnumOp)
def _render_enum(_context: AutogenContext, operation: EnumOp) -> str:
    values = ", ".join(map(repr, operation.kind.enums))
    return f"sa.Enum({values}, name={operation.kind.name!r}).{operation.verb}(op.get_bind(), checkfirst=True)"
