"""What is entered in contact books in the log, in bundles and in what was known then; entered by many at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from casework.clock import now
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.export import export_log, fresh_folder
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.intake.contact_book.adding import Added
from casework.intake.dialler.importing import import_contacts
from casework.log.write import signer
from casework.operation.sealing import sealer_of
from casework.storage.database import reading, writing
from tests.contact_book.books import book, enter, entered, marked, way
from tests.dialler.called import call, text
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter


@pytest.fixture
def lent(bank_after: BankAfter) -> Bank:
    """Two debtors in arrears, each with a number from the feed."""
    return bank_after(_furnish)


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])


def test_the_same_number_entered_by_eight_at_once_is_one_entry(lent: Bank) -> None:
    """While others enter numbers of another debtor: each is there once, and the books are as entries state."""
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda at: enter(lent, way(), way(2, phone=f"1220000{at:04}")), range(8)))
    first = [one[0] for one in told]
    assert all(isinstance(one, Added) for one in first)
    assert len({one.contact_id for one in first if isinstance(one, Added)}) == 1
    assert sum(one.entry_id is not None for one in first if isinstance(one, Added)) == 1
    assert (len(book(lent)), len(book(lent, 2))) == (2, 9)
    lent.assert_sound()


def test_entries_between_feeds_are_restated_and_the_next_feed_states_the_books_whole(lent: Bank) -> None:
    contact_id = entered(lent, way())
    marked(lent, contact_id, "refused")
    restated = [one for one in lent.bodies(f"feed:{lent.institution}") if one["event"] == "feed.rows_restated"]
    assert [one["data"]["because"].rpartition(":")[0] for one in restated] == [f"borrower:{lent.institution}~B1"] * 2
    assert [{way: len(macs) for way, macs in one["data"]["swapped"]["contacts"].items()} for one in restated] == [
        {"new": 1}, {"gone": 1, "new": 1},
    ]  # fmt: skip
    lent.send(DAY + timedelta(days=1), [arrears(1), arrears(2)], contacts=[contact(1), contact(2)])
    assert lent.bodies(f"feed:{lent.institution}")[-1]["data"]["left"]["contacts"]["rows"] == 3
    lent.assert_sound()


def test_a_bundle_with_contact_books_verifies_deep_and_holds_nothing_personal(lent: Bank, tmp_path: Path) -> None:
    marked(lent, entered(lent, way()), "ended")
    started, folder = lent.started, tmp_path / "bundle"
    assert sealer_of(started).round().refused is None
    keys = signer.known_keys(started.settings.keys_dir)
    with fresh_folder(folder) as place, reading(started.engine, snapshot=True) as conn:
        export_log(conn, place, keys, made_at=now(), witnesses=())
    report = verify_bundle(folder, KeysHeld(keys=keys), deep=replay)
    assert [one.code for one in report.findings] == []
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(b"contact.added" in body for body in files)
    assert not any(secret.encode() in body for secret in ("12100000001", "甄不存二", "sibling") for body in files)


@pytest.mark.only("postgresql")
def test_a_number_is_entered_while_a_contact_file_comes_in_unless_its_debtor_is_in_the_file(lent: Bank) -> None:
    """The file holds the streams of its debtors until it is in, and nothing of the institution."""
    engine, branch = lent.started.engine, lent.started.branch
    rows = text(*(call(f"c{number}", 1, result="debtor" if number == 0 else "busy") for number in range(50)))
    with ThreadPoolExecutor(2) as pool:
        with writing(engine) as conn:
            taken = import_contacts(conn, branch, rows.encode(), "calls.csv", "dialler", lent.actor)
            assert (taken.stored, taken.set_aside) == (50, [])
            other, same = (pool.submit(enter, lent, way(number)) for number in (2, 1))
            assert isinstance(other.result(timeout=5)[0], Added), "not in the file: at once"
            marked(lent, book(lent, 2)[-1].id, "ended")
            time.sleep(0.2)
            assert not same.done(), "in the file: once it is in"
        assert isinstance(same.result(timeout=5)[0], Added)
    lent.assert_sound()
