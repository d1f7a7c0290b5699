"""The heads of all cases are stated once a day, truly, by one of many processes; what is false of them is named."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.dossier.heads import DailyHeads, sealed_heads
from casework.evidence.dossier.tables import case_head_tiles, case_heads
from casework.log.format.case_heads import (
    EVENT,
    CaseHead,
    build,
    case_of,
    statement_of,
)
from casework.log.format.chain import leaf_hash, mac
from casework.log.format.entry import decode_strict, encode
from casework.log.tables import entries, leaves, streams
from casework.storage.database import writing
from casework.work.cases.tables import cases
from tests.dossier.conftest import CASE, Stated
from tests.log.built_log import CASES, change_entry, entry_at


def by_definition(conn: Connection, size: int) -> list[CaseHead]:
    """The heads as the leaves have them, leaf by leaf."""
    wanted = sa.select(entries.c.stream, entries.c.stream_seq, leaves.c.leaf_hash).join(
        leaves, leaves.c.entry == entries.c.id
    )
    found = {}
    for stream, seq, leaf in conn.execute(wanted.where(leaves.c.leaf_index < size).order_by(leaves.c.leaf_index)):
        if (case := case_of(stream)) is not None:
            found[case] = CaseHead(case, seq, bytes(leaf))
    return [found[case] for case in sorted(found)]


def statements(conn: Connection) -> list[Any]:
    at = sa.select(entries.c.body).where(entries.c.event == EVENT).order_by(entries.c.id)
    return [statement_of(decode_strict(bytes(body))) for body in conn.execute(at).scalars()]


def test_a_statement_is_what_the_first_leaves_make_of_it_and_verification_agrees(stated: Stated) -> None:
    with stated.reading() as conn:
        (found,) = statements(conn)
        built = build(by_definition(conn, found.size))
        assert (found.day, found.cases, found.root) == ("2026-01-11", CASES, built.root)
        report = stated.verify(conn)
    assert (report.findings, report.verdict) == ([], "sound")


def test_a_case_whose_entries_are_not_all_sealed_is_stated_as_far_as_it_is(stated: Stated) -> None:
    """By the queue, in the same snapshot; cases that are not sealed at all are left out."""
    with stated.reading() as conn:
        true = by_definition(conn, 10**6)
        assert list(sealed_heads(conn)) == true
    stated.note(1, 1, 3)
    with stated.reading() as conn:
        assert list(sealed_heads(conn)) == by_definition(conn, 10**6) == true
    stated.seal()
    with stated.reading() as conn:
        assert list(sealed_heads(conn)) == by_definition(conn, 10**6) != true


# --- attacks, rolled back


def rewind(conn: Connection) -> None:
    """The case's row says one entry less than there are; its entries are left as they are."""
    before = entry_at(conn, f"case:{CASE}", 8)
    conn.execute(
        cases.update().where(cases.c.id == CASE).values(audit_seq=8, audit_head=bytes(before.leaf_hash))
    )  # fmt: skip


def cut_tail(conn: Connection) -> None:
    """The last two entries are gone and the row is rewound: what the statement counted is there no more."""
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == CASE)).scalar_one()
    at = (entries.c.stream == f"case:{CASE}") & (entries.c.stream_seq > last - 2)
    conn.execute(entries.delete().where(at))
    before = entry_at(conn, f"case:{CASE}", last - 2)
    values = {"audit_seq": last - 2, "audit_head": bytes(before.leaf_hash), "last_entry_at": before.recorded_at}
    conn.execute(cases.update().where(cases.c.id == CASE).values(values))


def restate(conn: Connection, mac_key: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """With the MAC key: the statement says something else, hash, MAC, head and leaf made anew."""
    row = conn.execute(sa.select(entries).where(entries.c.event == EVENT).order_by(entries.c.id).limit(1)).one()
    entry = decode_strict(bytes(row.body))
    entry.data.update(change(entry.data))
    body = encode(entry)
    leaf = leaf_hash(body)
    change_entry(conn, row.stream, row.stream_seq, body=body, leaf_hash=leaf, mac=mac(mac_key, leaf))
    conn.execute(leaves.update().where(leaves.c.entry == row.id).values(leaf_hash=leaf))
    last = streams.c.audit_seq == row.stream_seq
    conn.execute(streams.update().where(streams.c.stream == row.stream, last).values(audit_head=leaf))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"root": "5f" * 32}, "case_heads_differ"), ({"cases": CASES - 1}, "case_heads_differ"),
        ({"size": 10}, "case_heads_malformed"), ({"size": 60}, "case_heads_differ"),
        ({"size": 10**9}, "case_heads_differ"), ({"day": "yesterday"}, "case_heads_malformed"),
    ],
)  # fmt: skip
def test_a_statement_that_was_rewritten_is_named(stated: Stated, change: dict[str, Any], code: str) -> None:
    """Behind a consistent chain: what convicts is that the leaves make something else."""
    assert code in stated.codes(lambda conn: restate(conn, stated.log.branch.mac_key, lambda _: change))


def test_a_case_whose_tail_was_cut_is_convicted_by_the_statement_that_counted_it(stated: Stated) -> None:
    assert {"case_heads_differ", "sealed_entry_missing"} <= stated.codes(cut_tail)


def test_a_row_that_was_rewound_makes_the_next_statement_a_false_one(stated: Stated) -> None:
    """The service states what the row says; whoever has the leaves finds that it is not so."""

    def attack(conn: Connection) -> None:
        rewind(conn)
        built = build(sealed_heads(conn))
        with_row = {"size": conn.execute(sa.select(sa.func.count()).select_from(leaves)).scalar_one(),
                    "cases": built.cases, "root": built.root.hex()}  # fmt: skip
        row = conn.execute(sa.select(entries).where(entries.c.event == EVENT).order_by(entries.c.id).limit(1)).one()
        entry = decode_strict(bytes(row.body))
        assert with_row["root"] != entry.data["root"]
        # As the next statement would stand: at the end of the log, not sealed yet.
        conn.execute(leaves.delete().where(leaves.c.entry == row.id))
        restate(conn, stated.log.branch.mac_key, lambda _: with_row)

    assert "case_heads_differ" in stated.codes(attack)


# --- the rows from which dossiers take their proofs


def record_edited(conn: Connection) -> None:
    """The head of one case is said to be an entry before."""
    data = bytes(conn.execute(sa.select(case_heads.c.records)).scalars().first() or b"")
    conn.execute(case_heads.update().values(records=data[:15] + bytes([data[15] - 1]) + data[16:]))


def record_cut(conn: Connection) -> None:
    data = bytes(conn.execute(sa.select(case_heads.c.records)).scalars().first() or b"")
    conn.execute(case_heads.update().values(records=data[:-48]))


def record_spoilt(conn: Connection) -> None:
    conn.execute(case_heads.update().values(records=b"nothing"))


def first_case_edited(conn: Connection) -> None:
    conn.execute(case_heads.update().values(first_case=case_heads.c.first_case + 1))


def renumbered(conn: Connection) -> None:
    conn.execute(case_heads.update().values(number=7))


def tile_slipped_in(conn: Connection) -> None:
    at = conn.execute(sa.select(case_heads.c.log, case_heads.c.statement).limit(1)).one()
    values = {"log": at.log, "statement": at.statement, "level": 1, "number": 0, "hashes": bytes(32)}
    conn.execute(case_head_tiles.insert().values(values))


def given_to_no_statement(conn: Connection) -> None:
    conn.execute(case_heads.update().values(statement=99))


def all_deleted(conn: Connection) -> None:
    conn.execute(case_heads.delete())


ROWS: list[tuple[Callable[[Connection], None], set[str]]] = [
    (record_edited, {"row_differs"}), (record_cut, {"row_differs"}), (record_spoilt, {"row_differs"}),
    (first_case_edited, {"row_differs"}), (renumbered, {"row_differs"}), (tile_slipped_in, {"row_differs"}),
    (given_to_no_statement, {"row_without_entries", "heads_not_kept"}), (all_deleted, {"heads_not_kept"}),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "codes"), ROWS, ids=lambda one: getattr(one, "__name__", ""))
def test_rows_of_the_heads_that_were_changed_are_found_by_live_verification(
    stated: Stated, attack: Callable[[Connection], None], codes: set[str]
) -> None:
    """Medium 15: before, only each dossier that was asked for failed."""
    assert stated.codes(attack) == codes


# --- once a day (these commit)


def test_two_processes_at_midnight_state_the_heads_once(stated: Stated) -> None:
    """Any number of them: one statement a day, each day, at the first round after branch midnight."""
    engine, branch = stated.log.engine, stated.log.branch
    for days in (1, 2):
        at = stated.at + timedelta(days=days)
        chores = [DailyHeads(engine, branch, clock=lambda at=at: at) for _ in range(4)]  # type: ignore[misc]  # mypy infers no default of a lambda
        barrier = threading.Barrier(4)

        def go(chore: DailyHeads, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            chore()
            chore()

        threads = [threading.Thread(target=go, args=(chore,)) for chore in chores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stated.seal()
    with stated.reading() as conn:
        days_stated = [one.day for one in statements(conn)]
        assert days_stated[-2:] == ["2026-01-12", "2026-01-13"]
        assert len(set(days_stated)) == len(days_stated)


def test_on_demand_nothing_is_stated_where_no_case_has_changed(stated: Stated) -> None:
    stated.note(CASE)
    stated.seal()
    assert stated.state() is not None
    stated.seal()
    assert stated.state() is None
    assert stated.state(daily=True) is None


def test_the_trees_of_the_newest_statements_are_kept_and_those_before_are_not(stated: Stated) -> None:
    for _ in range(4):
        stated.note(CASE)
        stated.seal()
        assert stated.state() is not None
    with stated.reading() as conn:
        held = conn.execute(sa.select(case_heads.c.statement).distinct()).scalars().all()
        newest = conn.execute(sa.select(sa.func.max(entries.c.stream_seq)).where(entries.c.event == EVENT)).scalar_one()
        # The last is not under a checkpoint yet; the one before is, and among the newest.
        assert sorted(held) == [newest - 2, newest - 1, newest]
        assert conn.execute(sa.select(sa.func.count()).select_from(case_head_tiles)).scalar_one() == 0  # fifty cases
        assert len(statements(conn)) > len(held)
        report = stated.verify(conn)
    assert (report.findings, report.verdict) == ([], "sound")


def test_where_the_rows_of_the_newest_statement_were_changed_heads_are_stated_anew(stated: Stated) -> None:
    """The way out (`casework audit heads`), though no case has another head."""
    stated.state()
    stated.seal()
    assert stated.state() is None
    with writing(stated.log.engine) as conn:
        record_spoilt(conn)
    with stated.reading() as conn, pytest.raises(CallerError):
        stated.made(conn)
    assert stated.state() is not None
    stated.seal()
    with stated.reading() as conn:
        assert stated.made(conn).shown.report.verdict == "sound"
    with writing(stated.log.engine) as conn:
        newest = sa.select(sa.func.max(case_heads.c.statement)).scalar_subquery()
        conn.execute(case_heads.delete().where(case_heads.c.statement != newest))
    with stated.reading() as conn:
        assert stated.verify(conn).findings == []
