"""People: dated posts and memberships, identity, four eyes, hand-overs; every open case has somebody who is there."""

import sqlalchemy as sa
from alembic import op

from casework.append_only import append_only_ddl, drop_append_only_ddl
from casework.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEPT = "CASE WHEN closed_as IS NULL THEN (1 = 1) END"


def upgrade() -> None:  # noqa: PLR0915  # a list of tables; cut in two it would be no clearer
    """People."""
    op.create_table(
        "log_in_failures",
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_log_in_failures")),
    )
    op.create_index("ix_log_in_failures_first_at", "log_in_failures", ["first_at"], unique=False)
    op.create_table(
        "owner_history",
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("stream_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("since_at", UtcDateTime(), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("handler", sa.String(length=32), nullable=False),
        sa.Column("post", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "stream_seq", name=op.f("pk_owner_history")),
    )
    op.create_index("ix_owner_history_owner", "owner_history", ["owner", "case_id"], unique=False)
    op.create_table(
        "regions",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_regions")),
    )
    op.create_table(
        "register_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_version")),
    )
    op.create_table(
        "requests",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_for", sa.String(length=32), nullable=True),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("reviewed_by", sa.String(length=64), nullable=True),
        sa.Column("reviewed_for", sa.String(length=32), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_for", sa.String(length=32), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("pinned_version", sa.BigInteger(), nullable=False),
        sa.Column("carried_out", sa.String(length=96), nullable=True),
        sa.Column("data_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("data_digest", sa.String(length=64), nullable=False),
        sa.Column("last_entry_at", UtcDateTime(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_asked_by", "requests", ["asked_by", "id"], unique=False)
    op.create_index("ix_requests_open", "requests", ["open", "expires_on", "id"], unique=False)
    op.create_index("ix_requests_subject", "requests", ["subject", "id"], unique=False)
    op.create_index(
        "uq_requests_open",
        "requests",
        ["subject", "what"],
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.create_table(
        "absences",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("deputy", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["deputy"], ["staff.staff_no"], name=op.f("fk_absences_deputy")),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_absences_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", "from_on", name=op.f("pk_absences")),
    )
    op.create_index("ix_absences_deputy", "absences", ["deputy"], unique=False)
    op.create_table(
        "certificates",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_certificates_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", "kind", "issued_on", name=op.f("pk_certificates")),
    )
    op.create_table(
        "handovers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("plan_digest", sa.String(length=64), nullable=False),
        sa.Column("options", sa.LargeBinary(), nullable=False),
        sa.Column("preview", sa.LargeBinary(), nullable=False),
        sa.Column("planned_by", sa.String(length=64), nullable=False),
        sa.Column("planned_at", UtcDateTime(), nullable=False),
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.Column("replaced_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_handovers_staff_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handovers")),
    )
    op.create_index("ix_handovers_staff_no", "handovers", ["staff_no", "id"], unique=False)
    op.create_index(
        "uq_handovers_open",
        "handovers",
        ["staff_no"],
        unique=True,
        sqlite_where=sa.text("status IN ('planned', 'approved')"),
        postgresql_where=sa.text("status IN ('planned', 'approved')"),
    )
    op.create_table(
        "memberships",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("team", sa.String(length=32), nullable=True),
        sa.Column("region", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_memberships_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", "from_on", name=op.f("pk_memberships")),
    )
    op.create_table(
        "passwords",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_passwords_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", name=op.f("pk_passwords")),
    )
    op.create_table(
        "posts_held",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("post", sa.String(length=32), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("granted_by", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_posts_held_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", "post", "from_on", name=op.f("pk_posts_held")),
    )
    op.create_table(
        "reset_codes",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_reset_codes_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", name=op.f("pk_reset_codes")),
    )
    op.create_table(
        "second_factors",
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_second_factors_staff_no")),
        sa.PrimaryKeyConstraint("staff_no", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "sessions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("staff_no", sa.String(length=32), nullable=False),
        sa.Column("family_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("refreshed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"], name=op.f("fk_sessions_staff_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("family_hash", name=op.f("uq_sessions_family_hash")),
    )
    op.create_index("ix_sessions_staff_no", "sessions", ["staff_no"], unique=False)
    op.create_table(
        "teams",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_teams_region")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_teams")),
    )
    op.create_table(
        "handover_moves",
        sa.Column("handover_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("material_version", sa.BigInteger(), nullable=False),
        sa.Column("was_owner", sa.Boolean(), nullable=False),
        sa.Column("was_handler", sa.Boolean(), nullable=False),
        sa.Column("receiver", sa.String(length=32), nullable=True),
        sa.Column("handler", sa.String(length=32), nullable=True),
        sa.Column("post", sa.String(length=32), nullable=True),
        sa.Column("rule", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("overdue_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("entry_id", sa.String(length=96), nullable=True),
        sa.ForeignKeyConstraint(["handover_id"], ["handovers.id"], name=op.f("fk_handover_moves_handover_id")),
        sa.PrimaryKeyConstraint("handover_id", "case_id", name=op.f("pk_handover_moves")),
    )
    _carry_over()
    with op.batch_alter_table("staff") as staff:
        staff.add_column(sa.Column("capacity", sa.Integer(), nullable=True))
        staff.add_column(sa.Column("joined_on", sa.Date(), nullable=True))
        staff.add_column(sa.Column("leaves_on", sa.Date(), nullable=True))
        staff.add_column(sa.Column("left_on", sa.Date(), nullable=True))
        staff.add_column(sa.Column("returned_on", sa.Date(), nullable=True))
        staff.add_column(sa.Column("merged_into", sa.String(length=32), nullable=True))
        staff.add_column(
            sa.Column(
                "present", sa.Boolean(), sa.Computed("status NOT IN ('left', 'merged')", persisted=True), nullable=False
            )
        )
        staff.create_unique_constraint(op.f("uq_staff_staff_no_present"), ["staff_no", "present"])
        staff.create_foreign_key(op.f("fk_staff_merged_into"), "staff", ["merged_into"], ["staff_no"])
        staff.drop_column("team")
        staff.drop_column("posts")
        staff.drop_column("region")
    with op.batch_alter_table("cases") as cases:
        cases.add_column(sa.Column("kept", sa.Boolean(), sa.Computed(KEPT, persisted=True), nullable=True))
        cases.drop_constraint(op.f("fk_cases_owner"), type_="foreignkey")
        cases.drop_constraint(op.f("fk_cases_handler"), type_="foreignkey")
        for who in ("owner", "handler"):
            cases.create_foreign_key(op.f(f"fk_cases_{who}_kept"), "staff", [who, "kept"], ["staff_no", "present"])
    for place in ("region", "product"):
        for order, column in (("", []), ("_due", ["oldest_due_date"]), ("_amount", ["overdue_fen"])):
            op.create_index(f"ix_cases_{place}{order}", "cases", [place, *column, "id"], unique=False)
    op.add_column("tokens", sa.Column("kind", sa.String(length=16), server_default="key", nullable=False))
    op.add_column("tokens", sa.Column("label", sa.String(length=64), nullable=True))
    op.add_column("tokens", sa.Column("commands", sa.String(length=2000), nullable=True))
    op.add_column(
        "tokens", sa.Column("session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column("tokens", sa.Column("last_used_at", UtcDateTime(), nullable=True))
    op.create_index("ix_tokens_session_id", "tokens", ["session_id"], unique=False)
    op.create_index("ix_tokens_staff_no", "tokens", ["staff_no"], unique=False)
    for statement in append_only_ddl(op.get_bind().dialect.name, "owner_history", (("case_id", "stream_seq"),)):
        op.execute(statement)


def downgrade() -> None:  # noqa: PLR0915  # the same list backwards
    """Undo it."""
    op.drop_index("ix_tokens_staff_no", table_name="tokens")
    op.drop_index("ix_tokens_session_id", table_name="tokens")
    op.drop_column("tokens", "last_used_at")
    op.drop_column("tokens", "session_id")
    op.drop_column("tokens", "commands")
    op.drop_column("tokens", "label")
    op.drop_column("tokens", "kind")
    for place in ("region", "product"):
        for order in ("", "_due", "_amount"):
            op.drop_index(f"ix_cases_{place}{order}", table_name="cases")
    with op.batch_alter_table("cases") as cases:
        cases.drop_constraint(op.f("fk_cases_owner_kept"), type_="foreignkey")
        cases.drop_constraint(op.f("fk_cases_handler_kept"), type_="foreignkey")
        cases.drop_column("kept")
        cases.create_foreign_key(op.f("fk_cases_owner"), "staff", ["owner"], ["staff_no"])
        cases.create_foreign_key(op.f("fk_cases_handler"), "staff", ["handler"], ["staff_no"])
    with op.batch_alter_table("staff") as staff:
        staff.add_column(sa.Column("region", sa.String(length=32), nullable=True))
        staff.add_column(sa.Column("posts", sa.String(length=400), nullable=False, server_default=""))
        staff.add_column(sa.Column("team", sa.String(length=32), nullable=True))
        staff.drop_constraint(op.f("fk_staff_merged_into"), type_="foreignkey")
        staff.drop_constraint(op.f("uq_staff_staff_no_present"), type_="unique")
        staff.drop_column("present")
        staff.drop_column("merged_into")
        staff.drop_column("returned_on")
        staff.drop_column("left_on")
        staff.drop_column("leaves_on")
        staff.drop_column("joined_on")
        staff.drop_column("capacity")
    _carry_back()
    with op.batch_alter_table("staff") as staff:
        staff.alter_column("posts", server_default=None)
    op.drop_table("handover_moves")
    op.drop_table("teams")
    op.drop_index("ix_sessions_staff_no", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("second_factors")
    op.drop_table("reset_codes")
    op.drop_table("posts_held")
    op.drop_table("passwords")
    op.drop_table("memberships")
    op.drop_index(
        "uq_handovers_open",
        table_name="handovers",
        sqlite_where=sa.text("status IN ('planned', 'approved')"),
        postgresql_where=sa.text("status IN ('planned', 'approved')"),
    )
    op.drop_index("ix_handovers_staff_no", table_name="handovers")
    op.drop_table("handovers")
    op.drop_table("certificates")
    op.drop_index("ix_absences_deputy", table_name="absences")
    op.drop_table("absences")
    op.drop_index(
        "uq_requests_open", table_name="requests", sqlite_where=sa.text("open"), postgresql_where=sa.text("open")
    )
    op.drop_index("ix_requests_subject", table_name="requests")
    op.drop_index("ix_requests_open", table_name="requests")
    op.drop_index("ix_requests_asked_by", table_name="requests")
    op.drop_table("requests")
    op.drop_table("register_version")
    op.drop_table("regions")
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, "owner_history"):
        op.execute(statement)
    op.drop_index("ix_owner_history_owner", table_name="owner_history")
    op.drop_table("owner_history")
    op.drop_index("ix_log_in_failures_first_at", table_name="log_in_failures")
    op.drop_table("log_in_failures")


def _carry_over() -> None:
    """Posts and memberships held until now count from the day on which they were registered."""
    conn = op.get_bind()
    conn.execute(sa.text("INSERT INTO register_version (id, version) VALUES (1, 1)"))
    day = "substr(added_at, 1, 10)" if conn.dialect.name == "sqlite" else "CAST(added_at AS date)"
    conn.execute(
        sa.text(
            "INSERT INTO memberships (staff_no, from_on, team, region)"  # noqa: S608 - the day is one of two texts above
            f" SELECT staff_no, {day}, team, region FROM staff WHERE team IS NOT NULL OR region IS NOT NULL"
        )
    )
    held = conn.execute(sa.text(f"SELECT staff_no, posts, {day} AS day FROM staff WHERE posts <> ''")).all()  # noqa: S608 - the same
    for row in held:
        for post in row.posts.split():
            conn.execute(
                sa.text(
                    "INSERT INTO posts_held (staff_no, post, from_on, granted_by)"
                    " VALUES (:staff_no, :post, :day, 'system')"
                ),
                {"staff_no": row.staff_no, "post": post, "day": row.day},
            )
    # Until now a case kept the owner it was opened with.
    conn.execute(
        sa.text(
            "INSERT INTO owner_history (case_id, stream_seq, since_on, since_at, owner, handler, reason)"
            " SELECT c.id, 1, c.opened_on, e.recorded_at, c.owner, c.handler, 'before'"
            " FROM cases c JOIN entries e ON e.stream = 'case:' || c.id AND e.stream_seq = 1"
        )
    )


def _carry_back() -> None:
    """The posts and the membership that are in force without end; what is dated otherwise is lost on the way down."""
    conn = op.get_bind()
    joined = "group_concat(post, ' ')" if conn.dialect.name == "sqlite" else "string_agg(post, ' ')"
    ordered = "(SELECT staff_no, post FROM posts_held WHERE until_on IS NULL ORDER BY staff_no, post)"
    conn.execute(
        sa.text(
            f"UPDATE staff SET posts = coalesce((SELECT {joined} FROM {ordered} AS held"  # noqa: S608 - texts above
            " WHERE held.staff_no = staff.staff_no), '')"
        )
    )
    for column in ("team", "region"):
        conn.execute(
            sa.text(
                f"UPDATE staff SET {column} = (SELECT max({column}) FROM memberships AS m"  # noqa: S608 - one of two names
                " WHERE m.staff_no = staff.staff_no AND m.until_on IS NULL)"
            )
        )
