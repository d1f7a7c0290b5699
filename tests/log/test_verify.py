"""Verification finds every attack of docs/evidence.md that shows before sealing, and accuses nobody falsely."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from casework.cli import main
from casework.lifecycle.advance import advance
from casework.log.check.finding_texts import TEXTS
from casework.log.check.findings import Finding
from casework.log.format.chain import commit, leaf_hash, seal_entry
from casework.log.format.entry import decode_strict, encode
from casework.log.stored import as_stored
from casework.log.tables import (
    entries,
    openings,
    streams,
    texts,
    unsealed,
)
from casework.log.tables import keys as key_rows
from casework.operation.startup import branch_of, upgrade
from casework.people.staff.actor import system
from casework.people.staff.tables import posts_held, staff
from casework.settings import Settings, ensure_keys, load_keys
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.tables import cases
from tests.conftest import LONGER
from tests.log.built_log import (
    CASES,
    STREAMS,
    BuiltLog,
    change_entry,
    clock,
    entry_at,
    fill,
    guards_down,
    log_fixture,
    visit_ordered,
)  # fmt: skip

STREAM = "case:2"  # six calls, a refusal, a note


log = log_fixture("module")


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def test_what_a_verification_reads_with_is_made_once_in_a_process(log: BuiltLog) -> None:
    with log.attacked() as conn:
        log.verify(conn)
        made = as_stored.cache_info().misses
        log.verify(conn)
    assert as_stored.cache_info().misses == made


def test_a_log_written_through_the_door_is_sound(log: BuiltLog) -> None:
    with log.attacked() as conn:
        report = log.verify(conn)
        assert report.findings == []
        assert report.verdict == "sound"
        assert report.entries == conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one() > 250
        assert (report.cases, report.streams) == (CASES, STREAMS)
        assert min(report.replayed_steps, report.replayed_refusals, report.replayed_facts, report.openings) > 0
        assert report.texts == conn.execute(sa.select(sa.func.count()).select_from(texts)).scalar_one() > 10
        assert report.cases_not_replayed == 0


@pytest.mark.parametrize("batch", [1, 7])
def test_nothing_is_lost_where_one_batch_ends_and_the_next_begins(
    log: BuiltLog, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("casework.log.check.verify.BATCH", batch)
    monkeypatch.setattr("casework.log.check.heads._BATCH", batch)
    monkeypatch.setattr("casework.lifecycle.replay._BATCH", batch)
    with log.attacked() as conn:
        report = log.verify(conn)
        committed = conn.execute(sa.select(sa.func.count()).select_from(openings)).scalar_one()
    assert (report.verdict, report.cases, report.streams, report.openings) == ("sound", CASES, STREAMS, committed)
    for name in ("an opening deleted", "an opening invented", "an opening of no entry", "head edited"):
        attack, expected = ATTACKS[name]
        assert codes(log.after(attack).findings) == expected


def test_people_may_go_on_working_while_the_log_is_verified(log: BuiltLog) -> None:
    """One snapshot: what is written meanwhile is neither seen nor mistaken for a change by other hands."""
    reader = open_engine(log.settings.database_url, read_only=True)
    with reading(reader, snapshot=True) as conn:
        before = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
        with writing(log.engine) as writer:
            advance(writer, [visit_ordered(12)], log.branch, clock=clock)
        report = log.verify(conn)
    reader.dispose()
    assert (report.findings, report.entries) == ([], before)
    with log.attacked() as conn:
        assert log.verify(conn).entries == before + 1


# --- attacks through SQL, each with the finding it must leave


def one_byte(conn: Connection) -> None:
    body = bytes(entry_at(conn, STREAM, 3).body)
    change_entry(conn, STREAM, 3, body=body.replace(b'"rec:1"', b'"rec:2"'))


def respaced(conn: Connection) -> None:
    body = bytes(entry_at(conn, STREAM, 3).body).replace(b'","', b'", "', 1)
    change_entry(conn, STREAM, 3, body=body, leaf_hash=leaf_hash(body))


def rehashed(conn: Connection) -> None:
    """The forger knows the format and mends the leaf hash, but has no key."""
    body = bytes(entry_at(conn, STREAM, 3).body).replace(b'"rec:1"', b'"rec:2"')
    change_entry(conn, STREAM, 3, body=body, leaf_hash=leaf_hash(body))


def other_leaf(conn: Connection) -> None:
    change_entry(conn, STREAM, 3, leaf_hash=bytes(32))


def short_leaf(conn: Connection) -> None:
    change_entry(conn, STREAM, 3, leaf_hash=b"")


def other_mac(conn: Connection) -> None:
    change_entry(conn, STREAM, 3, mac=bytes(32))


def delete(conn: Connection, stream: str, seq: int) -> None:
    row = entry_at(conn, stream, seq)
    conn.execute(unsealed.delete().where(unsealed.c.entry == row.id))
    conn.execute(entries.delete().where(entries.c.id == row.id))


def deleted_in_the_middle(conn: Connection) -> None:
    delete(conn, STREAM, 3)


def deleted_first(conn: Connection) -> None:
    delete(conn, STREAM, 1)


def deleted_last(conn: Connection) -> None:
    delete(conn, STREAM, conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one())


def deleted_but_queued(conn: Connection) -> None:
    conn.execute(entries.delete().where(entries.c.id == entry_at(conn, STREAM, 3).id))


def all_deleted(conn: Connection) -> None:
    numbers = sa.select(entries.c.id).where(entries.c.stream == STREAM)
    conn.execute(unsealed.delete().where(unsealed.c.entry.in_(numbers)))
    conn.execute(entries.delete().where(entries.c.stream == STREAM))


def stream_of_the_rulebook_deleted(conn: Connection) -> None:
    numbers = sa.select(entries.c.id).where(entries.c.stream == "rulebook:published")
    conn.execute(unsealed.delete().where(unsealed.c.entry.in_(numbers)))
    conn.execute(entries.delete().where(entries.c.stream == "rulebook:published"))


def swapped(conn: Connection) -> None:
    """Two entries change places, their numbers with them."""
    change_entry(conn, STREAM, 3, stream_seq=1_000)
    change_entry(conn, STREAM, 4, stream_seq=3)
    change_entry(conn, STREAM, 1_000, stream_seq=4)


def moved_to_another_stream(conn: Connection) -> None:
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one()
    change_entry(conn, STREAM, last, stream="case:7", stream_seq=1_000)


def forged(conn: Connection) -> None:
    """An entry appended by SQL in perfect form, its case row moved along; only the key is wanting."""
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one()
    row = entry_at(conn, STREAM, last)
    entry = msgspec.structs.replace(
        decode_strict(bytes(row.body)), stream_seq=last + 1, entry_id=f"{STREAM}:{last + 1}",
        prev=bytes(row.leaf_hash).hex(), personal={},
    )  # fmt: skip
    body = encode(entry)
    number = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one() + 1
    conn.execute(
        entries.insert().values(
            id=number, stream=STREAM, stream_seq=last + 1, event=entry.event, actor_id=entry.actor.id,
            reason_code=entry.reason_code, recorded_at=row.recorded_at, body=body, leaf_hash=leaf_hash(body),
            mac=bytes(32),
        )
    )  # fmt: skip
    conn.execute(unsealed.insert().values(entry=number))
    conn.execute(cases.update().where(cases.c.id == 2).values(audit_seq=last + 1, audit_head=leaf_hash(body)))


def not_queued(conn: Connection) -> None:
    conn.execute(unsealed.delete().where(unsealed.c.entry == entry_at(conn, STREAM, 3).id))


def case(**values: Any) -> Callable[[Connection], None]:
    def attack(conn: Connection) -> None:
        assert conn.execute(cases.update().where(cases.c.id == 2).values(values)).rowcount == 1

    return attack


def column(**values: Any) -> Callable[[Connection], None]:
    return lambda conn: change_entry(conn, STREAM, 3, **values)


def later(conn: Connection) -> None:
    moment = entry_at(conn, STREAM, 3).recorded_at
    change_entry(conn, STREAM, 3, recorded_at=moment.replace(microsecond=1))


def head_rewound(conn: Connection) -> None:
    row = entry_at(conn, STREAM, 3)
    values = {"audit_seq": 3, "audit_head": row.leaf_hash}
    conn.execute(cases.update().where(cases.c.id == 2).values(values))


def rulebook_head(conn: Connection) -> None:
    conn.execute(streams.update().where(streams.c.stream == "rulebook:published").values(audit_head=bytes(32)))


def rulebook_head_gone(conn: Connection) -> None:
    conn.execute(streams.delete().where(streams.c.stream == "rulebook:published"))


def case_gone(conn: Connection) -> None:
    conn.execute(cases.delete().where(cases.c.id == 2))


def opening_of(conn: Connection) -> Any:
    return conn.execute(sa.select(openings).where(openings.c.stream == STREAM)).one()


def opening_swapped(conn: Connection) -> None:
    """Another case's note, validly sealed, in the place of this one's."""
    other = conn.execute(sa.select(openings).where(openings.c.stream == "case:7", openings.c.field == "note")).one()
    conn.execute(openings.update().where(openings.c.stream == STREAM).values(sealed=other.sealed))


def opening_spoilt(conn: Connection) -> None:
    conn.execute(openings.update().where(openings.c.stream == STREAM).values(sealed=b"\x01" + bytes(60)))


def opening_deleted(conn: Connection) -> None:
    conn.execute(openings.delete().where(openings.c.stream == STREAM))


def opening_invented(conn: Connection) -> None:
    row = opening_of(conn)
    conn.execute(openings.insert().values(stream=STREAM, stream_seq=1, field="note", sealed=row.sealed))


def opening_of_no_entry(conn: Connection) -> None:
    row = opening_of(conn)
    conn.execute(openings.insert().values(stream="zebra:1", stream_seq=1, field="note", sealed=row.sealed))


def text_changed(conn: Connection) -> None:
    chart = conn.execute(sa.select(texts).where(texts.c.name.like("overdue_loan@%"))).one()
    body = bytes(chart.body) + b"\n# harmless?\n"
    conn.execute(texts.update().where(texts.c.digest == chart.digest).values(body=body))


def text_deleted(conn: Connection) -> None:
    conn.execute(texts.delete().where(texts.c.kind == "policy"))


def text_slipped_in(conn: Connection) -> None:
    at = entry_at(conn, STREAM, 1).recorded_at
    conn.execute(
        texts.insert().values(digest="0" * 64, kind="policy", name="2020-01-01", body=b"", published_at=at)
    )  # fmt: skip


def foreign_trigger(conn: Connection) -> None:
    """It would hand every case to somebody with the next entry."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("CREATE TRIGGER kind AFTER INSERT ON entries BEGIN UPDATE cases SET owner = 'P1'; END")
    else:
        conn.exec_driver_sql("CREATE RULE kind AS ON INSERT TO entries DO ALSO UPDATE cases SET owner = 'P1'")


ATTACKS: dict[str, tuple[Callable[[Connection], None], set[str]]] = {
    "one byte of a body edited": (one_byte, {"body_changed"}),
    "a body re-spaced, its hash mended": (respaced, {"mac_wrong", "body_malformed", "link_broken"}),
    "a body edited, its hash mended": (rehashed, {"mac_wrong", "link_broken"}),
    "a leaf hash edited": (other_leaf, {"leaf_hash_changed"}),
    "a leaf hash emptied": (short_leaf, {"leaf_hash_changed"}),
    "a MAC edited": (other_mac, {"mac_wrong"}),
    "an entry deleted in the middle": (deleted_in_the_middle, {"stream_hole"}),
    "the first entry deleted": (deleted_first, {"stream_hole"}),
    "the last entry deleted": (deleted_last, {"tail_cut", "opening_unannounced"}),
    "an entry deleted, still queued": (deleted_but_queued, {"stream_hole", "queue_dangling"}),
    "a whole stream deleted": (all_deleted, {"stream_missing", "opening_unannounced"}),
    "the rulebook's stream deleted": (stream_of_the_rulebook_deleted, {"stream_missing", "text_unannounced"}),
    "two entries swapped": (swapped, {"column_differs", "stream_hole", "stream_repeat", "link_broken"}),
    "an entry moved to another stream": (
        moved_to_another_stream, {"column_differs", "tail_cut", "opening_unannounced"},
    ),
    "an entry forged by SQL": (forged, {"mac_wrong"}),
    "an entry taken from the queue": (not_queued, {"queue_incomplete"}),
    "copied event edited": (column(event="case.noted"), {"column_differs"}),
    "copied actor edited": (column(actor_id="T2"), {"column_differs"}),
    "copied reason edited": (column(reason_code="no_hold"), {"column_differs"}),
    "copied time edited": (later, {"column_differs"}),
    "state changed without an entry": (case(state="lost_contact"), {"row_differs"}),
    "owner changed without an entry": (case(owner="P1"), {"row_differs"}),
    "liveness changed without an entry": (case(live=False), {"row_differs"}),
    "version changed without an entry": (case(version=99), {"row_differs"}),
    "amount changed without an entry": (case(overdue_fen=1), {"row_differs"}),
    "due date taken away without an entry": (case(oldest_due_date=None), {"row_differs"}),
    "facts edited": (case(facts=b'{"holds":["dispute"]}'), {"row_differs"}),
    "facts re-spaced": (case(facts=b"{ }"), {"row_differs"}),
    "head set back": (head_rewound, {"head_rewound"}),
    "head edited": (case(audit_head=bytes(32)), {"head_differs"}),
    "head of the rulebook edited": (rulebook_head, {"head_differs"}),
    "head of the rulebook deleted": (rulebook_head_gone, {"head_missing"}),
    "a case row deleted": (case_gone, {"head_missing"}),
    "an opening swapped": (opening_swapped, {"opening_wrong"}),
    "an opening spoilt": (opening_spoilt, {"opening_wrong"}),
    "an opening deleted": (opening_deleted, {"opening_missing"}),
    "an opening invented": (opening_invented, {"opening_unannounced"}),
    "an opening of no entry": (opening_of_no_entry, {"opening_unannounced"}),
    "a published text changed": (text_changed, {"text_changed"}),
    "a published text deleted": (text_deleted, {"text_missing"}),
    "a foreign trigger or rule": (foreign_trigger, {"foreign_part"}),
    "a text slipped in": (text_slipped_in, {"text_changed", "text_unannounced"}),
}  # fmt: skip
MUST = {"two entries swapped": {"column_differs"}}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(log: BuiltLog, name: str) -> None:
    attack, expected = ATTACKS[name]
    report = log.after(attack)
    found = codes(report.findings)
    assert report.verdict == "tampered"
    assert found >= MUST.get(name, expected)
    assert found <= expected, "an attack is named as what it is, not as everything that follows from it"


def test_a_finding_names_stream_number_and_columns(log: BuiltLog) -> None:
    report = log.after(case(state="lost_contact", live=False))
    (finding,) = report.findings
    assert (finding.stream, finding.detail["columns"]) == (STREAM, ["state", "live"])
    (finding,) = log.after(column(actor_id="T2", event="case.noted")).findings
    assert (finding.stream, finding.stream_seq) == (STREAM, 3)
    assert finding.detail["columns"] == ["event", "actor_id"]


def test_a_dropped_guard_is_found_though_nothing_was_changed_behind_it(log: BuiltLog) -> None:
    with log.attacked() as conn:
        sql = "DROP TRIGGER entries_append_only_update"
        if conn.dialect.name == "postgresql":
            sql = "DROP TRIGGER entries_append_only_change ON entries"
        conn.exec_driver_sql(sql)
        report = log.verify(conn)
    assert codes(report.findings) == {"guard_missing"}
    assert report.verdict == "tampered"


def test_an_entry_recorded_before_the_one_before_it_is_found(log: BuiltLog) -> None:
    """Even with the right key: a stream's times never run backwards."""

    def attack(conn: Connection) -> None:
        last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one()
        row = entry_at(conn, STREAM, last)
        early = row.recorded_at.replace(year=2025)
        text = "2025" + decode_strict(bytes(row.body)).recorded_at[4:]
        entry = msgspec.structs.replace(decode_strict(bytes(row.body)), recorded_at=text, occurred_at=text)
        sealed = _sealed_with_the_key(log, entry)
        change_entry(conn, STREAM, last, recorded_at=early, **sealed)
        head = {"audit_head": sealed["leaf_hash"], "last_entry_at": early}
        conn.execute(cases.update().where(cases.c.id == 2).values(head))

    assert codes(log.after(attack).findings) == {"back_dated"}


def _sealed_with_the_key(log: BuiltLog, entry: Any) -> dict[str, bytes]:
    return seal_entry(entry, log.branch.mac_key)._asdict()


@pytest.mark.parametrize("log", ["sqlite"], indirect=True, scope="module")
def test_a_value_of_another_type_is_a_finding_not_a_crash(log: BuiltLog) -> None:
    """SQLite lets any value into any column; PostgreSQL does not."""
    for sql in (
        f"UPDATE entries SET body = 'text' WHERE stream = '{STREAM}' AND stream_seq = 3",
        f"UPDATE entries SET mac = 7 WHERE stream = '{STREAM}' AND stream_seq = 3",
        f"UPDATE entries SET leaf_hash = 'x' WHERE stream = '{STREAM}' AND stream_seq = 3",
        f"UPDATE entries SET stream = CAST(stream AS BLOB) WHERE stream = '{STREAM}' AND stream_seq = 3",
        f"UPDATE entries SET stream_seq = 'three' WHERE stream = '{STREAM}' AND stream_seq = 3",
        f"UPDATE entries SET recorded_at = 'yesterday' WHERE stream = '{STREAM}' AND stream_seq = 3",
        "UPDATE cases SET state_since = 'long ago', audit_head = 'x', facts = 3 WHERE id = 2",
        "UPDATE cases SET audit_seq = 'many' WHERE id = 2",
        "UPDATE texts SET body = 'text' WHERE kind = 'chart'",
        f"UPDATE openings SET sealed = 'text' WHERE stream = '{STREAM}'",
        "UPDATE streams SET audit_head = 'x', last_entry_at = 9",
    ):
        report = log.after(lambda conn, sql=sql: conn.exec_driver_sql(sql))  # type: ignore[misc]
        assert report.verdict == "tampered", sql


@examples(max_examples=40 * LONGER, deadline=None)
@given(data=st.data())
def test_a_single_flipped_bit_anywhere_is_found(log: BuiltLog, data: st.DataObject) -> None:
    with log.attacked() as conn:
        numbers = conn.execute(sa.select(entries.c.id).order_by(entries.c.id)).scalars().all()
        number = data.draw(st.sampled_from(numbers))
        row = conn.execute(sa.select(entries).where(entries.c.id == number)).one()
        name = data.draw(st.sampled_from(["body", "leaf_hash", "mac", "stream_seq"]))
        changed: int | bytes
        if name == "stream_seq":
            changed = row.stream_seq ^ (1 << data.draw(st.integers(6, 40)))  # below, another entry has the number
        else:
            held = bytearray(getattr(row, name))
            bit = data.draw(st.integers(0, len(held) * 8 - 1))
            held[bit // 8] ^= 1 << bit % 8
            changed = bytes(held)
        with guards_down(conn):
            conn.execute(entries.update().where(entries.c.id == number).values({name: changed}))
        report = log.verify(conn)
    assert report.verdict == "tampered"
    assert row.stream in {finding.stream for finding in report.findings}


def test_findings_carry_no_personal_data_and_have_words_in_both_languages(log: BuiltLog) -> None:
    for attack in (opening_swapped, opening_deleted, one_byte):
        shown = json.dumps([finding.as_json() for finding in log.after(attack).findings], ensure_ascii=False)
        assert "还款" not in shown
        assert "某路" not in shown
    assert all(zh and en and zh != en for zh, en in TEXTS.values())


def test_a_commitment_binds_field_and_value() -> None:
    salt = bytes(32)
    assert len({commit(salt, "note", "a"), commit(salt, "note", "b"), commit(salt, "address", "a")}) == 3


# --- the command: 0 sound, 1 tampered, 2 cannot tell


def run(settings: Settings, *arguments: str) -> Result:
    environment = {
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
        "CASEWORK_DATABASE_OWNER_URL": "", "COLUMNS": "200",
    }  # fmt: skip
    return CliRunner().invoke(main, ["audit", *arguments], env=environment)


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """A small log of the test's own."""
    upgrade(settings, system("cli"))
    branch = branch_of(settings, load_keys(settings.keys_dir))
    engine = open_engine(settings.database_url)
    fill(engine, branch, cases=5)
    engine.dispose()
    return settings


def test_exit_0_and_a_report_of_what_was_checked_when_sound(filled: Settings) -> None:
    result = run(filled, "verify", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["verdict"], answer["trust"]) == (0, "sound", "self_consistent_only")
    assert answer["checked"]["cases"] == 5
    assert answer["checked"]["first_recorded_at"] <= answer["checked"]["last_recorded_at"]
    human = run(filled, "verify")
    assert human.exit_code == 0
    assert "sound 完好" in human.stdout
    assert "no checkpoint held" in human.stdout


def of_the_register(table: sa.Table, **values: Any) -> Callable[[Connection], None]:
    def attack(conn: Connection) -> None:
        assert conn.execute(table.update().where(table.c.staff_no == "S1").values(values)).rowcount == 1

    return attack


@pytest.mark.parametrize(
    "attack",
    [
        one_byte, deleted_in_the_middle, case(state="lost_contact"), of_the_register(staff, name="X"),
        of_the_register(posts_held, post="approver"),
    ],
)  # fmt: skip
def test_exit_1_when_tampered_and_both_reports_say_it(
    filled: Settings, owner_engine: Any, attack: Callable[[Connection], None]
) -> None:
    with writing(owner_engine) as conn, guards_down(conn):
        attack(conn)
    result = run(filled, "verify", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["verdict"], answer["findings_in_all"]) == (1, "tampered", 1)
    human = run(filled, "verify")
    assert human.exit_code == 1
    assert answer["findings"][0]["code"] in human.stdout


def test_exit_2_with_other_keys_than_the_log_was_written_with(filled: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other_keys"
    ensure_keys(other)
    result = run(replace(filled, keys_dir=other), "verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "key_wrong")


def row_of_keys(value: Any) -> Callable[[Connection], None]:
    def attack(conn: Connection) -> None:
        conn.execute(key_rows.update().values(fingerprint=value))
        case(state="lost_contact")(conn)

    return attack


@pytest.mark.parametrize("value", ["0" * 32, ""])
def test_exit_1_when_the_row_of_keys_was_changed_to_stop_the_verification(
    filled: Settings, owner_engine: Any, value: str
) -> None:
    """What the keys have made says whose they are; before, any other row of them ended all with key_wrong."""
    with writing(owner_engine) as conn, guards_down(conn):
        row_of_keys(value)(conn)
    result = run(filled, "verify", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["verdict"]) == (1, "tampered")
    assert [(one["code"], one["stream"]) for one in answer["findings"]] == [
        ("row_differs", STREAM),
        ("row_differs", None),
    ]
    assert answer["findings"][1]["detail"] == {"table": "keys", "purposes": ["blind", "mac", "personal"]}


@pytest.mark.parametrize("wrong", ["mac", "personal", "blind"])
def test_exit_2_where_one_of_the_key_files_is_another_and_nobody_is_accused(
    filled: Settings, tmp_path: Path, wrong: str
) -> None:
    other = tmp_path / "mixed"
    shutil.copytree(filled.keys_dir, other)
    ensure_keys(tmp_path / "fresh")
    shutil.copyfile(tmp_path / "fresh" / wrong, other / wrong)
    result = run(replace(filled, keys_dir=other), "verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "key_wrong")


def test_exit_2_without_keys(filled: Settings, tmp_path: Path) -> None:
    result = run(replace(filled, keys_dir=tmp_path / "none"), "verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "key_missing")


def test_exit_2_on_a_database_that_was_never_migrated(empty_database: Any, filled: Settings) -> None:
    result = run(replace(filled, database_url=empty_database.url), "verify", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["code"] in {"schema_not_current", "database_gone"}


def test_exit_2_when_there_is_nothing_to_check(settings: Settings, owner_engine: Any) -> None:
    upgrade(settings, system("cli"))
    with writing(owner_engine) as conn, guards_down(conn):
        for table in (unsealed, entries, streams, texts):
            conn.execute(table.delete())
    result = run(settings, "verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (2, "cannot_tell")


def test_exit_1_when_the_log_was_emptied_under_its_cases(filled: Settings, owner_engine: Any) -> None:
    with writing(owner_engine) as conn, guards_down(conn):
        for table in (unsealed, openings, entries, streams, texts):
            conn.execute(table.delete())
    result = run(filled, "verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["findings"][0]["code"]) == (1, "stream_missing")


def test_exit_2_when_the_database_cannot_be_reached(filled: Settings, tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "postgresql://nobody@127.0.0.1:1/none"):
        result = run(replace(filled, database_url=url), "verify", "--json")
        assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "database_gone")


def test_a_history_is_shown_without_what_was_sealed(filled: Settings) -> None:
    shown = run(filled, "show", "2").stdout
    assert "case.noted" in shown
    assert "case.refused.mark_lost" in shown
    assert "客户称" not in shown
    bodies = json.loads(run(filled, "show", "case:2", "--json").stdout)
    assert [body["stream_seq"] for body in bodies] == list(range(1, len(bodies) + 1))
    assert run(filled, "show", "case:999").exit_code == 1


def test_one_entry_is_shown_with_what_holds_of_it(filled: Settings) -> None:
    answer = json.loads(run(filled, "entry", "case:2:3", "--json").stdout)
    assert answer["body"]["entry_id"] == "case:2:3"
    assert all(answer[name] for name in ("canonical", "hash_holds", "mac_holds", "link_holds"))
    assert all(answer["texts"].values())
    assert run(filled, "entry", "case:2:999").exit_code == 1
    assert run(filled, "entry", "nonsense").exit_code == 1
