"""The spine of the service: log, staff, cases, feeds."""

import sqlalchemy as sa
from alembic import op

from casework.append_only import append_only_ddl
from casework.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The spine of the service: log, staff, cases, feeds."""
    op.create_table(
        "borrowers",
        sa.Column("borrower_id", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=32), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("name_index", sa.LargeBinary(), nullable=True),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_number_index", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("borrower_id", name=op.f("pk_borrowers")),
    )
    op.create_index("ix_borrowers_id_number", "borrowers", ["id_number_index"], unique=False)
    op.create_index("ix_borrowers_name", "borrowers", ["name_index"], unique=False)
    op.create_table(
        "contacts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("borrower_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("relation", sa.String(length=32), nullable=True),
        sa.Column("address_kind", sa.String(length=16), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("legal_basis", sa.String(length=64), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(), nullable=True),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("row_hash", name=op.f("uq_contacts_row_hash")),
    )
    op.create_index("ix_contacts_borrower", "contacts", ["borrower_id"], unique=False)
    op.create_index("ix_contacts_phone", "contacts", ["phone_index"], unique=False)
    op.create_table(
        "entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("stream", sa.String(length=80), nullable=False),
        sa.Column("stream_seq", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("stream", "stream_seq", name=op.f("uq_entries_stream_stream_seq")),
        info={"append_only": (("id",), ("stream", "stream_seq"))},
    )
    op.create_table(
        "feed_runs",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("institution", sa.String(length=32), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("correction", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("refusal", sa.LargeBinary(), nullable=True),
        sa.Column("files", sa.LargeBinary(), nullable=True),
        sa.Column("figures", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_runs")),
    )
    op.create_index("ix_feed_runs_as_of", "feed_runs", ["institution", "as_of"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "institutions",
        sa.Column("institution", sa.String(length=32), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("institution", name=op.f("pk_institutions")),
    )
    op.create_table(
        "keys",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_keys")),
    )
    op.create_table(
        "loans",
        sa.Column("loan_id", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=32), nullable=False),
        sa.Column("borrower_id", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=32), nullable=True),
        sa.Column("channel_code", sa.String(length=32), nullable=True),
        sa.Column("owner_staff_no", sa.String(length=32), nullable=True),
        sa.Column("team", sa.String(length=32), nullable=True),
        sa.Column("region", sa.String(length=32), nullable=True),
        sa.Column("disbursed_on", sa.Date(), nullable=True),
        sa.Column("self_payment", sa.Boolean(), nullable=True),
        sa.Column("principal_fen", sa.BigInteger(), nullable=True),
        sa.Column("outstanding_principal_fen", sa.BigInteger(), nullable=True),
        sa.Column("risk_class", sa.String(length=32), nullable=True),
        sa.Column("npl_since", sa.Date(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("loan_id", name=op.f("pk_loans")),
    )
    op.create_index("ix_loans_borrower", "loans", ["borrower_id"], unique=False)
    op.create_table(
        "openings",
        sa.Column("stream", sa.String(length=80), nullable=False),
        sa.Column("stream_seq", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "stream_seq", "field", name=op.f("pk_openings")),
    )
    op.create_table(
        "repayments",
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("loan_id", sa.String(length=64), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reverses", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_repayments")),
    )
    op.create_index("ix_repayments_loan", "repayments", ["loan_id"], unique=False)
    op.create_table(
        "staff",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("posts", sa.String(length=400), nullable=False),
        sa.Column("team", sa.String(length=32), nullable=True),
        sa.Column("region", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("staff_no", name=op.f("pk_staff")),
    )
    op.create_table(
        "streams",
        sa.Column("stream", sa.String(length=80), nullable=False),
        sa.Column("last_entry_at", UtcDateTime(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_streams")),
    )
    op.create_table(
        "texts",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_texts")),
        sa.UniqueConstraint("kind", "name", name=op.f("uq_texts_kind_name")),
        info={"append_only": (("digest",), ("kind", "name"))},
    )
    op.create_table(
        "unsealed",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_unsealed")),
    )
    op.create_table(
        "cases",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("institution", sa.String(length=32), nullable=False),
        sa.Column("loan_id", sa.String(length=64), nullable=False),
        sa.Column("borrower_id", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=32), nullable=True),
        sa.Column("channel_code", sa.String(length=32), nullable=True),
        sa.Column("team", sa.String(length=32), nullable=True),
        sa.Column("region", sa.String(length=32), nullable=True),
        sa.Column("chart", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_since", sa.Date(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("handler", sa.String(length=32), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("opened_for", sa.String(length=32), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("closed_as", sa.String(length=32), nullable=True),
        sa.Column("principal_at_opening_fen", sa.BigInteger(), nullable=False),
        sa.Column("oldest_due_date", sa.Date(), nullable=True),
        sa.Column("bucket", sa.String(length=8), nullable=False),
        sa.Column("overdue_principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("overdue_interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("overdue_penalty_fen", sa.BigInteger(), nullable=False),
        sa.Column("overdue_fen", sa.BigInteger(), nullable=False),
        sa.Column("outstanding_principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("last_entry_at", UtcDateTime(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["handler"], ["staff.staff_no"], name=op.f("fk_cases_handler")),
        sa.ForeignKeyConstraint(["owner"], ["staff.staff_no"], name=op.f("fk_cases_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_amount", "cases", ["overdue_fen", "id"], unique=False)
    op.create_index("ix_cases_borrower", "cases", ["borrower_id"], unique=False)
    op.create_index("ix_cases_bucket_due", "cases", ["bucket", "oldest_due_date", "id"], unique=False)
    op.create_index("ix_cases_due", "cases", ["oldest_due_date", "id"], unique=False)
    op.create_index("ix_cases_loan", "cases", ["loan_id"], unique=False)
    op.create_index("ix_cases_owner", "cases", ["owner", "live", "id"], unique=False)
    op.create_index("ix_cases_state", "cases", ["state", "id"], unique=False)
    op.create_index("ix_cases_handler", "cases", ["handler", "live", "id"], unique=False)
    op.create_index("ix_cases_state_amount", "cases", ["state", "overdue_fen", "id"], unique=False)
    op.create_index("ix_cases_state_due", "cases", ["state", "oldest_due_date", "id"], unique=False)
    op.create_index(
        "uq_cases_live_loan",
        "cases",
        ["loan_id"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_table(
        "set_aside",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("column", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("row_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["feed_runs.id"], name=op.f("fk_set_aside_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
    )
    op.create_index("ix_set_aside_run", "set_aside", ["run_id", "id"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["feed_runs.id"], name=op.f("fk_snapshots_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "tokens",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_tokens_staff_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    for statement in append_only_ddl(op.get_bind().dialect.name, "entries", (("id",), ("stream", "stream_seq"))):
        op.execute(statement)
    for statement in append_only_ddl(op.get_bind().dialect.name, "texts", (("digest",), ("kind", "name"))):
        op.execute(statement)


def downgrade() -> None:
    """Undo it."""
    op.drop_table("tokens")
    op.drop_table("snapshots")
    op.drop_index("ix_set_aside_run", table_name="set_aside")
    op.drop_table("set_aside")
    op.drop_index(
        "uq_cases_live_loan",
        table_name="cases",
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.drop_index("ix_cases_state_due", table_name="cases")
    op.drop_index("ix_cases_state_amount", table_name="cases")
    op.drop_index("ix_cases_handler", table_name="cases")
    op.drop_index("ix_cases_state", table_name="cases")
    op.drop_index("ix_cases_owner", table_name="cases")
    op.drop_index("ix_cases_loan", table_name="cases")
    op.drop_index("ix_cases_due", table_name="cases")
    op.drop_index("ix_cases_bucket_due", table_name="cases")
    op.drop_index("ix_cases_borrower", table_name="cases")
    op.drop_index("ix_cases_amount", table_name="cases")
    op.drop_table("cases")
    op.drop_table("unsealed")
    op.drop_table("texts")
    op.drop_table("streams")
    op.drop_table("staff")
    op.drop_index("ix_repayments_loan", table_name="repayments")
    op.drop_table("repayments")
    op.drop_table("openings")
    op.drop_index("ix_loans_borrower", table_name="loans")
    op.drop_table("loans")
    op.drop_table("keys")
    op.drop_table("institutions")
    op.drop_index("ix_idempotency_created", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_feed_runs_as_of", table_name="feed_runs")
    op.drop_table("feed_runs")
    op.drop_table("entries")
    op.drop_index("ix_contacts_phone", table_name="contacts")
    op.drop_index("ix_contacts_borrower", table_name="contacts")
    op.drop_table("contacts")
    op.drop_index("ix_borrowers_name", table_name="borrowers")
    op.drop_index("ix_borrowers_id_number", table_name="borrowers")
    op.drop_table("borrowers")
