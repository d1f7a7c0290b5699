"""Days that cases were told are held against the debtor's stream in a bundle too, without a database or a key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casework.clock import now
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.export import export_log, fresh_folder
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Record
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from tests.bundle.forged import codes
from tests.bundle.rewritten import rewrite
from tests.dialler.called import moment
from tests.dialler.corrected import correct
from tests.dialler.test_days_told import two_days_told
from tests.feed.bank import Bank
from tests.feed.conftest import BankAfter
from tests.work.test_promises import day

DAY_TOLD = "case.fact.contact_day"


@pytest.fixture
def told(bank_after: BankAfter) -> Bank:
    """One debtor, two calls on each of two days, which the cases were told; one result was corrected since."""
    return bank_after(_furnish)


def _furnish(bank: Bank) -> None:
    two_days_told(bank)
    with writing(bank.started.engine) as conn:
        correct(conn, bank.started.branch, "q1-0-15", "dialler", "third_party", system("cli"), moment(19, "13:00:00"))
    bank.assert_sound()


def bundle(bank: Bank, folder: Path) -> Path:
    started = bank.started
    sealer = Sealer(started.engine, started.branch.mac_key, started.branch.vault, started.settings.keys_dir)
    assert sealer.round().refused is None
    with fresh_folder(folder) as place, reading(started.engine, snapshot=True) as conn:
        export_log(conn, place, signer.known_keys(started.settings.keys_dir), made_at=now())
    return folder


def verified(folder: Path, jobs: int = 1) -> Report:
    return verify_bundle(folder, KeysHeld(), deep=replay, jobs=jobs)


def said(**changed: Any) -> Callable[[Entry], Entry]:
    """The entry with other data."""

    def change(entry: Entry) -> Entry:
        data = dict(entry.data)
        for name, value in changed.items():
            data[name] = {**data[name], **value} if isinstance(value, dict) else value
        return msgspec.structs.replace(entry, data=data)

    return change


@pytest.mark.parametrize("jobs", [1, 2])
def test_days_told_as_the_debtors_stream_has_them_are_sound_in_a_bundle(told: Bank, tmp_path: Path, jobs: int) -> None:
    report = verified(bundle(told, tmp_path / "bundle"), jobs)
    assert (report.verdict, report.days_by_hand) == ("sound", 0)


FORGED: list[tuple[str, str, Callable[[Entry], Entry]]] = [
    ("an attempt more", DAY_TOLD, said(given={"attempts": 3})),
    ("that they answered", DAY_TOLD, said(given={"connected": True})),
    ("by an entry that is not there", DAY_TOLD, said(evidence="contact:9")),
    ("by an entry too early", DAY_TOLD, said(evidence="contact:3")),
    ("another day", DAY_TOLD, said(on=str(day(1)))),
    ("no number of an entry", DAY_TOLD, said(evidence="contact:some")),
    ("of a contact with another party", "contact.recorded", said(party="guarantor", outcome="third_party")),
    ("of a contact of another day", "contact.recorded", said(started_at=f"{day(3)}T10:00:00+08:00")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "event", "change"), FORGED, ids=[row[0] for row in FORGED])
def test_a_day_told_otherwise_than_the_debtors_stream_has_it_is_named_in_a_bundle(
    told: Bank, tmp_path: Path, what: str, event: str, change: Callable[[Entry], Entry]
) -> None:
    """Whoever has the signing key wrote all of it anew."""
    folder = bundle(told, tmp_path / "bundle")
    rewrite(folder, event, change)
    found = [one for one in verified(folder).findings if one.code == "told_differs"]
    assert [one.stream for one in found] == [f"case:{told.case(1).id}"], what


# (what is told once more, attempts, connected, whether the case was told so before)
AGAIN = [("as before", 2, False, True), ("an attempt more", 3, False, False), ("that they answered", 2, True, False)]


@pytest.mark.parametrize(("what", "attempts", "connected", "known"), AGAIN, ids=[row[0] for row in AGAIN])
def test_a_day_that_is_told_once_more_must_be_as_it_was_told_before(
    told: Bank, tmp_path: Path, what: str, attempts: int, connected: bool, known: bool
) -> None:
    record(told, "contact:told", attempts, connected=connected)
    found = [(one.code, one.stream_seq) for one in told.verified().findings]
    assert found == ([] if known else [("told_differs", told.case(1).audit_seq)]), what
    assert codes(verified(bundle(told, tmp_path / "bundle"))) == (set() if known else {"told_differs"})


def test_a_day_that_rests_on_other_evidence_is_counted_and_accuses_nobody(told: Bank, tmp_path: Path) -> None:
    record(told, "doc:77", 3, connected=True)
    live, alone = told.verified(), verified(bundle(told, tmp_path / "bundle"))
    assert [(one.verdict, one.days_by_hand) for one in (live, alone)] == [("sound", 1)] * 2


def record(bank: Bank, evidence: str, attempts: int, *, connected: bool) -> None:
    given = {"attempts": attempts, "connected": connected}
    told = Record(
        actor=system("cli"), id=bank.case(1).id, kind="contact_day", on=day(1), evidence=evidence, data=given
    )  # fmt: skip
    with writing(bank.started.engine) as conn:
        (done,) = advance(conn, [told], bank.started.branch, clock=lambda: moment(20, "12:00:00"))
    assert isinstance(done, Done)
