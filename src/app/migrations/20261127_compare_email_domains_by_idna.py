"""compare email domains by IDNA

Keys of addresses change whose domain has a letter that case folding changes and IDNA 2008 keeps, such as the sharp s:
``ada@straße.de`` had the key of ``ada@strasse.de``. No two keys become equal by it. The way back fails where both are
there by then, as one of the two has to go.

Revision ID: 8c1f04e27d3b
Revises: 5d0c7be1a942
"""

import unicodedata
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "8c1f04e27d3b"
down_revision = "5d0c7be1a942"
branch_labels = None
depends_on = None

BATCH = 1000
users = sa.table("users", sa.column("id"), sa.column("email"), sa.column("email_key"))


def upgrade() -> None:
    _respell(op.get_bind(), _key)


def downgrade() -> None:
    _respell(op.get_bind(), _fold)


def _respell(connection: sa.Connection, spell: Callable[[str], str]) -> None:
    after = 0
    addresses = sa.select(users).order_by(users.c.id).limit(BATCH)
    change = sa.update(users).where(users.c.id == sa.bindparam("row"))
    while rows := connection.execute(addresses.where(users.c.id > after)).all():
        # An address of ASCII has the same key either way.
        keys = [(row.id, row.email_key, spell(row.email)) for row in rows if not row.email.isascii()]
        changed = [{"row": identity, "email_key": key} for identity, before, key in keys if key != before]
        if changed:
            connection.execute(change.values(email_key=sa.bindparam("email_key")), changed)
        after = rows[-1].id


def _key(address: str) -> str:
    # As the DAO does it today. Stored addresses have been validated, so that their domains are U-labels already.
    local, at, domain = address.rpartition("@")
    return f"{_fold(local)}{at}{domain}"


def _fold(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())
