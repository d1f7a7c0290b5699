"""Rows of the log can be added, and nothing else, whatever is tried through SQL."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.storage import migrate
from casework.storage.append_only import (
    append_only_ddl,
    drop_append_only_ddl,
    foreign_parts,
    has_owner_rights,
    missing_guards,
)
from casework.storage.database import (
    Bytes,
    open_engine,
    reading,
    writing,
)
from tests.conftest import Database
from tests.postgres_server import APP

pytestmark = pytest.mark.every_postgres

KEYS = (("id",), ("stream", "seq"))
diary = sa.Table(
    "diary",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stream", sa.String(20), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("body", Bytes),
    sa.UniqueConstraint("stream", "seq"),
)


@pytest.fixture
def guarded(owner_engine: Engine) -> Engine:
    """A database with an append-only table of two rows, seen with the owner's rights."""
    with writing(owner_engine) as conn:
        diary.create(conn)
        for statement in append_only_ddl(conn.dialect.name, "diary", KEYS):
            conn.exec_driver_sql(statement)
        conn.execute(diary.insert(), [{"id": i, "stream": "s", "seq": i, "body": b"x"} for i in (1, 2)])
    return owner_engine


ATTACKS = {
    "update": "UPDATE diary SET body = NULL WHERE id = 1",
    "update of all": "UPDATE diary SET seq = seq + 10",
    "delete": "DELETE FROM diary WHERE id = 2",
    "upsert": "INSERT INTO diary (id, stream, seq) VALUES (1, 'o', 9) ON CONFLICT (id) DO UPDATE SET seq = 9",
}
SQLITE_ATTACKS = {
    "replace by id": "INSERT OR REPLACE INTO diary VALUES (1, 'other', 9, x'00')",
    "replace by key": "REPLACE INTO diary VALUES (9, 's', 2, x'00')",
    "update or replace": "UPDATE OR REPLACE diary SET id = 1 WHERE id = 2",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_but_adding_is_possible(guarded: Engine, attack: str) -> None:
    _refused(guarded, ATTACKS[attack])


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("attack", SQLITE_ATTACKS)
def test_replacing_is_refused(guarded: Engine, attack: str) -> None:
    _refused(guarded, SQLITE_ATTACKS[attack])


@pytest.mark.only("postgresql")
def test_truncating_is_refused(guarded: Engine) -> None:
    _refused(guarded, "TRUNCATE diary")


def _refused(guarded: Engine, statement: str) -> None:
    """Refused by the guard, nothing changed, and adding still works."""
    with reading(guarded) as conn:
        before = conn.execute(diary.select().order_by("id")).all()
    with pytest.raises(sa.exc.DBAPIError, match="append_only: diary"), writing(guarded) as conn:
        conn.exec_driver_sql(statement)
    with reading(guarded) as conn:
        assert conn.execute(diary.select().order_by("id")).all() == before
    with writing(guarded) as conn:
        conn.execute(diary.insert(), {"id": 3, "stream": "s", "seq": 3})
        assert len(conn.execute(diary.select()).all()) == len(before) + 1


@pytest.mark.only("postgresql")
def test_a_replica_session_is_refused_too(database: Database, guarded: Engine) -> None:
    assert database.server is not None
    superuser = open_engine(database.server.url(str(guarded.url.database)))
    with pytest.raises(sa.exc.DBAPIError, match="append_only: diary"), writing(superuser) as conn:
        conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        conn.exec_driver_sql("DELETE FROM diary")
    superuser.dispose()


WEAKENED = {
    "sqlite": [
        "DROP TRIGGER diary_append_only_update",
        "DROP TRIGGER diary_append_only_delete",
        "DROP TRIGGER diary_append_only_insert",
    ],
    "postgresql": [
        "DROP TRIGGER diary_append_only_change ON diary",
        "ALTER TABLE diary DISABLE TRIGGER diary_append_only_truncate",
        "ALTER TABLE diary ENABLE TRIGGER diary_append_only_change",
        "CREATE OR REPLACE FUNCTION casework_append_only() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
    ],
}


def test_every_weakened_guard_is_named(guarded: Engine) -> None:
    with reading(guarded) as conn:
        assert missing_guards(conn, {"diary": KEYS}) == []
    for statement in WEAKENED[guarded.dialect.name]:
        with guarded.connect() as conn, conn.begin() as transaction:
            conn.exec_driver_sql(statement)
            assert missing_guards(conn, {"diary": KEYS}) != [], statement
            transaction.rollback()


@pytest.mark.only("sqlite")
def test_an_altered_guard_of_the_same_name_is_named(guarded: Engine) -> None:
    with writing(guarded) as conn:
        conn.exec_driver_sql("DROP TRIGGER diary_append_only_update")
        conn.exec_driver_sql(
            "CREATE TRIGGER diary_append_only_update BEFORE UPDATE ON diary WHEN 0 BEGIN SELECT 1; END"
        )
        assert missing_guards(conn, {"diary": KEYS}) == ["diary_append_only_update"]


FOREIGN: dict[str, dict[str, list[str]]] = {
    "sqlite": {
        "trigger": ["CREATE TRIGGER kind AFTER INSERT ON Diary BEGIN SELECT 1; END"],
        "view": ["ALTER TABLE diary RENAME TO aside", "CREATE VIEW diary AS SELECT * FROM aside WHERE id > 1"],
    },
    "postgresql": {
        "trigger": [
            "CREATE FUNCTION kind() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
            "CREATE TRIGGER kind BEFORE INSERT ON diary FOR EACH ROW EXECUTE FUNCTION kind()",
        ],
        "rule": ["CREATE RULE kind AS ON INSERT TO diary DO INSTEAD NOTHING"],
        "policy": ["CREATE POLICY kind ON diary FOR SELECT USING (id > 1)"],
        "child": ["CREATE TABLE kind () INHERITS (diary)"],
        "view": ["ALTER TABLE diary RENAME TO aside", "CREATE VIEW diary AS SELECT * FROM aside WHERE id > 1"],
    },
}


def test_every_foreign_part_of_a_table_is_named_and_its_own_guards_are_not(guarded: Engine) -> None:
    for kind, statements in FOREIGN[guarded.dialect.name].items():
        with guarded.connect() as conn, conn.begin() as transaction:
            assert foreign_parts(conn, {"diary": KEYS}) == []
            for statement in statements:
                conn.exec_driver_sql(statement)
            found = [part for part in foreign_parts(conn, {"diary": KEYS}) if part.kind == kind]
            assert [(part.table, part.name) for part in found] == [("diary", "diary" if kind == "view" else "kind")]
            transaction.rollback()


@pytest.mark.only("postgresql")
def test_row_security_without_a_policy_is_named_too(guarded: Engine) -> None:
    with guarded.connect() as conn, conn.begin() as transaction:
        conn.exec_driver_sql("ALTER TABLE diary ENABLE ROW LEVEL SECURITY")
        assert [part.kind for part in foreign_parts(conn, {"diary": KEYS})] == ["policy"]
        transaction.rollback()


def test_guards_can_be_taken_away_before_the_table_is(guarded: Engine) -> None:
    with writing(guarded) as conn:
        for statement in drop_append_only_ddl(conn.dialect.name, "diary"):
            conn.exec_driver_sql(statement)
        diary.drop(conn)
        assert not sa.inspect(conn).has_table("diary")


@pytest.mark.only("postgresql")
def test_the_app_role_may_only_add_to_the_log(database: Database, guarded: Engine) -> None:
    with writing(guarded) as conn:
        migrate.grant(conn, APP, {"diary": KEYS})
        assert has_owner_rights(conn, "diary")
    app = open_engine(database.url)
    with writing(app) as conn:
        conn.execute(diary.insert(), {"id": 3, "stream": "s", "seq": 3})
        assert not has_owner_rights(conn, "diary")
    for statement in ("UPDATE diary SET seq = 1", "DELETE FROM diary", "TRUNCATE diary", "DROP TABLE diary",
                      "ALTER TABLE diary DISABLE TRIGGER ALL"):  # fmt: skip
        with pytest.raises(sa.exc.ProgrammingError), writing(app) as conn:
            conn.exec_driver_sql(statement)
    with writing(guarded) as conn:
        conn.exec_driver_sql(f"GRANT UPDATE (body) ON diary TO {APP}")
    with reading(app) as conn:
        assert has_owner_rights(conn, "diary")
    app.dispose()


@pytest.mark.only("postgresql")
def test_a_superuser_is_an_owner_of_everything(database: Database) -> None:
    assert database.server is not None
    engine = open_engine(database.server.url("postgres"))
    with reading(engine) as conn:
        assert has_owner_rights(conn, "diary")
    engine.dispose()
