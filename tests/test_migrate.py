"""One history of the schema, up and down, on every database."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from casework.errors import CallerError
from casework.operation.startup import check_schema, upgrade
from casework.oversight.privacy.columns import ALL
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage import (
    jobs,  # noqa: F401  # its table is none of those that are imported by name
    migrate,
    schema,
)
from casework.storage.append_only import APPEND_ONLY, missing_guards
from casework.storage.database import (
    metadata,
    open_engine,
    reading,
    with_conditions,
    writing,
)
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
        assert (
            compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), with_conditions(metadata))
            == []
        )
        assert schema.revision(conn) == migrate.head() == schema.NEWEST
    engine.dispose()


def test_the_indexes_of_some_rows_are_the_ones_the_code_declares(database: Database) -> None:
    """Alembic compares no conditions."""
    engine = open_engine(database.owner_url)
    option = f"{engine.dialect.name}_where"
    with engine.connect() as conn:
        asked = sa.inspect(conn)
        found = {
            index["name"]
            for table in metadata.tables
            for index in asked.get_indexes(table)
            if option in index.get("dialect_options", {})
        }
    engine.dispose()
    declared = {
        index.name
        for table in with_conditions(metadata).tables.values()
        for index in table.indexes
        if index.dialect_kwargs.get(option) is not None
    }
    assert declared
    assert found == declared


def test_an_upgraded_database_has_the_very_indexes_that_the_code_declares(
    database: Database, empty_database: Database
) -> None:
    """Their columns and conditions as the database itself tells them: alembic compares no conditions."""
    settings = _settings(database)
    migrate.downgrade(settings, "0001")
    migrate.upgrade(settings)
    declared = open_engine(empty_database.owner_url, create=True)
    with declared.connect() as conn, conn.begin():
        with_conditions(metadata).create_all(conn)
    upgraded = open_engine(database.owner_url)
    found, wanted = _indexes(upgraded), _indexes(declared)
    for engine in (upgraded, declared):
        engine.dispose()
    assert len(found) > 100
    assert found == wanted


def _indexes(engine: sa.Engine) -> dict[str, str]:
    told = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename <> 'alembic_version'",
    }  # fmt: skip
    with reading(engine) as conn:
        return {row[0]: row[1] for row in conn.exec_driver_sql(told[engine.dialect.name])}


def test_a_fresh_database_has_all_its_guards(database: Database) -> None:
    engine = open_engine(database.url)
    with reading(engine) as conn:
        assert missing_guards(conn) == []
    engine.dispose()
    assert set(APPEND_ONLY) == {
        "checkpoints", "cosignatures", "duties", "duty_days", "entries", "erasures", "hand_ins", "leaves", "logs",
        "mornings", "owner_history", "task_days", "task_lists", "tasks", "tasks_taken", "texts", "tiles",
    }  # fmt: skip


@pytest.mark.only("postgresql")
def test_the_app_role_gets_what_it_needs_and_no_more(database: Database) -> None:
    wanted = {
        table: {"SELECT", "INSERT"} if table in APPEND_ONLY else {"SELECT", "INSERT", "UPDATE", "DELETE"}
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


LATER = """
import sqlalchemy as sa
from alembic import op

from casework.storage.append_only import append_only_ddl

revision, down_revision, branch_labels, depends_on = "later", "{head}", None, None


def upgrade() -> None:
    op.add_column("texts", sa.Column("more", sa.Integer))
    with op.batch_alter_table("regions") as regions:  # SQLite makes it anew, and teams point at it
        regions.create_unique_constraint("uq_regions_name", ["name"])
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
    for statement in append_only_ddl(op.get_bind().dialect.name, "later", (("id",),)):
        op.execute(statement)
    {also}


def downgrade() -> None:
    op.drop_table("later")
    with op.batch_alter_table("regions") as regions:
        regions.drop_constraint("uq_regions_name", type_="unique")
    op.drop_column("texts", "more")
"""


def _with_a_later_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, also: str = "pass") -> None:
    folder = shutil.copytree(migrate.scripts(), tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "later.py").write_text(LATER.format(also=also, head=schema.NEWEST))
    monkeypatch.setattr(migrate, "shipped", lambda _: folder)


def _fill(settings: Settings) -> None:
    upgrade(settings, system("cli"))
    engine = open_engine(settings.database_url)
    with writing(engine) as conn:
        conn.exec_driver_sql("INSERT INTO regions (code, name) VALUES ('R1', 'East')")
        conn.exec_driver_sql("INSERT INTO teams (code, name, region) VALUES ('T1', 'First', 'R1')")
    engine.dispose()


def _rows(settings: Settings) -> dict[str, int]:
    engine = open_engine(settings.database_url)
    with reading(engine) as conn:
        found = {name: conn.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in metadata.tables}
    engine.dispose()
    return found


def test_a_later_revision_keeps_the_rows_guards_and_grants_there_are(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(settings)
    before = _rows(settings)
    assert min(before[name] for name in ("entries", "texts", "keys", "regions", "teams")) > 0
    _with_a_later_revision(tmp_path, monkeypatch)
    assert upgrade(settings, system("cli")) == []
    assert _rows(settings) == before
    engine = open_engine(settings.database_url)
    with writing(engine) as conn:  # as the app role
        assert schema.revision(conn) == "later"
        conn.exec_driver_sql("UPDATE regions SET name = 'West'")
        conn.exec_driver_sql("INSERT INTO later (id) VALUES (1)")
        conn.exec_driver_sql("SELECT more FROM texts")
        assert missing_guards(conn, {**APPEND_ONLY, "later": (("id",),)}) == []
    with pytest.raises(sa.exc.DBAPIError), writing(engine) as conn:
        conn.exec_driver_sql("DELETE FROM later")
    with pytest.raises(sa.exc.DBAPIError), writing(engine) as conn:
        conn.exec_driver_sql("UPDATE texts SET more = 1")
    engine.dispose()
    migrate.downgrade(settings, schema.NEWEST)
    assert _rows(settings) == before


def test_a_later_revision_after_which_references_lead_nowhere_changes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(settings)
    before = _rows(settings)
    _with_a_later_revision(tmp_path, monkeypatch, also="op.execute('DELETE FROM regions')")
    with pytest.raises((RuntimeError, sa.exc.IntegrityError)):
        upgrade(settings, system("cli"))
    assert _rows(settings) == before
    engine = open_engine(settings.database_url)
    with reading(engine) as conn:
        assert schema.revision(conn) == schema.NEWEST
    engine.dispose()


@pytest.mark.parametrize("change", ["ALTER TABLE loans DROP COLUMN product", "DROP TABLE set_aside"])
def test_a_database_made_before_the_revision_was_changed_is_refused_by_name(database: Database, change: str) -> None:
    owner = open_engine(database.owner_url)
    with owner.connect() as conn, conn.begin():
        table = change.split()[2]
        assert [name for name in schema.lacking(conn, ALL) if name.startswith(f"{table}.")] == []
        conn.exec_driver_sql(change)
    owner.dispose()
    engine = open_engine(database.url)
    with reading(engine) as conn, pytest.raises(CallerError) as told:
        check_schema(conn)
    engine.dispose()
    assert told.value.code == "schema_not_current"
    assert {name.partition(".")[0] for name in told.value.facts["lacking"]} == {table}
