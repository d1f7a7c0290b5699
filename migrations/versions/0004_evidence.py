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
    "cosignatures": (("log", "size", "witness"),),
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
    op.create_table(
        "cosignatures",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=255), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("log", "size", "witness", name=op.f("pk_cosignatures")),
    )


def _no_witnesses() -> None:
    op.drop_table("cosignatures")


# ── heads of cases ──────────────────────────────────────────────────────────────────────────────────────────────


def _case_heads() -> None:
    op.create_table(
        "case_heads",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("statement", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_case", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "statement", "number", name=op.f("pk_case_heads")),
        sa.UniqueConstraint("log", "statement", "first_case", name=op.f("uq_case_heads_log_statement_first_case")),
    )
    op.create_table(
        "case_head_tiles",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("statement", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "statement", "level", "number", name=op.f("pk_case_head_tiles")),
    )


def _no_case_heads() -> None:
    op.drop_table("case_head_tiles")
    op.drop_table("case_heads")


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
    """Empty: the chore behind the sealer fills it from the leaves there are."""
    op.create_table(
        "search_terms",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=96), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_terms")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_search_terms_kind_value")),
    )
    op.create_table(
        "search_postings",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_search_postings")),
        postgresql_with={"fillfactor": "80"},  # the postings of the last segment are written again and again
    )
    op.create_table(
        "search_segments",
        sa.Column("segment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("first_s", sa.BigInteger(), nullable=False),
        sa.Column("last_s", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_search_segments")),
    )
    state = op.create_table(
        "search_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("indexed", sa.BigInteger(), nullable=False),
        sa.Column("emptying", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_state")),
    )
    op.bulk_insert(state, [{"id": 1, "log": 0, "indexed": 0, "emptying": False}])


def _no_search() -> None:
    for table in ("search_state", "search_segments", "search_postings", "search_terms"):
        op.drop_table(table)
