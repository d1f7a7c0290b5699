"""PostgreSQL's dialect and its driver, imported where PostgreSQL is asked: on SQLite a command does without them."""

from functools import cache
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import Dialect


@cache
def dialect() -> Dialect:
    """What statements are compiled for that go to the driver itself."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg  # noqa: PLC0415 (see above)

    return PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def send_together(conn: Connection) -> None:
    """In the pipeline that is begun next, statements go when an answer is wanted, or at the end."""
    from casework.storage.sent_together import SentTogether  # noqa: PLC0415 (see above)

    SentTogether.begin(conn.connection.dbapi_connection)  # type: ignore[arg-type]  # the driver's own


def naming_cursor(conn: Connection) -> Any:
    """A cursor of the driver whose rows are named tuples."""
    from psycopg.rows import namedtuple_row  # noqa: PLC0415 (see above)

    raw: Any = conn.connection.dbapi_connection  # open inside a transaction
    return raw.cursor(row_factory=namedtuple_row)
