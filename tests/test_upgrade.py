"""A branch written by the first issue (schema 0001) goes on under the present code.

`past/0001.json.gz` holds every row and the keys of one made at commit b931386, late in the evening by UTC and thus on
the next day by the branch's calendar: seven people, two of them named by a feed and one of these registered the day
after, a key and a revoked key, three cases (one settled), a note and a refusal.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import migrate
from casework.cases.advance import advance
from casework.cases.commands import Done, Note
from casework.cases.tables import cases, owner_history
from casework.clock import now
from casework.database import open_engine, reading, writing
from casework.handover.orphans import orphans
from casework.identity.holding import holder_of
from casework.personal import Vault
from casework.settings import Settings, load_keys
from casework.staff.actor import system
from casework.staff.register import actor_for
from casework.staff.tables import posts_held, staff
from casework.staff.tokens import hash_of
from casework.startup import Started, start, upgrade
from casework.verifying import verify
from tests.conftest import Database

pytestmark = pytest.mark.every_postgres

PAST = Path(__file__).parent / "past" / "0001.json.gz"
SOON_AFTER = datetime(2024, 6, 10, 9, 0, tzinfo=UTC)  # the keys of the fixture hold for a year
TODAY = SOON_AFTER.date()


@pytest.fixture
def past(settings: Settings, empty_database: Database) -> Settings:
    """The branch of then: the schema 0001 with its rows and its keys."""
    held = json.loads(gzip.decompress(PAST.read_bytes()))
    keys_dir = settings.keys_dir.with_name("past-keys")
    keys_dir.mkdir(mode=0o700)
    for name, text in held["keys"].items():
        (keys_dir / name).write_bytes(bytes.fromhex(text))
        (keys_dir / name).chmod(0o600)
    then = replace(
        settings, database_url=empty_database.url, database_owner_url=empty_database.owner_url, keys_dir=keys_dir
    )
    migrate.upgrade(then, "0001")
    engine = open_engine(empty_database.owner_url)
    with writing(engine) as conn:
        _fill(conn, held["tables"])
    engine.dispose()
    return then


def _fill(conn: Connection, tables: dict[str, Any]) -> None:
    schema = sa.MetaData()
    schema.reflect(conn)
    for table in schema.sorted_tables:
        if table.name not in tables:
            continue
        columns = [table.columns[name] for name in tables[table.name]["columns"]]
        for row in tables[table.name]["rows"]:
            values = {column.name: _value(column, value) for column, value in zip(columns, row, strict=True)}
            conn.execute(table.insert().values(values))
        if conn.dialect.name == "postgresql" and "id" in table.columns:
            largest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, "id")
            conn.execute(sa.select(sa.func.setval(sequence, largest)))


def _value(column: sa.Column[Any], value: Any) -> Any:
    """A value of SQLite as this column takes it."""
    if value is None:
        return None
    kinds = {
        sa.LargeBinary: bytes.fromhex, sa.DateTime: datetime.fromisoformat, sa.Date: date.fromisoformat,
        sa.Boolean: bool,
    }  # fmt: skip
    return next((read(value) for kind, read in kinds.items() if isinstance(column.type, kind)), value)


@pytest.fixture
def upgraded(past: Settings) -> Iterator[Started]:
    """The same branch after `casework db upgrade`."""
    upgrade(past, system("cli"))
    started = start(past)
    yield started
    started.engine.dispose()


def _assert_sound(started: Started) -> None:
    keys = load_keys(started.settings.keys_dir)
    with reading(started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, Vault(keys.personal, keys.blind))
    assert report.verdict == "sound", report.as_json()
    assert (report.cases, report.people) == (3, 7)


def test_the_log_of_before_still_verifies_and_so_do_the_dated_rows_made_of_it(upgraded: Started) -> None:
    _assert_sound(upgraded)


def test_people_hold_their_posts_from_the_day_on_which_they_became_known(upgraded: Started) -> None:
    with reading(upgraded.engine) as conn:
        held = conn.execute(sa.select(posts_held.c.staff_no, posts_held.c.post, posts_held.c.from_on)).all()
        status = {row.staff_no: row.status for row in conn.execute(sa.select(staff.c.staff_no, staff.c.status))}
        actor = actor_for(conn, "P1", "cli", today=TODAY)
    known_on = date(2024, 6, 3)  # by UTC, as the entries have it
    assert sorted(held) == [
        ("A1", "administrator", known_on), ("F2", "business_rep", known_on), ("P1", "phone_collector", known_on),
        ("R1", "business_rep", known_on), ("R1", "post_loan_officer", known_on), ("U1", "auditor", known_on),
    ]  # fmt: skip
    assert (status["F1"], status["F2"]) == ("unverified", "active")
    assert (actor.posts, actor.team, actor.region) == (frozenset({"phone_collector"}), "T1", "R1")


def test_a_token_of_before_still_names_its_holder_and_a_revoked_one_nobody(upgraded: Started) -> None:
    policy = upgraded.branch.rulebook.policies.at(TODAY)
    with reading(upgraded.engine) as conn:
        good = holder_of(conn, hash_of("cw_" + "P" * 43), SOON_AFTER, today=TODAY, policy=policy)
        dead = holder_of(conn, hash_of("cw_" + "R" * 43), SOON_AFTER, today=TODAY, policy=policy)
        late = holder_of(conn, hash_of("cw_" + "P" * 43), SOON_AFTER + timedelta(days=366), today=TODAY, policy=policy)
    assert good is not None
    assert (good.actor.id, good.actor.posts, good.actor.commands) == ("P1", frozenset({"phone_collector"}), None)
    assert (dead, late) == (None, None)


def test_every_case_keeps_its_owner_and_has_one_line_of_history(upgraded: Started) -> None:
    with reading(upgraded.engine) as conn:
        owners = conn.execute(sa.select(cases.c.id, cases.c.owner, cases.c.handler).order_by(cases.c.id)).all()
        history = conn.execute(
            sa.select(owner_history.c.case_id, owner_history.c.owner, owner_history.c.handler).order_by("case_id")
        ).all()
        assert orphans(conn, TODAY) == []
    assert [row[1] for row in owners] == ["R1", "F1", "F2"]
    assert history == owners


def test_work_goes_on_and_the_log_stays_sound(upgraded: Started) -> None:
    with writing(upgraded.engine) as conn:
        by = actor_for(conn, "R1", "cli", today=upgraded.branch.today(now()))
        [outcome] = advance(conn, [Note(actor=by, case_id=1, text="已电话确认")], upgraded.branch)
    assert isinstance(outcome, Done)
    _assert_sound(upgraded)
