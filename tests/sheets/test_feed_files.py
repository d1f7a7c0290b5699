"""A feed's files: everything wrong with each of them in one round, by cell; rows mended in the place of the others."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casework.intake.feed.headers import HIDDEN, PERSONAL
from casework.intake.feed.mended_rows import put_mended
from casework.intake.feed.sheet import read_rows
from casework.personal import mask
from casework.settings import Settings
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.feed.shell import casework
from tests.sheets.test_every_file import in_csv, xlsx

FORTY = [loan(number) for number in range(1, 41)]


def rows_of(found: Sequence[dict[str, str]]) -> list[list[str]]:
    return [[*found[0]], *([*row.values()] for row in found)]


def folder_of(folder: Path, **kinds: Sequence[dict[str, str]]) -> Path:
    """Files of a day with their manifest; those of loans as CSV, the others as XLSX."""
    folder.mkdir()
    for kind, found in kinds.items():
        book = kind != "loans"
        rows = rows_of(found)
        (folder / f"{kind}.{'xlsx' if book else 'csv'}").write_bytes(xlsx(rows) if book else in_csv(rows))
    return folder


def manifest(settings: Settings, folder: Path, *more: str | Path) -> None:
    day = ("--as-of", DAY.isoformat(), "--institution", INSTITUTION)
    said = casework(settings, "feed", "manifest", folder, *(() if more else day), *more)
    assert said.code == 0, said.err


def aside(settings: Settings, run: int) -> set[tuple[Any, ...]]:
    found = json.loads(casework(settings, "feed", "set-aside", str(run), "--json").out)
    assert all(one["expected_zh"] and one["expected_en"] for one in found)
    return {(one["file"], one["cell"], one["code"], one["value"]) for one in found}


def test_every_fault_of_every_row_and_file_is_told_and_mended_rows_take_their_place(
    bank: Bank, settings: Settings, tmp_path: Path
) -> None:
    sheet = [arrears(number) for number in range(1, 40)]
    sheet[4] |= {"oldest_due_date": "soon", "overdue_interest": "-3", "overdue_penalty": "一元"}
    books = [*FORTY[:-1], loan(40, outstanding_principal="soon", borrower_id="=B40")]
    people = [contact(number) for number in range(1, 40)] + [contact(40, role="邻居", phone="call me", address="")]
    folder = folder_of(tmp_path / "day", loans=books, overdue=sheet, contacts=people)
    manifest(settings, folder)
    first = json.loads(casework(settings, "feed", "import", folder, "--json").out)
    assert (first["status"], first["set_aside_rows"]) == ("applied", 3)
    assert aside(settings, first["id"]) == {
        ("overdue.xlsx", "B6", "malformed_date", "soon"), ("overdue.xlsx", "D6", "negative_amount", "-3"),
        ("overdue.xlsx", "E6", "malformed_amount", "一元"),
        ("loans.csv", "outstanding_principal", "malformed_amount", "soon"),
        ("loans.csv", "borrower_id", "id_formula", "=B40"), ("contacts.xlsx", "C41", "unknown_role", "邻居"),
        ("contacts.xlsx", "A41", "unknown_borrower", "B40"),
        ("contacts.xlsx", "E41", "malformed_phone", "***"),
    }  # fmt: skip
    for kind, sound in (("overdue", {1: "2024-05-29", 3: "3", 4: "1"}), ("loans", {1: "B40", 12: "50000"})):
        path = tmp_path / f"{kind}.xlsx"
        assert casework(settings, "feed", "set-aside", str(first["id"]), "--kind", kind, "-o", path).code == 0
        header, row = [cells for _, cells in read_rows(path.read_bytes(), "mend")]
        assert header[-1] == "有误之处 set_aside_reason"
        for at, cell in sound.items():
            row[at] = cell
        path.write_bytes(xlsx([header, row]))
    mended = ("--mended", tmp_path / "overdue.xlsx", "--mended", tmp_path / "loans.xlsx")
    manifest(settings, folder, *mended)
    again = json.loads(casework(settings, "feed", "import", folder, "--correction", "--json").out)
    assert (again["status"], again["set_aside_rows"], again["overdue"]) == ("applied", 1, 39)
    bank.assert_sound()


def test_a_cell_that_was_handed_out_masked_goes_back_as_it_came_unless_it_is_mended(tmp_path: Path) -> None:
    people = [contact(1) | {"kin": "aunt"}, contact(2, role="邻居") | {"kin": "uncle"}]
    folder = folder_of(tmp_path / "day", overdue=[arrears(1)], contacts=people)
    header, _, row = rows_of(people)
    masked = [mask(name, cell) if name in PERSONAL else cell for name, cell in zip(header, row, strict=True)]
    masked[header.index("role")], masked[header.index("kin")] = "朋友", HIDDEN
    masked[header.index("address")] = "8 Other Road"
    path = tmp_path / "mended.xlsx"
    path.write_bytes(xlsx([[*header, "set_aside_line"], [*masked, "3"]]))
    assert put_mended(folder, [path]) == {"contacts": "contacts-mended.csv"}
    written = [cells for _, cells in read_rows((folder / "contacts-mended.csv").read_bytes(), "contacts-mended.csv")]
    mended = dict(zip(header, row, strict=True)) | {"role": "朋友", "address": "8 Other Road"}
    assert written == [header, rows_of(people)[1], [*mended.values()]]


def test_a_feed_that_is_refused_for_its_rows_keeps_them_to_be_told_and_mended(
    bank: Bank, settings: Settings, tmp_path: Path
) -> None:
    sheet = [arrears(number, overdue_interest="x") for number in range(1, 11)]
    books = [*FORTY[:-1], loan(40, outstanding_principal="soon")]
    folder = folder_of(tmp_path / "day", loans=books, overdue=sheet)
    manifest(settings, folder)
    refused = casework(settings, "feed", "import", folder, "--json")
    assert (refused.code, json.loads(refused.out)["refusal"]["code"]) == (1, "too_many_set_aside")
    (run,) = bank.runs()
    told = aside(settings, run.id)
    assert {(file, code) for file, _, code, _ in told} == {
        ("overdue.xlsx", "malformed_amount"), ("loans.csv", "malformed_amount")
    }  # fmt: skip
    assert len(told) == 11
    assert bank.cases(1) == []
    bank.assert_sound()


def test_what_is_wrong_with_the_headers_of_several_files_is_told_at_once(
    bank: Bank, settings: Settings, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "day", loans=FORTY, overdue=[arrears(1)], contacts=[contact(1)])
    manifest(settings, folder)
    text = (folder / "manifest.json").read_text()
    for name, rows in (("overdue", rows_of([arrears(1)])), ("contacts", rows_of([contact(1)]))):
        content = xlsx([[cell.replace("overdue_penalty", "x").replace("role", "y") for cell in row] for row in rows])
        before = next(one["sha256"] for one in json.loads(text)["files"] if one["kind"] == name)
        (folder / f"{name}.xlsx").write_bytes(content)
        text = text.replace(before, hashlib.sha256(content).hexdigest())
    (folder / "manifest.json").write_text(text)
    refusal = json.loads(casework(settings, "feed", "import", folder, "--json").out)["refusal"]
    assert refusal["code"] == "column_missing"
    assert [one for one in ("overdue_penalty", "role") if one not in refusal["en"] or one not in refusal["zh"]] == []
    assert [one["kind"] for one in refusal["facts"]["more"]] == ["contacts"]
