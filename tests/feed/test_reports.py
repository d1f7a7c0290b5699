"""Feeds that went wrong elsewhere, each with its right outcome: read where they lie, never copied into the project.

`REPORTS` has one check per folder of `reports/`; the feeds of a folder are imported in the order that its check says.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.run import Run
from casework.intake.feed.tables import borrowers, repayments
from casework.operation.import_worker import carry_out
from casework.storage.database import reading, writing
from casework.work.cases.case import Facts
from casework.work.cases.tables import cases
from casework.work.handover import applying, approving, planning
from tests.feed.asides import aside_of
from tests.feed.bank import Bank
from tests.feed.doors import AtTheShell, Uploading
from tests.feed.steps import write_off
from tests.on_books import named

FOLDER = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[3] / "shared" / "data")) / "reports"
Check = Callable[[Bank, Path], None]


def aside(bank: Bank, run: Run) -> list[tuple[str, int, str, str]]:
    """What a run set aside: kind, line, column, code."""
    with reading(bank.started.engine) as conn:
        return [(row.kind, row.line, row.column, row.code) for row in aside_of(conn, run.id)]


def every_case(bank: Bank) -> list[Any]:
    """The cases there are."""
    with reading(bank.started.engine) as conn:
        return list(conn.execute(sa.select(cases)))


def xlsx_long_keys(bank: Bank, folder: Path) -> None:
    """Numbers whose digits are lost are no keys: the file is refused, naming the column, and nobody has paid."""
    for day in ("16-first", "19-first", "16-d1", "16-d2", "19-d2"):
        if day == "16-d1":
            bank.take(folder / day)
            continue
        with pytest.raises(CallerError) as told:
            bank.take(folder / day)
        assert told.value.code == "too_many_set_aside"
        assert told.value.facts["first"][0] == {"line": 2, "column": "loan_id", "code": "id_exponent"}
    assert {case.state for case in every_case(bank)} == {"phone_collection"}
    assert {case.loan_id for case in every_case(bank)} == {f"{6222020000000000 + 1001 * n}" for n in range(1, 41)}


def csv_spoilt_keys(bank: Bank, folder: Path) -> None:
    """Nine keys that a spreadsheet or a paste spoilt are set aside, each with its cause; no case is on any of them."""
    run = bank.take(folder / "d1")
    causes = ["id_exponent", "id_formula", "id_formula", "error_value", "id_without_digit", "id_decimal",
              "repeated_loan", "id_invisible_character", "id_invisible_character"]  # fmt: skip
    assert aside(bank, run) == [
        (kind, 202 + at, "loan_id", cause) for kind in ("loans", "overdue") for at, cause in enumerate(causes)
    ]
    assert {case.loan_id for case in every_case(bank)} == {f"L{number:04}" for number in range(1, 201)}


def xlsx_error_cells(bank: Bank, folder: Path) -> None:
    """An error cell is not an empty one: what the books know of the loan stays."""
    bank.take(folder / "d1")
    known = {table: bank.dump()[table] for table in ("loans", "cases")}
    run = bank.take(folder / "d2")
    assert aside(bank, run) == [("loans", line, "owner_staff_no", "error_value") for line in (2, 3)]
    assert {table: bank.dump()[table] for table in known} == known


def placeholder_dates(bank: Bank, folder: Path) -> None:
    """1900-01-01 is no day on which a loan went bad or fell due."""
    run = bank.take(folder / "d1")
    assert aside(bank, run) == [("overdue", 2, "oldest_due_date", "placeholder_date")]
    assert run.figures["warnings"]["placeholder_date"] == 40
    assert {(case.state, case.bucket) for case in every_case(bank)} == {("phone_collection", "M1")}
    assert len(every_case(bank)) == 39


def payment_number_reused(bank: Bank, folder: Path) -> None:
    """A number that comes again with another loan or amount is set aside, and the snapshot goes in."""
    runs = [bank.take(folder / day) for day in ("d1", "d2", "d3")]
    assert [aside(bank, run) for run in runs] == [
        [], [("repayments", 2, "payment_id", "payment_differs")], [("repayments", 2, "payment_id", "payment_differs")],
    ]  # fmt: skip
    assert [run.figures["overdue"] for run in runs] == [40, 40, 40]


def reversal_unchecked(bank: Bank, folder: Path) -> None:
    """Nothing that undoes nothing re-opens the settled case; what undoes the payment rightly is taken."""
    runs = [bank.take(folder / day) for day in ("d1", "d2", "d3", "d4", "d5")]
    assert [[code for *_, code in aside(bank, run)] for run in runs] == [
        [], [], ["reversal_of_itself"], ["reversal_amount_differs"], ["id_without_digit"],
    ]  # fmt: skip
    assert [case.state for case in bank.cases("L0001")] == ["settled", "phone_collection"]


def loans_truncated(bank: Bank, folder: Path) -> None:
    """Two of forty loans in the loans file: refused until somebody confirms, and nobody is paid in full unasked."""
    bank.take(folder / "d1")
    with pytest.raises(CallerError) as told:
        bank.take(folder / "d2")
    assert (told.value.code, [one["gone"] for one in told.value.facts["kinds"]]) == ("loans_vanished", [6, 38])
    assert bank.take(folder / "d2", confirm=True).figures["cases_settled"] == 6


def two_institutions(bank: Bank, folder: Path) -> None:
    """Each institution's B0001 keeps the name and number that it sent, and each one's payment P1 is kept."""
    bank.take(folder / "a1")
    with pytest.raises(CallerError) as told:
        bank.take(folder / "b1")
    assert told.value.code == "institution_unknown"
    bank.know("yichang")
    bank.take(folder / "b1")
    with reading(bank.started.engine) as conn:
        people = conn.execute(sa.select(borrowers).where(borrowers.c.borrower_id == "B0001").order_by("institution"))
        names = [(row.institution, *named(bank.started.branch.vault, row)) for row in people]
        paid = conn.execute(sa.select(repayments).order_by("institution"))
        payments = [(row.institution, row.payment_id, row.loan_id, row.amount_fen) for row in paid]
    assert names == [("wuhan", "测试0001", "999999199001010001"), ("yichang", "另一人0001", "888888198002020001")]
    assert payments == [("wuhan", "P1", "A0001", 5_000), ("yichang", "P1", "Z0001", 7_000)]


def total_row_holds(bank: Bank, folder: Path) -> None:
    """The row 合计 is no loan: those who left settle day by day."""
    runs = [bank.take(folder / day) for day in ("d20", "d21", "d22", "d23")]
    assert [(run.figures["gone"], run.figures["held"], run.figures["overdue"]) for run in runs] == [
        (0, 0, 40), (1, 0, 39), (2, 0, 37), (2, 0, 35),
    ]  # fmt: skip
    assert [run.figures["warnings"]["total_row"] for run in runs] == [1, 1, 1, 1]


def odd_team_owner(bank: Bank, folder: Path) -> None:
    """A long team name, an owner in full width and one that cannot be read set no row aside."""
    bank.staff("B1", "basic_risk_manager")
    run = bank.take(folder / "d1")
    assert aside(bank, run) == []
    owners = {number: bank.case(f"L{number}") for number in ("0001", "0002", "0003")}
    assert (owners["0001"].owner, len(owners["0001"].team)) == ("BR1", 37)
    assert (owners["0002"].owner, owners["0003"].owner) == ("BR1", "B1")
    assert {"kind": "loans", "line": 4, "column": "owner_staff_no", "code": "owner_unreadable"} in run.figures["warned"]


def opening_to_leaver(bank: Bank, folder: Path) -> None:
    """The new case of somebody whose approved hand-over is due goes to the pool, and the hand-over applies."""
    manager = bank.staff("B1", "basic_risk_manager")
    bank.staff("BR1", "business_rep"), bank.staff("BR2", "business_rep"), bank.staff("C1", "phone_collector")
    approver, branch = bank.staff("V1", "approver"), bank.started.branch
    bank.take(folder / "d1")
    with writing(bank.started.engine) as conn:
        handover = planning.plan(conn, branch, actor=manager, staff_no="BR2", on=branch.today(now()))
        approving.approve(conn, branch, handover, actor=approver)
    his = {case.loan_id for number in range(1, 41) for case in bank.cases(f"L{number:04}") if case.owner == "BR2"}
    bank.take(folder / "d2")
    assert bank.case("L0050").owner == "C1"
    with writing(bank.started.engine) as conn:
        applied = applying.apply(conn, branch, handover, actor=manager)
    assert isinstance(applied, applying.Applied)
    assert applied.cases == len(his) > 0


def recovery_reversed(bank: Bank, folder: Path) -> None:
    """A recovery that bounces is uncounted with an entry; one that a correction of an older day brings is counted."""

    def recovered_fen() -> int:
        return msgspec.json.decode(bytes(bank.case("L0001").facts), type=Facts).recovered_fen

    bank.take(folder / "d1")
    case_id = write_off(bank, "L0001", principal_fen=800_000, interest_fen=1_000)
    bank.take(folder / "d2")
    assert recovered_fen() == 300_000
    bank.take(folder / "d3")
    assert recovered_fen() == 200_000
    assert bank.story(case_id)[-1] == "case.step.recovery_reversed"
    bank.take(folder / "d4")
    bank.take(folder / "c3", correction=True)
    assert recovered_fen() == 270_000


REPORTS: Mapping[str, Check] = {
    "csv-spoilt-keys": csv_spoilt_keys,
    "loans-truncated": loans_truncated,
    "odd-team-owner": odd_team_owner,
    "opening-to-leaver": opening_to_leaver,
    "payment-number-reused": payment_number_reused,
    "placeholder-dates": placeholder_dates,
    "recovery-reversed": recovery_reversed,
    "reversal-unchecked": reversal_unchecked,
    "total-row-holds": total_row_holds,
    "two-institutions": two_institutions,
    "xlsx-error-cells": xlsx_error_cells,
    "xlsx-long-keys": xlsx_long_keys,
}


@pytest.fixture
def folder(report: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a report, on a day on which it can be imported: they are dated November.

    By every door the import's job is done in this process: begun for each it would take most of the time.
    """
    found = FOLDER / report
    if not found.is_dir():
        pytest.skip(f"no reports at {FOLDER} (CASEWORK_REAL_FEEDS)")
    monkeypatch.setattr("casework.intake.feed.stood_before.branch_date", lambda *_: date(2026, 12, 31))
    monkeypatch.setattr(
        "casework.operation.importing._carried_out",
        lambda started, job, _: (carry_out(job, lambda _: None, started), 0),
    )
    return found


@pytest.mark.parametrize("report", sorted(REPORTS))
def test_a_feed_that_went_wrong_elsewhere_comes_out_right(bank: Bank, report: str, folder: Path) -> None:
    REPORTS[report](bank, folder)
    bank.assert_sound()


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("report", sorted(REPORTS))
def test_it_comes_out_right_at_the_shell_too(bank: Bank, report: str, folder: Path) -> None:
    shell = AtTheShell(bank.started, bank.folder)
    REPORTS[report](shell, folder)
    bank.assert_sound()


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("report", sorted(REPORTS))
def test_it_comes_out_right_when_it_is_uploaded_too(bank: Bank, report: str, folder: Path) -> None:
    with Uploading(bank.started, bank.folder).open() as uploading:
        REPORTS[report](uploading, folder)
    bank.assert_sound()
