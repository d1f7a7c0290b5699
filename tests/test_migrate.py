"""One history of the schema, up and down, on every database."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from casework import migrate
from casework.append_only import append_only_tables, missing_guards
from casework.database import metadata, open_engine, reading, writing
from casework.settings import Settings
from tests.conftest import Database
from tests.postgres_server import APP

pytestmark = pytest.mark.every_postgres


def _settings(database: Database) -> Settings:
    return Settings(database_url=database.url, database_owner_url=database.owner_url)


def _tables(database: Database) -> set[str]:
    engine = open_engine(database.owner_url)
    with reading(engine) as conn:
        found = set(sa.inspect(conn).get_table_names())
    engine.dispose()
    return found - {"alembic_version"}


def test_the_history_goes_up_and_down_and_up_again(empty_database: Database) -> None:
    settings = _settings(empty_database)
    migrate.upgrade(settings)
    assert _tables(empty_database) == set(metadata.tables)
    migrate.downgrade(settings, "base")
    assert _tables(empty_database) == set()
    migrate.upgrade(settings)
    migrate.upgrade(settings)
    assert _tables(empty_database) == set(metadata.tables)


def test_the_migrated_schema_is_the_one_the_code_declares(database: Database) -> None:
    engine = open_engine(database.owner_url)
    with engine.connect() as conn, conn.begin():
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata) == []
        assert migrate.revision(conn) == migrate.head()
    engine.dispose()


def test_a_fresh_database_has_all_its_guards(database: Database) -> None:
    engine = open_engine(database.url)
    with reading(engine) as conn:
        assert missing_guards(conn) == []
    engine.dispose()
    assert set(append_only_tables()) == {
        "checkpoints", "cosignatures", "entries", "erasures", "leaves", "logs", "owner_history", "texts", "tiles",
    }  # fmt: skip


@pytest.mark.only("postgresql")
def test_the_app_role_gets_what_it_needs_and_no_more(database: Database) -> None:
    wanted = {
        table: {"SELECT", "INSERT"} if table in append_only_tables() else {"SELECT", "INSERT", "UPDATE", "DELETE"}
        for table in metadata.tables
    } | {"alembic_version": {"SELECT"}}
    engine = open_engine(database.owner_url)
    with reading(engine) as conn:
        granted = conn.execute(
            sa.text("SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = :app"),
            {"app": APP},
        ).all()
    engine.dispose()
    held: dict[str, set[str]] = {}
    for table, privilege in granted:
        held.setdefault(table, set()).add(privilege)
    assert held == wanted


def test_a_failing_upgrade_leaves_nothing_behind(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(migrate, "grant", fail)
    monkeypatch.setattr(migrate, "_app_role", lambda _: APP)
    with pytest.raises(RuntimeError):
        migrate.upgrade(_settings(empty_database))
    assert _tables(empty_database) == set()


def test_what_was_written_before_a_repeated_upgrade_stays(database: Database) -> None:
    engine = open_engine(database.url)
    with writing(engine) as conn:
        conn.exec_driver_sql("INSERT INTO keys (purpose, fingerprint) VALUES ('mac', 'ab')")
    migrate.upgrade(_settings(database))
    with reading(engine) as conn:
        assert conn.exec_driver_sql("SELECT fingerprint FROM keys").scalar() == "ab"
    engine.dispose()
