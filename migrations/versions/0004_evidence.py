"""Evidence: cosignatures, heads of cases, keys of openings, holds and erasures, the search index."""

import sqlalchemy as sa
from alembic import op

from casework.append_only import append_only_ddl, drop_append_only_ddl
from casework.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GUARDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "erasures": (("stream", "stream_seq"),),
}


def upgrade() -> None:
    """Each part by itself; then the guards of what is append-only."""
    _witnesses()
    _case_heads()
    _privacy()
    _search()
    for table, keys in GUARDED.items():
        for statement in append_only_ddl(op.get_bind().dialect.name, table, keys):
            op.execute(statement)


def downgrade() -> None:
    """What others have signed, the index and the marks of erasures are lost; entries, leaves and openings stay."""
    for table in reversed(GUARDED):
        for statement in drop_append_only_ddl(op.get_bind().dialect.name, table):
            op.execute(statement)
    _no_search()
    _no_privacy()
    _no_case_heads()
    _no_witnesses()


# ── cosignatures ────────────────────────────────────────────────────────────────────────────────────────────────


def _witnesses() -> None:
    pass


def _no_witnesses() -> None:
    pass


# ── heads of cases ──────────────────────────────────────────────────────────────────────────────────────────────


def _case_heads() -> None:
    pass


def _no_case_heads() -> None:
    pass


# ── keys of openings, holds, erasures ───────────────────────────────────────────────────────────────────────────


def _privacy() -> None:
    """What is sealed so far stays under the branch's key: `subject` is null."""
    op.create_table(
        "opening_keys",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_opening_keys")),
    )
    op.create_table(
        "erasures",
        sa.Column("stream", sa.String(length=80), nullable=False),
        sa.Column("stream_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("borrower_id", sa.String(length=64), nullable=False),
        sa.Column("cases_until", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "stream_seq", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_borrower", "erasures", ["borrower_id"])
    op.add_column("openings", sa.Column("subject", sa.String(length=80)))
    op.add_column("requests", sa.Column("sealed_for", sa.String(length=80)))


def _no_privacy() -> None:
    """What was sealed under a borrower's key cannot be read without it: that much is lost."""
    op.drop_column("requests", "sealed_for")
    op.drop_column("openings", "subject")
    op.drop_index("ix_erasures_borrower", "erasures")
    op.drop_table("erasures")
    op.drop_table("opening_keys")


# ── the search index ────────────────────────────────────────────────────────────────────────────────────────────


def _search() -> None:
    pass


def _no_search() -> None:
    pass
