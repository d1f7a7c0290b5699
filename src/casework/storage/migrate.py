"""The schema's one history, walked up and down on both databases.

On PostgreSQL it runs with the owner's URL; the app role then gets what the service needs, and on append-only
tables SELECT and INSERT only.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection

from casework.address import parse_url
from casework.errors import CallerError
from casework.settings import Settings, shipped
from casework.storage.append_only import APPEND_ONLY, UniqueKeys
from casework.storage.database import open_engine
from casework.storage.driver_errors import translate


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration without a file; `connection` is the one env.py works on."""
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(settings: Settings) -> None:
    """Bring the database up to the newest revision, all or nothing; grants the app role; creates a SQLite file."""
    _walk(settings, "head", up=True)


def downgrade(settings: Settings, revision: str) -> None:
    """Bring the database down to `revision` ("base" takes everything away).

    CallerError `unknown_revision` for one that is not there, or that does not lie below the present schema.
    """
    if revision != "base" and revision not in known_revisions():
        raise CallerError("unknown_revision", f"没有结构版本 {revision}", f"there is no revision {revision}")
    try:
        _walk(settings, revision, up=False)
    except CommandError as error:
        raise CallerError(
            "unknown_revision", f"当前结构不能降至 {revision}", f"the schema is not above {revision}"
        ) from error


def _walk(settings: Settings, revision: str, *, up: bool) -> None:
    engine = open_engine(settings.database_owner_url or settings.database_url, create=up)
    try:
        with engine.connect() as conn, _references_unasked(conn), conn.begin():
            if conn.dialect.name == "postgresql":
                conn.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('casework/storage/migrate'))"))
            (command.upgrade if up else command.downgrade)(configuration(conn), revision)
            _check_references(conn)
            app_role = _app_role(settings)
            if app_role is not None:
                grant(conn, app_role)
    except sa.exc.OperationalError as exc:
        failure = translate(exc)
        if failure is None:
            raise
        raise failure from exc
    finally:
        engine.dispose()


@contextmanager
def _references_unasked(conn: Connection) -> Iterator[None]:
    """SQLite alters a table by making it anew; dropping the old one would count as deleting what others point at.

    It listens only outside a transaction; `_check_references` asks before the commit.
    """
    if conn.dialect.name != "sqlite":
        yield
        return
    raw = conn.connection.cursor()
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _check_references(conn: Connection) -> None:
    if conn.dialect.name == "sqlite" and (broken := conn.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise RuntimeError(f"the migration left references that lead nowhere: {broken[:5]}")


def _app_role(settings: Settings) -> str | None:
    """The role of the service where migrations run as another one."""
    if settings.database_owner_url is None:
        return None
    app, owner = parse_url(settings.database_url), parse_url(settings.database_owner_url)
    if app.get_backend_name() == "sqlite" or app.username == owner.username:
        return None
    return app.username


def grant(conn: Connection, app_role: str, append_only: Mapping[str, UniqueKeys] | None = None) -> None:
    """Give the app role what the service needs and take the rest; may be repeated."""
    role = conn.dialect.identifier_preparer.quote(app_role)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ):
        conn.exec_driver_sql(statement)
    held = set(sa.inspect(conn).get_table_names())
    for table in {*(APPEND_ONLY if append_only is None else append_only), "alembic_version"} & held:
        conn.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")
        rights = "SELECT" if table == "alembic_version" else "SELECT, INSERT"
        conn.exec_driver_sql(f"GRANT {rights} ON {table} TO {role}")


@cache
def head() -> str | None:
    """The newest revision this version of the service knows; its scripts do not change while it runs."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def known_revisions() -> frozenset[str]:
    """Every revision that this version of the service knows."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions())


def scripts() -> Path:
    """Where the revisions lie."""
    return shipped("migrations")
