"""Intake: the tables of complaints, devices, quarantine, changes and events."""

from alembic import op

from server.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table; later versions alter them and don't touch this one."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop them all."""
    metadata.drop_all(op.get_bind())
