"""Sealing: the tree over the log's entries, its tiles and its signed checkpoints."""

import sqlalchemy as sa
from alembic import op

from casework.append_only import append_only_ddl, drop_append_only_ddl
from casework.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GUARDED = {
    "logs": (("number",), ("origin",)),
    "leaves": (("log", "leaf_index"), ("log", "entry")),
    "tiles": (("log", "level", "number"),),
    "checkpoints": (("log", "size"),),
}


def upgrade() -> None:
    """Every entry there is waits in the queue already: the sealer takes them as it finds them."""
    op.create_table(
        "logs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_logs")),
        sa.UniqueConstraint("origin", name=op.f("uq_logs_origin")),
    )
    op.create_table(
        "leaves",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "leaf_index", name=op.f("pk_leaves")),
        sa.UniqueConstraint("log", "entry", name=op.f("uq_leaves_log_entry")),
    )
    op.create_table(
        "tiles",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "level", "number", name=op.f("pk_tiles")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("log", "size", name=op.f("pk_checkpoints")),
    )
    for table, keys in GUARDED.items():
        for statement in append_only_ddl(op.get_bind().dialect.name, table, keys):
            op.execute(statement)


def downgrade() -> None:
    """What was sealed goes back into the queue: nothing is sealed any more."""
    op.execute(
        "INSERT INTO unsealed (entry) SELECT id FROM entries"
        " WHERE NOT EXISTS (SELECT 1 FROM unsealed WHERE unsealed.entry = entries.id)"
    )
    for table in reversed(GUARDED):
        for statement in drop_append_only_ddl(op.get_bind().dialect.name, table):
            op.execute(statement)
        op.drop_table(table)
