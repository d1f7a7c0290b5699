"""A folder whose files were mended is given its manifest anew by one command."""

import json
from pathlib import Path
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.feed.folder import read_folder
from casework.intake.feed.making_manifest import Stated, make_manifest
from casework.settings import Settings
from tests.feed.bank import DAY, Bank, arrears, contact, loan, paid, write
from tests.feed.shell import casework


def sent(bank: Bank, form: Any = "csv") -> Path:
    return write(
        bank.folder / "day", DAY, form=form, overdue=[arrears(1), arrears(2)], loans=[loan(1), loan(2)],
        contacts=[contact(1)], repayments=[paid("R1", 1, DAY)],
    )  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "csv_gb18030", "csv_gz", "xlsx"])
def test_it_states_of_untouched_files_what_was_stated(bank: Bank, form: Any) -> None:
    folder = sent(bank, form)
    before = read_folder(folder)
    make_manifest(folder, Stated())
    assert read_folder(folder).digest == before.digest
    assert not list(folder.glob(".*"))


def test_a_mended_file_is_refused_before_and_goes_in_after(bank: Bank, settings: Settings) -> None:
    folder = sent(bank)
    (folder / "overdue-2024-06-03.csv").write_text(
        (folder / "overdue-2024-06-03.csv").read_text().replace("1000.00", "1234.50")
    )
    assert casework(settings, "feed", "import", folder).code == 1
    told = casework(settings, "feed", "manifest", folder)
    assert (told.code, "overdue-2024" in told.out, told.err) == (0, True, "")
    assert casework(settings, "feed", "import", folder).code == 0


def test_without_a_manifest_files_are_known_by_name_and_day_and_institution_are_asked_for(
    bank: Bank, settings: Settings
) -> None:
    folder = sent(bank)
    before = read_folder(folder)
    (folder / "manifest.json").unlink()
    refused = casework(settings, "feed", "manifest", folder)
    assert (refused.code, refused.err.count("\n"), (folder / "manifest.json").exists()) == (1, 1, False)
    words = ("--as-of", DAY.isoformat(), "--institution", before.institution, "--json")
    assert json.loads(casework(settings, "feed", "manifest", folder, *words).out)["files"][0]["rows"] == 2
    assert read_folder(folder).digest == before.digest


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "overdue-2024-06-03.csv").unlink(), "file_missing"),
        (lambda folder: (folder / "loans-2024-06-03.csv").write_text("借据号,客户号\n"), "column_missing"),
        (lambda folder: (folder / "loans-2024-06-03.csv").write_text("loan_id;borrower_id\n"), "other_separator"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest_malformed"),
    ],
    ids=["gone", "without a column", "semicolons", "a broken manifest"],
)
def test_a_folder_that_cannot_be_stated_keeps_the_manifest_that_it_had(bank: Bank, spoil: Any, code: str) -> None:
    folder = sent(bank)
    spoil(folder)
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(CallerError) as caught:
        make_manifest(folder, Stated())
    assert caught.value.code == code
    assert (folder / "manifest.json").read_bytes() == before
