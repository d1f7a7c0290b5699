"""Tables to which rows can only be added: the guards inside the database, and whether they still stand.

docs/log.md §6. Guards stop accidents; what convicts is the log's own hashes (`casework.log`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.storage.database import metadata

_PG_FUNCTION = "casework_append_only"
_PG_BODY = (
    "BEGIN RAISE EXCEPTION USING MESSAGE = 'append_only: ' || TG_TABLE_NAME,"  # noqa: ISC003 - two texts, joined on purpose
    + " ERRCODE = 'restrict_violation'; END"
)
# pg_trigger.tgtype: ROW 1, BEFORE 2, DELETE 8, UPDATE 16, TRUNCATE 32
_PG_TYPES = {"change": 1 | 2 | 8 | 16, "truncate": 2 | 32}
UniqueKeys = Sequence[Sequence[str]]
"""Columns of each unique key of a table, the primary key included."""
APPEND_ONLY: Final[Mapping[str, UniqueKeys]] = {
    "checkpoints": (("log", "size"),),
    "cosignatures": (("log", "size", "witness"),),
    "duties": (("day", "case_id", "duty"),),
    "duty_days": (("institution", "day"),),
    "entries": (("id",), ("stream", "stream_seq")),
    "erasures": (("stream", "stream_seq"),),
    "hand_ins": (("day", "owed_by", "part"),),
    "leaves": (("log", "leaf_index"), ("log", "entry")),
    "logs": (("number",), ("origin",)),
    "mornings": (("day",),),
    "owner_history": (("case_id", "stream_seq"),),
    "task_days": (("day", "edition"),),
    "task_lists": (("day", "edition", "list_of"),),
    "tasks": (("day", "edition", "id"),),
    "tasks_taken": (("day", "staff_no"),),
    "texts": (("digest",), ("kind", "name")),
    "tiles": (("log", "level", "number"),),
}
"""All of them, here: whether their guards stand is asked by commands that import few of the tables."""


def append_only_ddl(dialect: str, table: str, unique_keys: UniqueKeys) -> list[str]:
    """Statements after which rows of `table` can only be added; `unique_keys` includes the primary key.

    For migrations. Never reword: `missing_guards` compares what a database holds with these very texts.
    """
    if dialect == "sqlite":
        return list(_sqlite_guards(table, unique_keys).values())
    change, truncate = (f"{table}_append_only_{kind}" for kind in _PG_TYPES)
    call = f"EXECUTE FUNCTION {_PG_FUNCTION}()"
    return [
        f"CREATE OR REPLACE FUNCTION {_PG_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $${_PG_BODY}$$",
        f"CREATE TRIGGER {change} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {call}",
        f"CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}",
        # ALWAYS: an ordinary trigger is bypassed under session_replication_role = replica.
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {change}",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {truncate}",
    ]


def drop_append_only_ddl(dialect: str, table: str) -> list[str]:
    """Statements that take the guards away again (a downgrade drops the table after them)."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in _sqlite_guards(table, [["id"]])]
    return [f"DROP TRIGGER IF EXISTS {table}_append_only_{kind} ON {table}" for kind in _PG_TYPES]


def _sqlite_guards(table: str, unique_keys: UniqueKeys) -> dict[str, str]:
    refuse = f"RAISE(ABORT, 'append_only: {table}')"
    same = (" AND ".join(f"{column} = NEW.{column}" for column in key) for key in unique_keys)
    held = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {match})" for match in same)
    guards = {
        f"{table}_append_only_update": f"BEFORE UPDATE ON {table} BEGIN SELECT {refuse}; END",
        f"{table}_append_only_delete": f"BEFORE DELETE ON {table} BEGIN SELECT {refuse}; END",
        # INSERT OR REPLACE deletes the old row without asking the other two.
        f"{table}_append_only_insert": f"BEFORE INSERT ON {table} BEGIN SELECT {refuse} WHERE {held}; END",
    }
    return {name: f"CREATE TRIGGER {name} {body}" for name, body in guards.items()}


def missing_guards(conn: Connection, tables: Mapping[str, UniqueKeys] | None = None) -> list[str]:
    """Names of the append-only guards that are absent, altered or not enabled; empty when all stand."""
    wanted = APPEND_ONLY if tables is None else tables
    if conn.dialect.name == "sqlite":
        triggers = conn.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        held = {row[0]: row[1] for row in triggers}
        texts = {name: sql for table, keys in wanted.items() for name, sql in _sqlite_guards(table, keys).items()}
        faults = [name for name, sql in texts.items() if held.get(name) != sql]
        if not conn.exec_driver_sql("PRAGMA recursive_triggers").scalar():
            faults.append("recursive_triggers")
        return faults
    found = conn.execute(
        sa.text(
            "SELECT t.tgname, c.relname, t.tgtype, t.tgenabled, t.tgqual IS NULL, p.proname, p.prosrc"
            " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid)"
        )
    ).all()
    standing = {
        (str(row[0]), str(row[1]), int(row[2]))
        for row in found
        if _text(row[3]) == "A" and row[4] and row[5] == _PG_FUNCTION and row[6] == _PG_BODY
    }
    return [
        f"{table}_append_only_{kind}"
        for table in wanted
        for kind, bits in _PG_TYPES.items()
        if (f"{table}_append_only_{kind}", table, bits) not in standing
    ]


class Foreign(NamedTuple):
    """Something on a table that this service never puts there: `kind` is trigger, rule, policy, child or view."""

    table: str
    kind: str
    name: str


def foreign_parts(conn: Connection, tables: Mapping[str, UniqueKeys] | None = None) -> list[Foreign]:
    """What could change, hide or add rows behind the service's back; `tables`: all, with the keys of append-only ones.

    Other objects of the database are nobody's business here.
    """
    guarded = APPEND_ONLY if tables is None else tables
    names = sorted({*guarded, *metadata.tables} if tables is None else guarded)
    if conn.dialect.name == "sqlite":
        own = {name for table, keys in guarded.items() for name in _sqlite_guards(table, keys)}
        held = conn.exec_driver_sql("SELECT lower(tbl_name), type, name FROM sqlite_master WHERE type <> 'index'").all()
        parts = [Foreign(table, kind, name) for table, kind, name in held if table in names and kind != "table"]
    else:
        own = {f"{table}_append_only_{kind}" for table in guarded for kind in _PG_TYPES}
        parts = [Foreign(*map(_text, row)) for row in conn.execute(_PG_FOREIGN, {"names": names})]
    return sorted(part for part in parts if part.kind != "trigger" or part.name not in own)


# One column of tables' oids, then what stands on them. A table has no rule of its own; a view is one.
_PG_FOREIGN = sa.text(
    "WITH ours AS (SELECT oid, relname, relkind, relrowsecurity FROM pg_class"
    "  WHERE relname = ANY(:names) AND pg_table_is_visible(oid))"
    " SELECT relname, 'trigger', tgname FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal"
    " UNION ALL SELECT relname, 'rule', rulename FROM ours JOIN pg_rewrite ON ev_class = ours.oid"
    "  WHERE relkind = 'r'"
    " UNION ALL SELECT relname, 'policy', coalesce(polname, '') FROM ours LEFT JOIN pg_policy ON polrelid = ours.oid"
    "  WHERE relrowsecurity OR polname IS NOT NULL"
    " UNION ALL SELECT ours.relname, 'child', child.relname FROM ours JOIN pg_inherits ON inhparent = ours.oid"
    "  JOIN pg_class child ON child.oid = inhrelid"
    " UNION ALL SELECT relname, 'view', relname FROM ours WHERE relkind <> 'r'"
)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)  # psycopg gives "char" as bytes


def has_owner_rights(conn: Connection, table: str = "entries") -> bool:
    """Whether the PostgreSQL role could undo the log: superuser, its owner's member, or allowed to change it.

    False on SQLite, where whoever opens the file owns it, and where `table` does not exist.
    """
    if conn.dialect.name == "sqlite":
        return False
    row = conn.execute(
        sa.text(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
            " OR coalesce((SELECT pg_has_role(current_user, c.relowner, 'MEMBER')"
            "   OR has_any_column_privilege(c.oid, 'UPDATE')"
            "   OR has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER')"
            "   FROM pg_class c WHERE c.oid = to_regclass(:table)), false)"
        ),
        {"table": table},
    )
    return bool(row.scalar_one())
