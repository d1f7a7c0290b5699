"""Indexes put in behind the rows: SQLite sorts many first rows once, for a fraction of what they cost one by one."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

MANY: Final = 2_000
"""Rows from which on it is worth it: the schema changes by it, which every connection reads again."""
_SQL: Final = sa.text(
    "SELECT made.name, made.sql FROM sqlite_master AS made JOIN pragma_index_list(made.tbl_name) AS listed USING (name)"
    " WHERE made.tbl_name = :table AND listed.origin = 'c' AND NOT listed.\"unique\""
    " AND (SELECT name FROM pragma_index_info(made.name) WHERE seqno = 0) NOT IN :asked ORDER BY made.rowid"
).bindparams(sa.bindparam("asked", expanding=True))


@contextmanager
def indexes_behind(
    conn: Connection, *tables: sa.Table, rows: int, asked: Collection[str] = ()
) -> Iterator[None]:  # fmt: skip
    """Put rows inside into `tables` without their indexes, which are made again at the end, in the same transaction.

    Only on SQLite, for many `rows`, and of tables that are empty. What keeps rows apart stays, and so does an index
    that begins with a column that is `asked` for inside. On PostgreSQL the service owns no table. An error leaves the
    making out: whoever catches it rolls back.
    """
    made = list[str]()
    if conn.dialect.name == "sqlite" and rows >= MANY:
        for table in tables:
            if conn.execute(sa.select(~sa.exists().select_from(table))).scalar_one():
                for name, sql in conn.execute(_SQL, {"table": table.name, "asked": list(asked)}).all():
                    conn.exec_driver_sql(f'DROP INDEX "{name}"')
                    made.append(sql)
    yield
    for sql in made:
        conn.exec_driver_sql(sql)
