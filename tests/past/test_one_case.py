"""A case as it was: the same as its row was, at every instant, whatever became of the row since."""

import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.past.case_then import CaseDifference, changes_between
from casework.evidence.past.one_case import case_as_of, case_difference
from casework.evidence.past.portfolio import PortfolioFilter
from casework.evidence.past.whole import portfolio_as_of
from casework.lifecycle.commands import Done, Fire, Note
from casework.log.format.chain import seal_entry
from casework.log.format.entry import decode_strict
from casework.log.tables import entries, texts
from casework.log.write.trail import Draft
from casework.people.staff.actor import system
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.commands import Command, Measure
from casework.work.cases.publish import publish
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.tables import cases
from tests.cases.anything import commands_on
from tests.conftest import LONGER
from tests.log import built_log as logs
from tests.log.built_log import BuiltLog, change_entry, entry_at, guards_down
from tests.past.then import BUILT, Lived, instant, rows_now, rows_then

LATER = BUILT + timedelta(hours=1)
BATCHES = st.lists(st.lists(st.integers(1, 3).flatmap(commands_on), min_size=1, max_size=5), min_size=2, max_size=8)


def test_every_case_as_of_now_is_its_row(log: BuiltLog) -> None:
    with log.attacked() as conn:
        rows = rows_now(conn)
        assert len(rows) == logs.CASES
        assert all(rows_then(conn, log.branch, case_id, [LATER]) == [row] for case_id, row in rows.items())


@examples(max_examples=10 * LONGER, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES)
def test_at_every_entrys_instant_a_case_is_as_its_row_was_then(log: BuiltLog, batches: list[list[Command]]) -> None:
    """And a microsecond earlier it is as it was before; every difference is made of the differences between."""
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        for batch in batches:
            lived.step(*batch)
        times = [time for at in lived.rows for time in (at - timedelta(microseconds=1), at)]
        for case_id in range(1, 4):
            rows = [rows[case_id] for rows in lived.rows.values()]
            before: list[Case | None] = [None, *rows[:-1]]
            assert rows_then(conn, log.branch, case_id, times) == [
                row for pair in zip(before, rows, strict=True) for row in pair
            ]
        _composes(conn, log.branch, 1, lived)


def _composes(conn: Connection, branch: Branch, case_id: int, lived: Lived) -> None:
    times = [BUILT - timedelta(seconds=1), *list(lived.rows)[:: max(len(lived.rows) // 3, 1)], lived.at]
    marks = list(map(instant, times))
    # The first two instants are before and at the opening: at the end of each part the case is there.
    parts = [case_difference(conn, branch, case_id, *pair, limit=200) for pair in pairwise(marks)]
    whole = case_difference(conn, branch, case_id, marks[0], marks[-1], limit=200)
    assert [entry for part in parts for entry in part.entries] == whole.entries
    assert sum(part.entries_in_all for part in parts) == whole.entries_in_all == len(whole.entries)
    fields: dict[str, Any] = {}
    for part in parts:
        for change in part.changes:
            assert fields.get(change.field) == change.before
            fields[change.field] = change.after
    assert {name: value for name, value in fields.items() if value is not None} == {
        change.field: change.after for change in whole.changes if change.after is not None
    }


def test_entries_of_one_microsecond_count_together(log: BuiltLog) -> None:
    """No instant falls between a step and the owner that follows from it: they are recorded at the same time."""
    with log.attacked() as conn:
        found = case_difference(
            conn, log.branch, 1, instant(BUILT - timedelta(microseconds=1)), instant(BUILT), limit=200
        )
        assert found.before is None
        assert [entry.event for entry in found.entries][-2:] == ["case.step.write_off", "case.assigned"]
        assert (found.after.state, found.after.owner) == ("written_off", "A1")
        assert {entry.recorded_at for entry in found.entries} == {BUILT}


def test_who_did_what_between_is_paged(log: BuiltLog) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        first = lived.rows[lived.at][2].audit_seq + 1
        for number in range(7):
            lived.step(Note(actor=logs.PHONE, id=2, text=str(number)))
        pages = [case_difference(conn, log.branch, 2, instant(BUILT), instant(lived.at), limit=3)]
        while (after := pages[-1].next) is not None:
            pages.append(case_difference(conn, log.branch, 2, instant(BUILT), instant(lived.at), after=after, limit=3))
    assert [len(page.entries) for page in pages] == [3, 3, 1]
    assert [entry.seq for page in pages for entry in page.entries] == list(range(first, first + 7))
    assert {page.entries_in_all for page in pages} == {7}
    assert (pages[0].entries[0].actor, pages[0].entries[0].zh, pages[0].changes) == ("T1", "备注", [])  # nothing moved


def test_before_its_opening_a_case_is_told_apart_from_one_that_never_was(log: BuiltLog) -> None:
    with log.attacked() as conn:
        for case_id, code in ((1, "case_not_opened_then"), (999, "unknown_case"), (-1, "unknown_case")):
            with pytest.raises(CallerError) as refused:
                case_as_of(conn, log.branch, case_id, instant(BUILT - timedelta(microseconds=1)))
            assert refused.value.code == code


def test_a_row_that_was_tampered_with_or_is_gone_changes_no_answer(log: BuiltLog) -> None:
    with log.attacked() as conn:
        told = case_as_of(conn, log.branch, 3, instant(LATER)), _whole(conn, log)
        conn.execute(cases.update().values(state="settled", live=False, bucket="M7", overdue_fen=0, facts=b"{}"))
        assert (case_as_of(conn, log.branch, 3, instant(LATER)), _whole(conn, log)) == told
        conn.execute(cases.delete())
        assert (case_as_of(conn, log.branch, 3, instant(LATER)), _whole(conn, log)) == told


def _whole(conn: Connection, log: BuiltLog) -> Any:
    return portfolio_as_of(conn, log.branch, instant(LATER), PortfolioFilter())


def test_what_was_recorded_later_or_of_other_cases_need_not_be_sound(log: BuiltLog) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        for _ in range(3):
            lived.step(Note(actor=logs.PHONE, id=2, text="x"))
        last = entry_at(conn, "case:2", lived.rows[lived.at][2].audit_seq)
        with guards_down(conn):
            change_entry(conn, "case:2", last.stream_seq, mac=bytes(32))
            change_entry(conn, "case:3", 1, mac=bytes(32))
        assert rows_then(conn, log.branch, 2, [BUILT]) == [lived.rows[BUILT][2]]
        assert portfolio_fault(conn, log) == ("mac_wrong", "case:2", last.stream_seq)


def portfolio_fault(conn: Connection, log: BuiltLog) -> tuple[Any, ...]:
    return fault_of(lambda: portfolio_as_of(conn, log.branch, instant(LATER), PortfolioFilter()))


def fault_of(ask: Callable[[], Any]) -> tuple[Any, ...]:
    """What the log cannot be relied on for."""
    with pytest.raises(CallerError) as refused:
        ask()
    assert refused.value.code == "log_broken"
    assert "audit verify" in str(refused.value)
    facts = refused.value.facts
    return facts["fault"], facts["stream"], facts["stream_seq"]


# ── a log that cannot be relied on ──────────────────────────────────────────────────────────────────────────────────


def at(seq: int) -> sa.ColumnElement[bool]:
    return (entries.c.stream == "case:3") & (entries.c.stream_seq == seq)


def edit(conn: Connection) -> None:
    body = bytes(entry_at(conn, "case:3", 2).body)
    change_entry(conn, "case:3", 2, body=body.replace(b'"case.step.start_visit"', b'"case.step.start_vizit"'))


def remove(seq: int) -> Callable[[Connection], None]:
    def attack(conn: Connection) -> None:
        assert conn.execute(entries.delete().where(at(seq))).rowcount == 1

    return attack


def swap(conn: Connection) -> None:
    """Two entries change places, columns and all."""
    for old, new in ((2, 99), (3, 2), (99, 3)):
        conn.execute(entries.update().where(at(old)).values(stream_seq=new))


def borrowed(conn: Connection) -> None:
    """An authentic entry of another case in the place of one of this."""
    other = entry_at(conn, "case:8", 2)
    change_entry(conn, "case:3", 2, body=bytes(other.body), mac=bytes(other.mac))


def insider(seq: int, **values: Any) -> Callable[[Connection], None]:
    """Whoever has the key writes one entry anew and the chain behind it."""

    def attack(conn: Connection) -> None:
        prev: str | None = None
        for row in conn.execute(sa.select(entries).where(entries.c.stream == "case:3").order_by("stream_seq")).all():
            entry = msgspec.structs.replace(decode_strict(bytes(row.body)), prev=prev)
            if row.stream_seq == seq:
                entry = msgspec.structs.replace(entry, **values)
            sealed = seal_entry(entry, KEY[0])
            change_entry(conn, "case:3", row.stream_seq, **sealed._asdict())
            prev = sealed.leaf_hash.hex()

    return attack


KEY: list[bytes] = []
NO_CHART = "overdue_loan@9#" + "0" * 64
# what is done to the log, what is said to be wrong, at which entry
BROKEN: dict[str, tuple[Callable[[Connection], None], str, int]] = {
    "a body changed": (edit, "mac_wrong", 2),
    "a MAC changed": (lambda conn: change_entry(conn, "case:3", 2, mac=bytes(32)), "mac_wrong", 2),
    "a MAC cut": (lambda conn: change_entry(conn, "case:3", 2, mac=b""), "mac_wrong", 2),
    "an empty body": (lambda conn: change_entry(conn, "case:3", 2, body=b""), "mac_wrong", 2),
    "the opening gone": (remove(1), "stream_hole", 2),
    "an entry gone": (remove(3), "stream_hole", 4),
    "two entries swapped": (swap, "column_differs", 2),
    "an entry of another case": (borrowed, "column_differs", 2),
    "a link broken": (insider(2, event="case.step.reached"), "replay_impossible", 2),
    "a step out of another state": (insider(2, from_="settled"), "state_differs", 2),
    "a step into another state than the fold's": (insider(3, to="settled"), "state_differs", 3),
    "a fact without its data": (insider(3, data={"business_date": "2026-01-10"}), "replay_impossible", 3),
    "an entry of no kind": (insider(3, event="case.touched"), "replay_impossible", 3),
    "an opening that is none": (insider(1, event="case.noted"), "replay_impossible", 1),
    "a chart never published": (insider(2, chart=NO_CHART), "text_missing", 2),
    "no policy cited": (insider(2, policy=None), "replay_impossible", 2),
    "recorded before the entry before": (insider(3, recorded_at="2026-01-10T00:00:00.000000Z"), "back_dated", 3),
    "a last entry without a business date": (insider(4, data={}), "replay_impossible", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_an_entry_that_cannot_be_relied_on_is_named_and_nothing_is_answered(log: BuiltLog, name: str) -> None:
    attack, fault, seq = BROKEN[name]
    KEY[:] = [log.branch.mac_key]
    with log.attacked() as conn:
        with guards_down(conn):
            attack(conn)
        assert fault_of(lambda: case_as_of(conn, log.branch, 3, instant(LATER))) == (fault, "case:3", seq)
        assert portfolio_fault(conn, log) == (fault, "case:3", seq)
        assert case_as_of(conn, log.branch, 4, instant(LATER)).id == 4


def test_entries_linked_by_a_wrong_hash_are_not_believed(log: BuiltLog) -> None:
    """An authentic entry that does not follow from the one before it: a stream made of two."""
    with log.attacked() as conn:
        entry = msgspec.structs.replace(decode_strict(bytes(entry_at(conn, "case:3", 2).body)), prev="0" * 64)
        with guards_down(conn):
            change_entry(conn, "case:3", 2, **seal_entry(entry, log.branch.mac_key)._asdict())
        assert fault_of(lambda: case_as_of(conn, log.branch, 3, instant(LATER))) == ("link_broken", "case:3", 2)


def test_an_entry_missing_at_the_end_of_what_is_asked_for_shows_by_the_next(log: BuiltLog) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        lived.step(Measure(actor=logs.FEED, id=4, measure=logs.measure("2025-12-01"), run=1))
        first = lived.at
        lived.step(Note(actor=logs.PHONE, id=4, text="x"))
        seq = lived.rows[lived.at][4].audit_seq
        with guards_down(conn):
            conn.execute(entries.delete().where(entries.c.stream == "case:4", entries.c.stream_seq == seq - 1))
        assert fault_of(lambda: case_as_of(conn, log.branch, 4, instant(first))) == ("stream_hole", "case:4", seq)


def test_a_text_of_the_past_is_held_to_the_digest_it_is_cited_by(log: BuiltLog, tmp_path: Path) -> None:
    """What an older chart's entries say needs its text from the database: gone or changed, there is no answer."""
    newer = edition(log, tmp_path, r"qualifying_days = \{ value = 5", "qualifying_days = { value = 6")
    mine = log.branch.rulebook.policies.all[0]
    with log.attacked() as conn:
        told = case_as_of(conn, log.branch, 3, instant(LATER))
        publish(conn, newer, system("cli"), clock=lambda: LATER + timedelta(hours=1))
        assert case_as_of(conn, newer, 3, instant(LATER)) == told
        where = texts.c.digest == mine.digest
        for body, fault in ((mine.text + b"\n# x", "text_changed"), (b"[", "text_unreadable"), (None, "text_missing")):
            with guards_down(conn):
                if body is None:
                    conn.execute(texts.delete().where(where))
                else:
                    conn.execute(texts.update().where(where).values(body=body))
            assert fault_of(lambda: case_as_of(conn, newer, 3, instant(LATER)))[0] == fault
            assert case_as_of(conn, log.branch, 3, instant(LATER)) == told  # who has the text needs no copy


def edition(log: BuiltLog, folder: Path, pattern: str, figure: str) -> Branch:
    """The branch with the next edition of its policy."""
    shutil.copytree(log.settings.statecharts, folder / "charts")
    (path,) = (folder / "charts" / "policy").glob("*.toml")
    text, edits = re.subn(pattern, figure, path.read_text(encoding="utf-8"))
    assert edits == 1
    path.unlink()
    path.with_name("2024-01-01.11.toml").write_text(text, encoding="utf-8")
    return Branch(load_rulebook(folder / "charts"), log.branch.vault, log.branch.mac_key)


# ── dates and buckets ───────────────────────────────────────────────────────────────────────────────────────────────


def fed(conn: Connection, log: BuiltLog, as_of: date, at_: Any) -> None:
    """What an import leaves behind in the log."""
    trail = log.branch.trail(at_)
    trail.append(
        conn,
        "feed:wuhan",
        Draft("feed.applied", logs.FEED.signed, {"left": {"business_date": as_of.isoformat()}, "run": 1}),
    )
    trail.write(conn)


def test_the_business_date_is_the_last_feeds_else_the_cases_own_else_the_calendars(log: BuiltLog) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        known = case_as_of(conn, log.branch, 3, instant(lived.at))
        assert (known.business_date, known.business_date_from) == (date(2026, 1, 11), "calendar")
        fed(conn, log, date(2026, 1, 9), lived.at + timedelta(seconds=1))
        fed(conn, log, date(2026, 2, 12), lived.at + timedelta(seconds=9))
        told = [
            (
                then.business_date,
                then.business_date_from,
                then.days_past_due,
                then.bucket_recorded,
                then.bucket_computed,
            )
            for seconds in (0, 1, 8, 9)
            for then in [case_as_of(conn, log.branch, 3, instant(lived.at + timedelta(seconds=seconds)))]
        ]
        # Its own entries are of 10 January: a feed of the day before does not undo that.
        assert told == [
            (date(2026, 1, 11), "calendar", 6, "M1", "M1"),
            (date(2026, 1, 10), "entry", 5, "M1", "M1"),
            (date(2026, 1, 10), "entry", 5, "M1", "M1"),
            (date(2026, 2, 12), "feed", 38, "M1", "M2"),
        ]


def test_a_bucket_is_computed_by_the_policy_that_had_been_published_by_then(log: BuiltLog, tmp_path: Path) -> None:
    narrower = edition(
        log, tmp_path, r'"M1", low_dpd = 1, high_dpd = 30 \},\n  \{ name = "M2", low_dpd = 31',
        '"M1", low_dpd = 1, high_dpd = 4 },\n  { name = "M2", low_dpd = 5',
    )  # fmt: skip
    with log.attacked() as conn:
        publish(conn, narrower, system("cli"), clock=lambda: BUILT + timedelta(minutes=1))
        for branch in (log.branch, narrower):
            before, after = (
                case_as_of(conn, branch, 3, instant(BUILT + timedelta(seconds=seconds))) for seconds in (59, 60)
            )
            assert (before.bucket_recorded, before.bucket_computed, after.bucket_computed) == ("M1", "M1", "M2")
            assert (before.policy, after.policy) == tuple(
                one.rulebook.policies.all[0].ref for one in (log.branch, narrower)
            )


def test_only_entries_change_fields_and_time_changes_what_is_computed(log: BuiltLog) -> None:
    with log.attacked() as conn:
        fed(conn, log, date(2026, 2, 12), BUILT + timedelta(seconds=9))
        found: CaseDifference = case_difference(
            conn, log.branch, 3, instant(BUILT), instant(BUILT + timedelta(seconds=9))
        )
    assert (found.changes, found.entries, found.entries_in_all) == ([], [], 0)
    assert found.before is not None
    assert (found.before.bucket_computed, found.after.bucket_computed) == ("M1", "M2")


def test_a_change_names_the_fact_that_changed_with_its_value_before(log: BuiltLog) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch)
        before = lived.rows[lived.at][1]
        (done,) = lived.step(Fire(actor=logs.FEED, id=1, event="recover", data={"payment": "p:1", "amount_fen": 7}))
        assert isinstance(done, Done)
        changes = {
            change.field: (change.before, change.after) for change in changes_between(before, lived.rows[lived.at][1])
        }
    assert changes["facts.recovered_fen"] == (0, 7)
    assert changes.keys() <= {"version", "facts.recovered_fen", "facts.recoveries", "facts.material_version"}
