"""All or nothing, whoever else is writing: erasures that are killed, beside writers, of many people, in many parts."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from casework.clock import now
from casework.errors import TryAgain
from casework.intake.feed.tables import borrowers, contacts
from casework.lifecycle.commands import Done, Note
from casework.log.check.erased import read_erased
from casework.log.tables import erasures, opening_keys, openings
from casework.log.write.data_keys import keys_for
from casework.oversight.privacy.reach import Gone
from casework.storage.database import reading, writing
from casework.work.cases.tables import idempotency
from casework.work.four_eyes.tables import requests
from casework.work.requests import ERASED as MARK
from tests.api.server import environment
from tests.conftest import LONGER
from tests.feed.bank import arrears, contact, loan
from tests.privacy.conftest import NOTE, PEOPLE, REP, House


def held(house: House, number: int) -> tuple[int, ...]:
    """What there is of a borrower, place by place, and at the end the erasures of his."""
    case = f"case:{house.case_id(number)}"
    of_him = borrowers.c.borrower_id == f"B{number}"
    places = (
        sa.select(openings.c.field).where(openings.c.stream == case),
        sa.select(opening_keys.c.subject).where(opening_keys.c.subject == f"borrower:demo~B{number}"),
        sa.select(contacts.c.id).where(contacts.c.borrower_id == f"B{number}"),
        sa.select(borrowers.c.institution).where(of_him, borrowers.c.name_index.is_not(None)),
        sa.select(requests.c.id).where(requests.c.subject == case, requests.c.data_sealed != MARK),
        sa.select(idempotency.c.key).where(idempotency.c.status == 200),
        sa.select(erasures.c.stream_seq).where(erasures.c.borrower_id == f"B{number}"),
    )
    return tuple(len(house.read(place)) for place in places)


# ── killed ──────────────────────────────────────────────────────────────────────────────────────────────────

_KILLED_AT = """
import os, signal
from casework.oversight.privacy import erase

whole = erase._record

def cut_short(*given, **more):
    {before}os.kill(os.getpid(), signal.SIGKILL)

erase._record = cut_short
from casework.cli import main
main(["privacy", "erase", "B1", "--basis", "unlawful", "--yes"])
"""


def erased_by_a_process(house: House, before: str) -> int:
    """`casework privacy erase` in a process that is killed (SIGKILL) as or after it writes its entry; the exit code."""
    code = _KILLED_AT.format(before=before)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment(house.started.settings), capture_output=True, check=False
    ).returncode


def test_killed_at_any_point_before_its_commit_nothing_is_gone_and_the_next_takes_everything(house: House) -> None:
    house.answered("key", {"case_id": house.case_id(1)})
    before = held(house, 1)
    assert all(before[:-1])
    killed = -signal.SIGKILL
    assert erased_by_a_process(house, "") == killed  # every place is empty, no entry yet
    assert held(house, 1) == before
    # Entry and mark are written too, only the commit is missing.
    assert erased_by_a_process(house, "whole(*given, **more); ") == killed
    assert held(house, 1) == before
    assert house.report().verdict == "sound"
    house.erase(1, "unlawful", at=now)
    assert held(house, 1) == (0, 0, 0, 0, 0, 0, 1)
    assert house.report().verdict == "sound"


# ── beside others ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def somebody_writing_notes(house: House, number: int) -> Iterator[list[str]]:
    """Another connection that writes notes on a case, one transaction each; the ids of the entries, as they come."""
    stop, written, faults = threading.Event(), list[str](), list[BaseException]()

    def write() -> None:
        while not stop.is_set():
            try:
                (done,) = house.do(Note(actor=REP, id=house.case_id(number), text=NOTE))
                assert isinstance(done, Done), done
                written.append(done.entry_id)
            except TryAgain:
                continue
            except BaseException as fault:  # noqa: BLE001  (told in the test's own thread)
                faults.append(fault)
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        stop.set()
        writer.join(30)
    assert not faults, faults


def test_no_note_that_is_written_meanwhile_escapes(house: House) -> None:
    stream = f"case:{house.case_id(1)}"
    with somebody_writing_notes(house, 1) as written:
        for _ in range(4):
            at_least = len(written) + 3
            while len(written) < at_least:
                pass
            house.erase(1, "unlawful", at=now)
    branch = house.started.branch
    with reading(house.engine, snapshot=True) as conn:
        erased = read_erased(conn, branch.mac_key)
        there = set(conn.execute(sa.select(openings.c.stream_seq).where(openings.c.stream == stream)).scalars())
    seqs = {int(entry_id.rpartition(":")[2]) for entry_id in written}
    assert {seq for seq in seqs if erased.by(stream, seq) is None} == there & seqs
    assert any(erased.by(stream, seq) is not None for seq in seqs)
    report = house.report()
    assert report.verdict == "sound", report.as_json()


@pytest.mark.only("postgresql")
def test_two_who_need_a_key_that_is_not_there_seal_with_the_same(house: House) -> None:
    vault, subject, sealed = house.started.branch.vault, "borrower:demo~B9", list[bytes]()

    def second() -> None:
        with writing(house.engine) as conn:
            sealed.append(keys_for(conn, vault, [subject], now())[subject].seal("note", "二"))

    with writing(house.engine) as conn:
        key = keys_for(conn, vault, [subject], now())[subject]
        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
        assert sealed == [], "the second waits for the first"
    other.join(10)
    assert key.open("note", sealed[0]) == "二"


@pytest.mark.only("postgresql")
def test_a_key_that_something_is_being_sealed_with_is_not_destroyed_before_that_is_done(house: House) -> None:
    vault, gone = house.started.branch.vault, list[Gone]()
    with writing(house.engine) as conn:
        keys_for(conn, vault, ["borrower:demo~B1"], now())
        eraser = threading.Thread(target=lambda: gone.append(house.erase(1).gone))
        eraser.start()
        eraser.join(0.3)
        assert gone == []
    eraser.join(10)
    assert gone[0].counts["keys"] == 1


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def whatever_the_rules_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases that are live may be erased too: what is looked at is what erasing does, not when it may."""
    monkeypatch.setattr("casework.oversight.privacy.erase.reasons_against", lambda *_: ())


@examples(max_examples=6 * LONGER, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(1, PEOPLE), min_size=1, max_size=6))
def test_whoever_is_erased_leaves_no_trace_and_everybody_else_stays(
    shared: House, whatever_the_rules_say: None, order: list[int]
) -> None:
    with shared.undone() as conn:
        vault = shared.started.branch.vault
        everybody = {f"B{number}" for number in range(1, PEOPLE + 1)}
        before = {row.borrower_id: tuple(row) for row in conn.execute(sa.select(borrowers))}
        texts = conn.execute(sa.select(sa.func.count()).select_from(openings)).scalar_one()
        gone = sum(shared.erased_in(conn, number).gone.counts["openings"] for number in order)
        erased = {f"B{number}" for number in order}
        after = {row.borrower_id: tuple(row) for row in conn.execute(sa.select(borrowers))}
        assert {one: after[one] for one in everybody - erased} == {one: before[one] for one in everybody - erased}
        assert all(after[one][2:6] == (None,) * 4 for one in erased)
        assert set(conn.execute(sa.select(contacts.c.borrower_id)).scalars()) == everybody - erased
        for number in order:
            index = vault.blind("name", f"甄不存{number}")
            assert conn.execute(sa.select(borrowers).where(borrowers.c.name_index == index)).all() == []
        assert conn.execute(sa.select(sa.func.count()).select_from(openings)).scalar_one() == texts - gone
        report = shared.checked(conn)
        assert report.verdict == "sound", report.as_json()
        assert report.openings_erased == gone


def test_more_streams_than_one_entry_names_are_covered_by_several(
    shared: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casework.log.format.erasure.STREAMS_AT_ONCE", 1)
    with shared.undone() as conn:
        told = shared.erased_in(conn, 1)
        assert len(told.entry_ids) == 3  # his own stream, a case, a request
        report = shared.checked(conn)
        assert (report.verdict, report.openings_erased, report.requests_erased) == ("sound", 3, 1), report.as_json()


def test_a_borrower_whose_id_no_stream_can_have_is_erased_like_others(
    house: House, whatever_the_rules_say: None
) -> None:
    odd = {"borrower_id": "客户/1"}
    numbers = range(1, PEOPLE + 2)
    loans = [loan(number, **(odd if number > PEOPLE else {})) for number in numbers]
    house.send(
        loans=loans, contacts=[contact(PEOPLE + 1, **odd)],
        overdue=[arrears(number, on=house.sent) for number in numbers if number not in (1, 2)],
    )  # fmt: skip
    house.done(Note(actor=REP, id=house.case_id(PEOPLE + 1), text=NOTE))
    told = house.erase_him(odd["borrower_id"])
    assert told.gone.counts["openings"] == told.gone.counts["contacts"] == 1
    assert told.entry_ids[0].startswith("borrower:demo~blind-")
    assert house.report().verdict == "sound"


# ── attack 18 on requests and keys ──────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_marked_erased_by_hand_is_found(shared: House) -> None:
    with shared.undone() as conn:
        conn.execute(requests.update().where(requests.c.id == 1).values(data_sealed=MARK))
        assert shared.found(conn) == {"opening_missing"}


def test_a_request_whose_data_come_back_after_the_erasure_is_found(shared: House) -> None:
    with shared.undone() as conn:
        (before,) = conn.execute(sa.select(requests.c.id, requests.c.data_sealed, requests.c.sealed_for).where(
            requests.c.subject == f"case:{shared.case_id(1)}"
        ))  # fmt: skip
        key = conn.execute(sa.select(opening_keys).where(opening_keys.c.subject == before.sealed_for)).one()
        shared.erased_in(conn, 1)
        conn.execute(opening_keys.insert().values(key._asdict()))
        back = {"data_sealed": before.data_sealed, "sealed_for": before.sealed_for}
        conn.execute(requests.update().where(requests.c.id == before.id).values(back))
        assert shared.found(conn) == {"opening_not_erased"}


@pytest.mark.parametrize("by", ["another's", "none"])
def test_a_key_that_was_exchanged_or_taken_away_opens_nothing(shared: House, by: str) -> None:
    with shared.undone() as conn:
        his = opening_keys.c.subject == "borrower:demo~B1"
        if by == "none":
            conn.execute(opening_keys.delete().where(his))
        else:
            other = sa.select(opening_keys.c.wrapped).where(opening_keys.c.subject == "borrower:demo~B2")
            conn.execute(opening_keys.update().where(his).values(wrapped=conn.execute(other).scalar_one()))
        assert shared.found(conn) == {"opening_wrong", "row_differs"}
