"""The schema: log and evidence, people, access, cases, feeds, four eyes, hand-overs, search."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op

from casework.storage.append_only import UniqueKeys, append_only_ddl
from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What the tables are at this revision; what the code declares moves on with later ones.
schema = sa.MetaData(naming_convention=metadata.naming_convention)
must = partial(sa.Column, nullable=False)
key = partial(sa.Column, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Tables, guards of those that are append-only, and the two tables of one row."""
    conn = op.get_bind()
    schema.create_all(conn, checkfirst=False)
    for made in schema.tables.values():
        for statement in append_only_ddl(conn.dialect.name, made.name, made.info["append_only"]) if made.info else ():
            op.execute(statement)
    op.bulk_insert(schema.tables["register_version"], [{"id": 1, "version": 1}])
    op.bulk_insert(schema.tables["search_state"], [{"id": 1, "log": 0, "indexed": 0, "emptying": False}])


def downgrade() -> None:
    """Nothing is left; guards and indexes go with their tables."""
    schema.drop_all(op.get_bind(), checkfirst=False)


def table(name: str, *parts: Any, append_only: UniqueKeys = (), **options: Any) -> None:
    """A table of the schema; `append_only` are its unique keys if rows can only be added to it."""
    sa.Table(name, schema, *parts, info={"append_only": append_only} if append_only else {}, **options)


def identity() -> sa.Column[Any]:
    """A number that the database gives."""
    return sa.Column("id", BigId, sa.Identity(), primary_key=True)


def unique_where(condition: str, name: str, *columns: str) -> sa.Index:
    """An index under which `columns` are unique among the rows of which `condition` holds."""
    return index_where(condition, name, *columns, unique=True)


def index_where(condition: str, name: str, *columns: str, unique: bool = False) -> sa.Index:
    """An index of the rows of which `condition` holds."""
    where = sa.text(condition)
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


# ── the log and its evidence ──────────────────────────────────────────────────────────────────────────────────────
table(
    "entries",
    identity(),
    must("stream", sa.String(80)),
    must("stream_seq", sa.BigInteger),
    must("event", sa.String(80)),
    must("actor_id", sa.String(64)),
    sa.Column("reason_code", sa.String(64)),
    must("recorded_at", UtcDateTime),
    must("body", Bytes),
    must("leaf_hash", Bytes),
    must("mac", Bytes),
    sa.UniqueConstraint("stream", "stream_seq"),
    append_only=(("id",), ("stream", "stream_seq")),
)
table(
    "unsealed",
    key("entry", BigId),
)
table(
    "streams",
    key("stream", sa.String(80)),
    must("last_entry_at", UtcDateTime),
    must("audit_seq", sa.BigInteger),
    must("audit_head", Bytes),
    postgresql_with={"fillfactor": "80"},  # an entry moves its stream's head and nothing that an index has
)
table(
    "legal_holds",
    key("institution", sa.String(32)),
    key("borrower_id", sa.String(64)),
    key("reason", sa.String(32)),
    must("stream_seq", sa.BigInteger),
)
table(
    "texts",
    key("digest", sa.String(64)),
    must("kind", sa.String(16)),
    must("name", sa.String(64)),
    must("body", Bytes),
    must("published_at", UtcDateTime),
    sa.UniqueConstraint("kind", "name"),
    append_only=(("digest",), ("kind", "name")),
)
table(
    "openings",
    key("stream", sa.String(80)),
    key("stream_seq", sa.BigInteger),
    key("field", sa.String(64)),
    must("sealed", Bytes),
    sa.Column("subject", sa.String(80)),
)
table(
    "opening_keys",
    key("subject", sa.String(80)),
    must("wrapped", Bytes),
    must("made_at", UtcDateTime),
)
table(
    "erasures",
    key("stream", sa.String(80)),
    key("stream_seq", sa.BigInteger),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    must("cases_until", sa.BigInteger),
    must("erased_at", UtcDateTime),
    sa.Index("ix_erasures_borrower", "borrower_id"),
    append_only=(("stream", "stream_seq"),),
)
table(
    "keys",
    key("purpose", sa.String(32)),
    must("fingerprint", sa.String(32)),
)
table(
    "logs",
    key("number", sa.Integer),
    must("origin", sa.String(255), unique=True),
    must("begun_at", UtcDateTime),
    append_only=(("number",), ("origin",)),
)
table(
    "leaves",
    key("log", sa.Integer),
    key("leaf_index", sa.BigInteger),
    must("entry", sa.BigInteger),
    must("leaf_hash", Bytes),
    sa.UniqueConstraint("log", "entry"),
    append_only=(("log", "leaf_index"), ("log", "entry")),
)
table(
    "tiles",
    key("log", sa.Integer),
    key("level", sa.Integer),
    key("number", sa.BigInteger),
    must("root", Bytes),
    must("hashes", Bytes),
    append_only=(("log", "level", "number"),),
)
table(
    "checkpoints",
    key("log", sa.Integer),
    key("size", sa.BigInteger),
    must("root", Bytes),
    must("note", Bytes),
    must("published_at", UtcDateTime),
    append_only=(("log", "size"),),
)
table(
    "cosignatures",
    key("log", sa.Integer),
    key("size", sa.BigInteger),
    key("witness", sa.String(255)),
    must("line", Bytes),
    must("cosigned_at", sa.BigInteger),
    must("received_at", UtcDateTime),
    append_only=(("log", "size", "witness"),),
)
# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "staff",
    key("staff_no", sa.String(32)),
    must("name", sa.String(64)),
    must("status", sa.String(16)),
    sa.Column("capacity", sa.Integer),
    sa.Column("joined_on", sa.Date),
    sa.Column("leaves_on", sa.Date),
    sa.Column("left_on", sa.Date),
    sa.Column("returned_on", sa.Date),
    sa.Column("merged_into", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("added_at", UtcDateTime),
    must("present", sa.Boolean, sa.Computed("status NOT IN ('left', 'merged')", persisted=True)),
    sa.UniqueConstraint("staff_no", "present"),
)
table(
    "regions",
    key("code", sa.String(64)),
    must("name", sa.String(64)),
)
table(
    "teams",
    key("code", sa.String(64)),
    must("name", sa.String(64)),
    sa.Column("region", sa.String(64), sa.ForeignKey("regions.code")),
)
table(
    "posts_held",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    key("post", sa.String(32)),
    key("from_on", sa.Date),
    sa.Column("until_on", sa.Date),
    must("granted_by", sa.String(64)),
    sa.Column("request_id", BigId),
)
table(
    "memberships",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    key("from_on", sa.Date),
    sa.Column("until_on", sa.Date),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
)
table(
    "certificates",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    key("kind", sa.String(32)),
    key("issued_on", sa.Date),
    sa.Column("expires_on", sa.Date),
)
table(
    "absences",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    key("from_on", sa.Date),
    must("until_on", sa.Date),
    must("reason", sa.String(32)),
    sa.Column("deputy", sa.String(32), sa.ForeignKey("staff.staff_no")),
    sa.Index("ix_absences_deputy", "deputy"),
)
table(
    "register_version",
    key("id", sa.Integer),
    must("version", sa.BigInteger),
)
table(
    "tokens",
    identity(),
    must("token_hash", Bytes, unique=True),
    must("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("kind", sa.String(16), server_default="key"),
    sa.Column("label", sa.String(64)),
    sa.Column("commands", sa.String(2000)),
    sa.Column("session_id", BigId),
    must("created_at", UtcDateTime),
    must("expires_at", UtcDateTime),
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    must("mac", Bytes),
    sa.Index("ix_tokens_session_id", "session_id"),
    sa.Index("ix_tokens_staff_no", "staff_no"),
)
# ── access ────────────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "passwords",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("password_hash", sa.String(255)),
    must("changed_at", UtcDateTime),
    must("by_code", sa.Boolean),
    must("mac", Bytes),
)
table(
    "reset_codes",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("code_hash", Bytes),
    must("expires_at", UtcDateTime),
    must("failures", sa.Integer),
    must("mac", Bytes),
)
table(
    "second_factors",
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("secret_sealed", Bytes),
    sa.Column("confirmed_at", UtcDateTime),
    must("last_step", sa.BigInteger),
    sa.Column("removal_asked_by", sa.String(32)),
    sa.Column("removal_asked_at", UtcDateTime),
    must("mac", Bytes),
)
table(
    "sessions",
    identity(),
    must("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("family_hash", Bytes, unique=True),
    must("refresh_hash", Bytes),
    must("second_factor", sa.Boolean),
    must("after_code", sa.Boolean),
    must("created_at", UtcDateTime),
    must("refreshed_at", UtcDateTime),
    must("expires_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    must("mac", Bytes),
    sa.Index("ix_sessions_staff_no", "staff_no"),
)
table(
    "log_in_failures",
    key("subject", sa.String(100)),
    must("failures", sa.Integer),
    must("first_at", UtcDateTime),
    sa.Column("locked_until", UtcDateTime),
    sa.Index("ix_log_in_failures_first_at", "first_at"),
)
table("calendar_days", key("day", sa.Date), must("is_worked", sa.Boolean))
table("outages", key("day", sa.Date), must("reason", sa.String(32)))
table(
    "shifts",
    key("day", sa.Date),
    key("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no")),
    must("shift", sa.String(32)),
    sa.Column("stand_in", sa.String(32), sa.ForeignKey("staff.staff_no")),
)
# ── cases ─────────────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "days_swept",
    key("institution", sa.String(32)),
    must("swept_on", sa.Date),
)
table(
    "institutions",
    key("institution", sa.String(32)),
    must("business_date", sa.Date),
)
table(
    "institutions_added",
    key("institution", sa.String(32)),
)
table(
    "cases",
    identity(),
    must("institution", sa.String(32)),
    must("loan_id", sa.String(64)),
    must("borrower_id", sa.String(64)),
    sa.Column("product", sa.String(32)),
    sa.Column("channel_code", sa.String(32)),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
    must("chart", sa.String(64)),
    must("state", sa.String(32)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("owner", sa.String(32)),
    must("handler", sa.String(32)),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(32)),
    must("opened_by", sa.String(64)),
    sa.Column("closed_as", sa.String(32)),
    sa.Column("ended_as", sa.String(32)),
    must("principal_at_opening_fen", sa.BigInteger),
    sa.Column("oldest_due_date", sa.Date),
    must("bucket", sa.String(8)),
    must("overdue_principal_fen", sa.BigInteger),
    must("overdue_interest_fen", sa.BigInteger),
    must("overdue_penalty_fen", sa.BigInteger),
    must("overdue_fen", sa.BigInteger),
    must("outstanding_principal_fen", sa.BigInteger),
    sa.Column("visit_due_on", sa.Date),
    must("facts", Bytes),
    must("last_entry_at", UtcDateTime),
    must("audit_seq", sa.BigInteger),
    must("audit_head", Bytes),
    sa.Column("kept", sa.Boolean, sa.Computed("CASE WHEN closed_as IS NULL THEN (1 = 1) END", persisted=True)),
    sa.ForeignKeyConstraint(["handler", "kept"], ["staff.staff_no", "staff.present"]),
    sa.ForeignKeyConstraint(["owner", "kept"], ["staff.staff_no", "staff.present"]),
    sa.Index("ix_cases_amount", "overdue_fen", "id"),
    sa.Index("ix_cases_borrower", "borrower_id"),
    sa.Index("ix_cases_bucket_due", "bucket", "oldest_due_date", "id"),
    sa.Index("ix_cases_due", "oldest_due_date", "id"),
    sa.Index("ix_cases_handler", "handler", "live", "id"),
    sa.Index("ix_cases_loan", "loan_id"),
    sa.Index("ix_cases_owner", "owner", "live", "id"),
    sa.Index("ix_cases_product", "product", "id"),
    sa.Index("ix_cases_product_amount", "product", "overdue_fen", "id"),
    sa.Index("ix_cases_product_due", "product", "oldest_due_date", "id"),
    sa.Index("ix_cases_region", "region", "id"),
    sa.Index("ix_cases_region_amount", "region", "overdue_fen", "id"),
    sa.Index("ix_cases_region_due", "region", "oldest_due_date", "id"),
    sa.Index("ix_cases_state", "state", "id"),
    sa.Index("ix_cases_state_amount", "state", "overdue_fen", "id"),
    sa.Index("ix_cases_state_due", "state", "oldest_due_date", "id"),
    *(
        index_where("visit_due_on IS NOT NULL", f"ix_cases_visit{of}", *of.split("_")[1:], "visit_due_on", "id")
        for of in ("", "_owner", "_handler", "_team", "_region")
    ),
    unique_where("live", "uq_cases_live_loan", "loan_id"),
    postgresql_with={"fillfactor": "80"},  # a fact changes what no index has: twenty of them need not be written
)
table(
    "promises",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("parent_id", sa.BigInteger),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("amount_fen", sa.BigInteger),
    must("pay_by", sa.Date),
    sa.Column("made_on", sa.Date),
    must("ref", sa.String(128)),
    sa.Column("staff_no", sa.String(128)),
    must("counted_fen", Bytes),
    sa.Column("because", sa.String(128)),
    sa.Column("judged_on", sa.Date),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_promises_borrower", "borrower_id", "id"),
    sa.Index("ix_promises_due", "due_on", "id"),
    sa.Index("ix_promises_loan", "loan_id", "id"),
    sa.Index("ix_promises_parent", "parent_id", "id"),
    sa.Index("uq_promises_ref", "ref", unique=True),
)
table(
    "callbacks",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("parent_id", sa.BigInteger),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("due_at", UtcDateTime),
    must("party", sa.String(128)),
    sa.Column("asked_by", sa.String(128)),
    sa.Column("contact_id", sa.BigInteger),
    sa.Column("contact", sa.String(128)),
    sa.Column("called_at", UtcDateTime),
    sa.Column("call_on", sa.Date),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_callbacks_borrower", "borrower_id", "id"),
    sa.Index("ix_callbacks_due", "due_on", "id"),
    sa.Index("ix_callbacks_loan", "loan_id", "id"),
    sa.Index("ix_callbacks_parent", "parent_id", "id"),
)
table(
    "remittances",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("parent_id", sa.BigInteger),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("paid_on", sa.Date),
    sa.Column("begins_at", UtcDateTime),
    sa.Column("begins_on", sa.Date),
    sa.Column("said_at", UtcDateTime),
    sa.Column("said_on", sa.Date),
    sa.Column("amount_fen", sa.BigInteger),
    sa.Column("payment", sa.String(128)),
    sa.Column("proof", sa.String(128)),
    sa.Column("proof_sha256", sa.String(128)),
    sa.Column("because", sa.String(128)),
    sa.Column("ended_on", sa.Date),
    sa.Column("due_on", sa.Date),
    must("ref", sa.String(128)),
    sa.Index("ix_remittances_borrower", "borrower_id", "id"),
    sa.Index("ix_remittances_due", "due_on", "id"),
    sa.Index("ix_remittances_loan", "loan_id", "id"),
    sa.Index("ix_remittances_parent", "parent_id", "id"),
)
table(
    "visits",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("parent_id", sa.BigInteger),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("address_kind", sa.String(128)),
    must("visit_on", sa.Date),
    sa.Column("contact_id", sa.BigInteger),
    sa.Column("area", sa.String(128)),
    sa.Column("stop", sa.BigInteger),
    must("risk_acknowledged", sa.Boolean),
    must("visitor", sa.String(128)),
    sa.Column("second_visitor", sa.String(128)),
    sa.Column("assisting_channel", sa.String(128)),
    sa.Column("assistant", sa.String(128)),
    sa.Column("entrustment", sa.String(128)),
    sa.Column("trained_on", sa.Date),
    sa.Column("checked_in_at", UtcDateTime),
    sa.Column("checked_out_at", UtcDateTime),
    sa.Column("reported_at", UtcDateTime),
    sa.Column("outcome", sa.String(128)),
    sa.Column("person_met", sa.String(128)),
    sa.Column("house", sa.String(128)),
    sa.Column("workplace", sa.String(128)),
    sa.Column("attitude", sa.String(128)),
    sa.Column("ability", sa.String(128)),
    sa.Column("next_step", sa.String(128)),
    sa.Column("address_risk", sa.String(128)),
    sa.Column("risk_by", sa.String(128)),
    sa.Column("risk_on", sa.Date),
    sa.Column("photo", sa.String(128)),
    must("stated", sa.Boolean),
    must("photos", Bytes),
    must("times_returned", sa.BigInteger),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_visits_borrower", "borrower_id", "id"),
    sa.Index("ix_visits_day", "visit_on", "visitor"),
    sa.Index("ix_visits_due", "due_on", "id"),
    sa.Index("ix_visits_loan", "loan_id", "id"),
    sa.Index("ix_visits_parent", "parent_id", "id"),
)
table(
    "visit_addresses",
    sa.Column("visit_id", BigId, primary_key=True, autoincrement=False),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    sa.Column("address_index", Bytes),
    sa.Index("ix_visit_addresses_address", "address_index"),
    sa.Index("ix_visit_addresses_borrower", "borrower_id"),
)
table(
    "photos",
    identity(),
    must("visit_id", sa.BigInteger),
    must("case_id", sa.BigInteger),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    must("photo", sa.String(71)),
    must("look", Bytes),
    must("shows", sa.String(32)),
    must("media_type", sa.String(32)),
    must("size_bytes", sa.BigInteger),
    must("width", sa.Integer),
    must("height", sa.Integer),
    must("taken_at", UtcDateTime),
    sa.Column("place_sealed", Bytes),
    must("sent_by", sa.String(32)),
    must("sent_at", UtcDateTime),
    must("stored_as", sa.String(64)),
    sa.Index("ix_photos_borrower", "borrower_id", "id"),
    sa.Index("ix_photos_visit", "visit_id", "id"),
    sa.Index("uq_photos_photo", "photo", unique=True),
)
table(
    "photo_bands",
    key("band", sa.SmallInteger),
    key("value", sa.Integer),
    key("photo_id", sa.BigInteger),
    sa.Index("ix_photo_bands_photo", "photo_id"),
)
table(
    "files_to_drop",
    key("stored_as", sa.String(64)),
    must("since", UtcDateTime),
)
table(
    "repairs",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("parent_id", sa.BigInteger),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("because", sa.String(128)),
    must("tried", Bytes),
    sa.Column("outcome", sa.String(128)),
    sa.Column("source", sa.String(128)),
    sa.Column("legal_basis", sa.String(128)),
    sa.Column("contact_id", sa.BigInteger),
    sa.Column("ended_on", sa.Date),
    sa.Column("good_until", sa.Date),
    sa.Index("ix_repairs_borrower", "borrower_id", "id"),
    sa.Index("ix_repairs_loan", "loan_id", "id"),
    sa.Index("ix_repairs_parent", "parent_id", "id"),
)
table(
    "holds",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("hold", sa.String(128)),
    must("begins_at", UtcDateTime),
    sa.Column("begins_on", sa.Date),
    sa.Column("ends_at", UtcDateTime),
    sa.Column("last_on", sa.Date),
    sa.Column("review_by", sa.Date),
    sa.Column("set_by", sa.String(128)),
    sa.Column("to_confirm_on", sa.Date),
    sa.Column("confirmed_on", sa.Date),
    sa.Column("confirm_missed_on", sa.Date),
    sa.Column("wish", sa.String(128)),
    sa.Column("papers", sa.String(128)),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_holds_borrower", "borrower_id", "id"),
    sa.Index("ix_holds_due", "due_on", "id"),
    sa.Index("ix_holds_loan", "loan_id", "id"),
)
table(
    "owner_history",
    key("case_id", BigId),
    key("stream_seq", sa.BigInteger),
    must("since_on", sa.Date),
    must("since_at", UtcDateTime),
    must("owner", sa.String(32)),
    must("handler", sa.String(32)),
    sa.Column("post", sa.String(32)),
    must("reason", sa.String(32)),
    sa.Column("rule", sa.String(32)),
    sa.Index("ix_owner_history_owner", "owner", "case_id"),
    append_only=(("case_id", "stream_seq"),),
)
table(
    "idempotency",
    key("actor_id", sa.String(64)),
    key("key", sa.String(128)),
    must("request_hash", Bytes),
    must("status", sa.Integer),
    must("answer", Bytes),
    must("created_at", UtcDateTime),
    must("mac", Bytes),
    sa.Index("ix_idempotency_created", "created_at"),
)
# ── feeds and what they bring ─────────────────────────────────────────────────────────────────────────────────────
table(
    "loans",
    key("loan_id", sa.String(64)),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    sa.Column("product", sa.String(32)),
    sa.Column("channel_code", sa.String(32)),
    sa.Column("owner_staff_no", sa.String(32)),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
    sa.Column("disbursed_on", sa.Date),
    sa.Column("self_payment", sa.Boolean),
    sa.Column("principal_fen", sa.BigInteger),
    sa.Column("outstanding_principal_fen", sa.BigInteger),
    sa.Column("risk_class", sa.String(32)),
    sa.Column("npl_since", sa.Date),
    sa.Column("status", sa.String(16)),
    must("row_hash", Bytes),
    sa.Column("omitted_on", sa.Date),
    must("mac", Bytes),
    sa.Index("ix_loans_borrower", "borrower_id"),
)
table(
    "borrowers",
    key("borrower_id", sa.String(64)),
    key("institution", sa.String(32)),
    sa.Column("name_sealed", Bytes),
    sa.Column("name_index", Bytes),
    sa.Column("id_number_sealed", Bytes),
    sa.Column("id_number_index", Bytes),
    must("mac", Bytes),
    sa.Index("ix_borrowers_id_number", "id_number_index"),
    sa.Index("ix_borrowers_name", "name_index"),
)
table(
    "contacts",
    identity(),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    must("role", sa.String(16)),
    sa.Column("relation", sa.String(32)),
    sa.Column("address_kind", sa.String(16)),
    sa.Column("source", sa.String(64)),
    sa.Column("legal_basis", sa.String(64)),
    sa.Column("name_sealed", Bytes),
    sa.Column("phone_sealed", Bytes),
    sa.Column("phone_index", Bytes),
    sa.Column("address_sealed", Bytes),
    must("row_hash", Bytes, unique=True),
    sa.Column("found_by", sa.String(64)),
    sa.Column("added_at", UtcDateTime),
    sa.Column("refused_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    must("mac", Bytes),
    sa.Index("ix_contacts_borrower", "borrower_id"),
    sa.Index("ix_contacts_phone", "phone_index"),
)
table(
    "contact_log",
    identity(),
    must("institution", sa.String(32)),
    must("source", sa.String(64)),
    must("contact_ref", sa.String(64)),
    must("loan_id", sa.String(64)),
    must("borrower_id", sa.String(64)),
    must("party", sa.String(16)),
    must("channel", sa.String(16)),
    must("started_at", UtcDateTime),
    must("result", sa.String(32)),
    must("outcome", sa.String(16)),
    must("recorded_at", UtcDateTime),
    must("purpose", sa.String(32)),
    sa.Column("staff_no", sa.String(32)),
    sa.Column("agency", sa.String(64)),
    sa.Column("number", Bytes),
    must("has_address", sa.Boolean),
    sa.Column("ended_at", UtcDateTime),
    must("recording", sa.Boolean),
    must("late", sa.Boolean),
    sa.Column("permit_id", BigId),
    sa.Column("line", sa.String(64)),
    sa.Column("seconds", sa.Integer),
    sa.Column("template", sa.String(64)),
    sa.Column("next_action", sa.String(16)),
    must("day", sa.Date),
    must("row_hash", Bytes),
    must("stream_seq", sa.BigInteger),
    must("mac", Bytes),
    sa.UniqueConstraint("contact_ref", "source"),
    sa.Index("ix_contact_log_borrower", "borrower_id", "day"),
    sa.Index("ix_contact_log_day", "day", "staff_no"),
    sa.Index("ix_contact_log_number", "number", "day"),
)
table(
    "duties",
    key("day", sa.Date),
    key("case_id", BigId),
    key("duty", sa.String(32)),
    must("loan_id", sa.String(64)),
    must("status", sa.String(8)),
    sa.Column("exempt_by", sa.String(16)),
    must("due_on", sa.Date),
    must("owed_by", sa.String(32)),
    must("institution", sa.String(32)),
    append_only=(("day", "case_id", "duty"),),
)
table(
    "tasks",
    key("day", sa.Date),
    key("edition", sa.Integer),
    key("id", BigId),
    must("list_of", sa.String(32)),
    must("rank", sa.Integer),
    must("task", sa.String(32)),
    must("why", sa.String(16)),
    must("owed_by", sa.String(32)),
    must("loan_id", sa.String(64)),
    sa.Column("case_id", BigId),
    must("ref", sa.String(128)),
    must("due_on", sa.Date),
    must("dpd", sa.Integer),
    must("overdue_fen", sa.BigInteger),
    sa.Index("ix_tasks_list", "day", "list_of", "rank"),
    sa.Index("ix_tasks_id", "id"),
    index_where("edition = 0", "ix_tasks_added_case", "case_id"),
    index_where("edition = 0", "ix_tasks_added_loan", "loan_id"),
    append_only=(("day", "edition", "id"),),
)
table(
    "task_lists",
    key("day", sa.Date),
    key("edition", sa.Integer),
    key("list_of", sa.String(32)),
    must("tasks", sa.BigInteger),
    must("held_back", sa.BigInteger),
    append_only=(("day", "edition", "list_of"),),
)
table(
    "task_days",
    key("day", sa.Date),
    key("edition", sa.Integer),
    must("made_at", UtcDateTime),
    must("tasks", sa.BigInteger),
    must("digest", Bytes),
    append_only=(("day", "edition"),),
)
table(
    "mornings",
    key("day", sa.Date),
    must("made_at", UtcDateTime),
    must("moves", sa.BigInteger),
    append_only=(("day",),),
)
table(
    "task_standing",
    key("task_id", BigId),
    must("day", sa.Date),
    sa.Column("list_of", sa.String(32)),
    sa.Column("until", sa.Date),
    sa.Column("held_by", sa.String(32)),
    sa.Column("held_on", sa.Date),
    sa.Column("done_on", sa.Date),
    sa.Index("ix_task_standing_list", "list_of", "day"),
)
table(
    "case_strategies",
    key("day", sa.Date),
    key("case_id", BigId),
    must("strategy", sa.String(32)),
    must("staff_no", sa.String(32)),
)
table(
    "tasks_taken",
    key("day", sa.Date),
    key("staff_no", sa.String(32)),
    must("edition", sa.Integer),
    must("taken_at", UtcDateTime),
    must("late", sa.Boolean),
    append_only=(("day", "staff_no"),),
)
table(
    "hand_ins",
    key("day", sa.Date),
    key("owed_by", sa.String(32)),
    key("part", sa.String(16)),
    must("handed_in_by", sa.String(64)),
    must("handed_in_at", UtcDateTime),
    must("is_late", sa.Boolean),
    *(must(name, sa.BigInteger) for name in ("due", "done", "late", "exempt", "open", "contacts")),
    must("digest", Bytes),
    must("content", Bytes),
    must("stream_seq", sa.BigInteger),
    append_only=(("day", "owed_by", "part"),),
)
table(
    "duty_days",
    key("institution", sa.String(32)),
    key("day", sa.Date),
    must("duties", sa.BigInteger),
    must("digest", Bytes),
    append_only=(("institution", "day"),),
)
table(
    "consents",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("from_hour", sa.BigInteger),
    must("until_hour", sa.BigInteger),
    must("begins_at", UtcDateTime),
    must("ends_at", UtcDateTime),
    must("evidence", sa.String(128)),
    sa.Column("last_on", sa.Date),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_consents_borrower", "borrower_id", "id"),
    sa.Index("ix_consents_loan", "loan_id", "id"),
    sa.Index("ix_consents_due", "due_on", "id"),
)
table(
    "risks",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("institution", sa.String(128)),
    must("borrower_id", sa.String(128)),
    must("loan_id", sa.String(128)),
    must("ground", sa.String(128)),
    must("noticed_on", sa.Date),
    sa.Column("lifted_on", sa.Date),
    sa.Index("ix_risks_borrower", "borrower_id", "id"),
    sa.Index("ix_risks_loan", "loan_id", "id"),
)
table(
    "contact_permits",
    identity(),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    must("loan_id", sa.String(64)),
    must("case_id", BigId),
    sa.Column("contact_id", BigId),
    must("actor_id", sa.String(64)),
    must("party", sa.String(16)),
    must("channel", sa.String(16)),
    must("purpose", sa.String(32)),
    sa.Column("number", Bytes),
    must("issued_at", UtcDateTime),
    sa.Column("dialling_at", UtcDateTime),
    must("holds_until", UtcDateTime),
    sa.Column("used_at", UtcDateTime),
    sa.Index("ix_contact_permits_borrower", "borrower_id", "holds_until"),
    sa.Index("ix_contact_permits_number", "number", "holds_until"),
)
table(
    "breach_reviews",
    identity(),
    must("institution", sa.String(32)),
    must("borrower_id", sa.String(64)),
    must("source", sa.String(64)),
    must("contact_ref", sa.String(64)),
    must("verdict", sa.String(16)),
    must("rules", sa.String(128)),
    must("actor_id", sa.String(64)),
    must("reviewed_at", UtcDateTime),
    must("stream_seq", sa.BigInteger),
    sa.Index("ix_breach_reviews_borrower", "borrower_id"),
    sa.Index("ix_breach_reviews_contact", "contact_ref", "source"),
)
table(
    "repayments",
    key("institution", sa.String(32)),
    key("payment_id", sa.String(64)),
    must("loan_id", sa.String(64)),
    must("paid_on", sa.Date),
    must("amount_fen", sa.BigInteger),
    sa.Column("reverses", sa.String(64)),
    must("run_id", BigId),
    must("mac", Bytes),
    sa.Index("ix_repayments_loan", "loan_id"),
)
table(
    "feed_runs",
    identity(),
    sa.Column("institution", sa.String(32)),
    sa.Column("as_of", sa.Date),
    must("status", sa.String(16)),
    must("correction", sa.Boolean),
    sa.Column("digest", sa.String(64)),
    must("actor_id", sa.String(64)),
    must("via", sa.String(16)),
    must("started_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("refusal", Bytes),
    sa.Column("files", Bytes),
    sa.Column("figures", Bytes),
    sa.Index("ix_feed_runs_as_of", "institution", "as_of"),
)
table(
    "snapshots",
    key("run_id", BigId, sa.ForeignKey("feed_runs.id")),
    must("rows", Bytes),
)
table(
    "set_aside",
    identity(),
    must("run_id", BigId, sa.ForeignKey("feed_runs.id")),
    must("kind", sa.String(16)),
    must("line", sa.BigInteger),
    sa.Column("column", sa.String(64)),
    must("code", sa.String(64)),
    must("row_sealed", Bytes),
    sa.Index("ix_set_aside_run", "run_id", "id"),
)
# ── four eyes ─────────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "requests",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("last_entry_at", UtcDateTime),
    must("audit_seq", sa.BigInteger),
    must("audit_head", Bytes),
    must("kind", sa.String(128)),
    must("subject", sa.String(128)),
    must("what", sa.String(128)),
    must("topic", sa.String(128)),
    sa.Column("asked_for", sa.String(128)),
    must("expires_on", sa.Date),
    must("pinned_version", sa.BigInteger),
    must("data_digest", sa.String(128)),
    sa.Column("reviewed_by", sa.String(128)),
    sa.Column("reviewed_for", sa.String(128)),
    sa.Column("decided_by", sa.String(128)),
    sa.Column("decided_for", sa.String(128)),
    sa.Column("carried_out", sa.String(128)),
    must("data_sealed", Bytes),
    sa.Column("sealed_for", sa.String(128)),
    sa.Column("due_on", sa.Date),
    sa.Index("ix_requests_due", "due_on", "id"),
    sa.Index("ix_requests_live", "live", "expires_on", "id"),
    sa.Index("ix_requests_opened_by", "opened_by", "id"),
    sa.Index("ix_requests_subject", "subject", "id"),
    unique_where("live", "uq_requests_live", "subject", "what"),
)
# ── hand-overs ────────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "handovers",
    identity(),
    must("chart", sa.String(128)),
    must("state", sa.String(128)),
    must("state_since", sa.Date),
    must("live", sa.Boolean),
    must("version", sa.BigInteger),
    must("opened_on", sa.Date),
    must("opened_for", sa.String(128)),
    must("opened_by", sa.String(128)),
    must("staff_no", sa.String(128), sa.ForeignKey("staff.staff_no")),
    must("effective_on", sa.Date),
    must("plan_digest", sa.String(128)),
    must("planned_by", sa.String(128)),
    must("planned_at", UtcDateTime),
    must("cases", sa.BigInteger),
    must("unplaced", sa.BigInteger),
    must("overdue_fen", sa.BigInteger),
    must("named", Bytes),
    sa.Column("team", sa.String(128)),
    sa.Column("region", sa.String(128)),
    sa.Column("request", sa.BigInteger),
    sa.Column("applied_at", UtcDateTime),
    sa.Column("replaced_by", sa.BigInteger),
    sa.Column("due_on", sa.Date),
    must("preview", Bytes),
    sa.Index("ix_handovers_due", "due_on", "id"),
    sa.Index("ix_handovers_staff_no", "staff_no", "id"),
    unique_where("live", "uq_handovers_live", "staff_no"),
)
table(
    "handover_moves",
    key("handover_id", BigId, sa.ForeignKey("handovers.id")),
    key("case_id", BigId),
    must("material_version", sa.BigInteger),
    must("was_owner", sa.Boolean),
    must("was_handler", sa.Boolean),
    sa.Column("receiver", sa.String(32)),
    sa.Column("handler", sa.String(32)),
    sa.Column("post", sa.String(32)),
    sa.Column("rule", sa.String(32)),
    must("reason", sa.String(32)),
    must("overdue_fen", sa.BigInteger),
    must("state", sa.String(32)),
    sa.Column("entry_id", sa.String(96)),
)
# ── heads of cases ────────────────────────────────────────────────────────────────────────────────────────────────
table(
    "case_heads",
    key("log", sa.Integer),
    key("statement", sa.BigInteger),
    key("number", sa.BigInteger),
    must("first_case", sa.BigInteger),
    must("records", Bytes),
    sa.UniqueConstraint("log", "statement", "first_case"),
)
table(
    "case_head_tiles",
    key("log", sa.Integer),
    key("statement", sa.BigInteger),
    key("level", sa.Integer),
    key("number", sa.BigInteger),
    must("hashes", Bytes),
)
# ── the search index ──────────────────────────────────────────────────────────────────────────────────────────────
table(
    "jobs",
    identity(),
    must("name", sa.String(128)),
    must("actor_id", sa.String(64)),
    must("state", sa.String(16)),
    must("began_at", UtcDateTime),
    must("beat_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    must("stage", sa.String(32)),
    must("done", sa.BigInteger),
    sa.Column("total", sa.BigInteger),
    must("about", Bytes),
    sa.Column("refusal", Bytes),
    sa.Column("outcome", Bytes),
    sa.Column("mend_sealed", Bytes),
    sa.Index("ix_jobs_name", "name", "id"),
    unique_where("state = 'running'", "uq_jobs_running", "name"),
)
table(
    "search_terms",
    identity(),
    must("kind", sa.String(16)),
    must("value", sa.String(96)),
    sa.UniqueConstraint("kind", "value"),
)
table(
    "search_postings",
    key("place", BigId),
    must("bits", Bytes),
    postgresql_with={"fillfactor": "80"},  # the last segment's are written again and again
)
table(
    "search_segments",
    key("segment", BigId),
    must("first_s", sa.BigInteger),
    must("last_s", sa.BigInteger),
    must("times", Bytes),
)
table(
    "search_state",
    key("id", sa.Integer),
    must("log", sa.Integer),
    must("indexed", sa.BigInteger),
    must("emptying", sa.Boolean),
)
