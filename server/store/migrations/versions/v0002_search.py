"""Search: the full-text index over `search_text`, which each engine has in a form of its own."""

from typing import Final

from alembic import op

from server.store import dialect, lite
from server.store.dialect import is_sqlite

revision = "0002"
down_revision = "0001"

_TABLE: Final = "search_text"


def upgrade() -> None:
    """Index the words."""
    dialect.index_words(op.get_bind(), _TABLE, "text")
    lite.index_words(op.get_bind(), _TABLE, "text")


def downgrade() -> None:
    """Drop the index, and nothing that it was made of."""
    if is_sqlite(op.get_bind()):
        lite.drop_words(op.get_bind(), _TABLE)
    else:
        op.drop_index(f"ix_{_TABLE}_words", _TABLE)
