"""A feed can be tried: what its import would do is told, and nothing of it stays."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.feed.load import ImportRequest, try_feed
from casework.intake.feed.tried import Tried
from tests.feed.bank import DAY, Bank, arrears, contact, loan, paid, write

NEXT = DAY + timedelta(days=1)
FORTY = [loan(number) for number in range(1, 41)]
SECOND: Any = {
    "overdue": [arrears(number) for number in range(2, 41)],
    "loans": FORTY,
    "contacts": [contact(1)],
    "repayments": [paid("P1", 1, NEXT)],
}


def furnished(bank: Bank) -> None:
    bank.send(DAY, [arrears(number) for number in range(1, 40)], loans=FORTY)


def files_below(place: Path | None) -> dict[str, bytes]:
    """What is kept of loans."""
    found = place.rglob("*") if place is not None else ()
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def tried(bank: Bank, folder: Path, **asked: Any) -> Tried:
    """What a dry run tells, after which everything is byte for byte as before."""
    started = bank.started
    before = bank.dump(), files_below(started.branch.loans_dir)
    told = try_feed(started.engine, started.branch, folder, ImportRequest(bank.actor, **asked))
    assert (bank.dump(), files_below(started.branch.loans_dir)) == before
    return told


def test_a_dry_run_tells_the_figures_of_the_import_that_follows_and_changes_nothing(
    bank_after: Callable[[Callable[[Bank], object]], Bank],
) -> None:  # fmt: skip
    bank = bank_after(furnished)
    folder = write(bank.folder / "second", NEXT, **SECOND)
    told = tried(bank, folder)
    run = bank.take(folder)
    assert told.run.id == 0
    assert told.run.status == run.status == "applied"
    assert told.run.figures == run.figures
    assert (run.figures["gone"], run.figures["opened"]) == (1, 1)
    assert told.run.files == run.files
    bank.assert_sound()


def test_a_first_feed_can_be_tried(bank: Bank) -> None:
    folder = write(bank.folder / "first", DAY, overdue=[arrears(1)], loans=FORTY)
    told = tried(bank, folder)
    assert told.run.figures == bank.take(folder).figures


def test_a_dry_run_tells_which_rows_would_be_set_aside_without_their_values(bank: Bank) -> None:
    rows = [arrears(number) for number in range(1, 41)]
    rows[4] = rows[4] | {"overdue_principal": "much"}
    folder = write(bank.folder / "odd", DAY, overdue=rows, loans=FORTY)
    told = tried(bank, folder)
    run = bank.take(folder)
    assert told.set_aside_rows == run.figures["set_aside_rows"] == 1
    (fault,) = told.set_aside
    assert (fault.line, fault.column, fault.value) == (6, "overdue_principal", None)


def test_a_refused_dry_run_tells_the_refusal_of_the_import_and_records_none(bank: Bank) -> None:
    furnished(bank)
    vanished = write(bank.folder / "vanished", NEXT, overdue=[arrears(1)])
    much = [arrears(number) | ({"overdue_principal": "much"} if number < 9 else {}) for number in range(1, 40)]
    odd = write(
        bank.folder / "odd",
        NEXT,
        overdue=much,
    )
    cut = write(bank.folder / "cut", NEXT, overdue=[arrears(1)])
    (cut / "manifest.json").unlink()
    for folder in (vanished, odd, cut):
        told = tried(bank, folder)
        with pytest.raises(CallerError) as real:
            bank.take(folder)
        assert told.run.refusal == bank.runs()[-1].refusal
        assert told.run.refusal is not None
        assert told.run.refusal["code"] == real.value.code
        assert told.run.status == bank.runs()[-1].status
    assert tried(bank, odd).set_aside_rows == 8


def test_a_feed_that_is_applied_already_is_told_as_repeated(bank: Bank) -> None:
    folder = write(bank.folder / "first", DAY, overdue=[arrears(1)], loans=FORTY)
    bank.take(folder)
    assert tried(bank, folder).run.status == "repeated"
