"""Which schema a database has, and which one this code needs; `casework.storage.migrate` walks from one to the other.

Apart from it, since every command looks and few walk: what walks takes longer to import than most commands to run.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy.engine import Connection

NEWEST: Final = "0004"
"""The revision that this code needs: the last in `migrations/versions`."""


def revision(conn: Connection) -> str | None:
    """The revision the database is at, or None where nothing was ever migrated."""
    if conn.exec_driver_sql(_WALKED[conn.dialect.name]).scalar() is None:
        return None
    found: str | None = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return found


_WALKED = {  # an inspector's own query takes longer to put together than all others of a short command
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    "postgresql": "SELECT to_regclass('alembic_version')",
}
_COLUMNS = {
    "sqlite": "SELECT t.name, c.name FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'",
    "postgresql": "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0",
}


def lacking(conn: Connection, needed: Mapping[str, Collection[str]]) -> list[str]:
    """Columns of those that this version of the service needs and the database has not, as `table.column`.

    A revision that was never released is changed in place: a database made before has its number, and another schema.
    """
    held = {tuple(row) for row in conn.exec_driver_sql(_COLUMNS[conn.dialect.name])}
    return sorted(
        f"{table}.{column}" for table, columns in needed.items() for column in columns if (table, column) not in held
    )
