"""A total row is no loan and holds nothing; what only looks like one could be anybody's, and what it holds is said."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.feed.held_back import feed_health
from casework.intake.feed.run import Run
from casework.intake.feed.total_row import Totals, is_word
from casework.settings import Settings
from casework.storage.database import reading
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, write
from tests.feed.shell import casework

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
ALL = range(1, 41)
BOOKS = [loan(number) for number in ALL]
NOTHING = dict.fromkeys(arrears(1), "")


def rest(gone: int = 1) -> list[dict[str, str]]:
    """Everybody but the first ones."""
    return [arrears(number) for number in ALL if number > gone]


def total(sheet: Sequence[Mapping[str, str]], label: str = "合计", at: str = "loan_id", **cells: str) -> dict[str, str]:
    """The total row of these rows of `overdue`."""
    sums = {
        name: f"{sum(float(row[name]) for row in sheet):.2f}"
        for name in ("overdue_principal", "overdue_interest", "overdue_penalty", "outstanding_principal")
    }
    return NOTHING | sums | {at: label} | cells


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("合计", True), ("合 计", True), ("总计：", True), ("小计", True), ("本页合计", True), ("合计40笔", True),
        ("合计（40笔）", True), ("Total", True), ("GRAND TOTAL:", True), ("sub-total", True), ("累计", True),
        ("", False), ("L0001", False), ("合计银行", False), ("甄合计", False), ("totally", False), ("40", False),
    ],
)  # fmt: skip
def test_a_totals_word_is_known_in_the_ways_it_is_written(cell: str, word: bool) -> None:
    assert is_word(cell) is word


POSITIONS = {"loan_id": 0, "oldest_due_date": 1, "overdue_principal": 2, "overdue_interest": 3}
A, B, C = ["L1", "2024-01-01", "1.00", "0.10"], ["L2", "2024-01-01", "2.00", "0.20"], ["L3", "2024-01-01", "4", "0"]


@pytest.mark.parametrize(
    ("rows", "totals"),
    [
        pytest.param([A, B, ["合计", "", "3.00", "0.30"]], {3}, id="word and sums"),
        pytest.param([A, B, ["", "合计", "3.00", ""]], {3}, id="word elsewhere, one amount only"),
        pytest.param([A, B, ["合计", "", "", ""]], {3}, id="a word and no amount"),
        pytest.param([A, B, ["", "", "3.00", "0.30"]], {3}, id="sums alone"),
        pytest.param([["总计", "", "3.00", "0.30"], A, B], {1}, id="over its rows"),
        pytest.param(
            [A, ["小计", "", "1", "0.1"], B, C, ["小计", "", "6", "0.2"], ["总计", "", "7", "0.3"]], {2, 5, 6},
            id="totals of groups and of all",
        ),
        pytest.param([A, B, ["合计", "", "3.01", "0.30"]], set(), id="a word and another sum"),
        pytest.param([A, ["", "", "1.00", "0.10"]], set(), id="a second row like the first"),
        pytest.param([A, B, ["", "", "3.00", ""]], set(), id="one sum alone"),
        pytest.param([A, B, ["", "2024-01-01", "3.00", "0.30"]], set(), id="sums and a due date"),
        pytest.param([A, B, ["L9", "合计", "3.00", "0.30"]], set(), id="it names its loan"),
        pytest.param([A, ["L2", "2024-01-01", "x", "0.20"], ["合计", "", "1", "0.3"]], set(), id="unreadable amount"),
        pytest.param([A, B, ["合计", "3.00", "0.30"]], set(), id="cells may have moved"),
    ],
)  # fmt: skip
def test_a_total_row_is_known_by_its_word_and_its_sums(rows: list[list[str]], totals: set[int]) -> None:
    assert Totals("overdue", POSITIONS, 4).lines(enumerate(rows, 1)) == totals


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("at", ["loan_id", "oldest_due_date"])
def test_a_total_row_holds_nothing_and_is_warned_about(bank: Bank, at: str, form: Any) -> None:
    bank.send(DAY, [*rest(0), total(rest(0), at=at)], loans=BOOKS, form=form)
    run = bank.send(NEXT, [*rest(), total(rest(), at=at)], form=form)
    figures = run.figures
    assert (figures["gone"], figures["held"], figures["set_aside"], figures["rows"]) == (1, 0, 0, 39)
    assert (figures["warnings"]["total_row"], figures["held_back"]) == (1, [])
    assert bank.case(1).state == "settled"
    bank.assert_sound()


def counted(folder: Path, rows: int, sheet: Sequence[Mapping[str, str]]) -> None:
    """Make the manifest of `overdue` state another count, and the sum of other rows."""
    stated = json.loads((folder / "manifest.json").read_bytes())
    names = ("overdue_principal", "overdue_interest", "overdue_penalty")
    stated["files"][0] |= {
        "rows": rows, "control_sum_fen": round(sum(float(row[name]) for row in sheet for name in names) * 100),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(stated))


@pytest.mark.parametrize(
    ("rows", "summed", "code"),
    [
        (39, rest(), None), (40, rest(), None), (39, [*rest(), total(rest())], None), (38, rest(), "row_count_differs"),
        (41, rest(), "row_count_differs"), (40, rest(2), "control_sum_differs"),
    ],
)  # fmt: skip
def test_a_manifest_may_count_and_sum_a_total_row_or_not(
    bank: Bank, rows: int, summed: list[dict[str, str]], code: str | None
) -> None:
    bank.send(DAY, rest(0), loans=BOOKS)
    folder = write(bank.folder / "counted", NEXT, overdue=[*rest(), total(rest())])
    counted(folder, rows, summed)
    if code is None:
        assert bank.take(folder).figures["gone"] == 1
        return
    with pytest.raises(CallerError) as told:
        bank.take(folder)
    assert told.value.code == code


def health(bank: Bank) -> list[tuple[int, int, str]]:
    """Loans, rows and code of what is held back."""
    with reading(bank.started.engine) as conn:
        (one,) = feed_health(conn)
    return [(part.loans, part.rows, part.code) for part in one.held_back]


UNKNOWN: Cells = arrears(99, loan_id="")


@pytest.mark.parametrize(
    ("row", "code"),
    [(UNKNOWN, "missing_value"), (total(rest(), overdue_principal="1.00"), "id_without_digit")],
    ids=["no loan number", "a total of something else"],
)
def test_what_a_row_without_a_loan_number_holds_is_said_until_a_feed_has_no_such_row(
    bank: Bank, settings: Settings, row: Cells, code: str
) -> None:
    bank.send(DAY, rest(0), loans=BOOKS)
    run = bank.send(NEXT, [*rest(2), row])
    (held,) = run.figures["held_back"]
    assert (held["kind"], held["loans"], held["rows"], held["line"], held["code"]) == ("overdue", 2, 1, 40, code)
    assert "line 40 (" in held["en"]
    assert "2笔贷款暂不出催" in held["zh"]
    assert (run.figures["gone"], health(bank)) == (0, [(2, 1, code)])
    folder = write(bank.folder / "shell", THIRD, overdue=[*rest(2), row])
    said = casework(settings, "feed", "import", folder).out
    assert "held back: 2笔贷款暂不出催：" in said
    assert "2 loans in all; rows of overdue without" in said
    freed = bank.send(THIRD + timedelta(days=1), rest(2))
    assert (freed.figures["gone"], freed.figures["held_back"], health(bank)) == (2, [], [])
    bank.assert_sound()


def test_a_row_that_holds_nobody_is_no_alarm(bank: Bank) -> None:
    bank.send(DAY, rest(0), loans=BOOKS)
    run: Run = bank.send(NEXT, [*rest(0), UNKNOWN])
    assert (run.figures["set_aside"], run.figures["held_back"], health(bank)) == (1, [], [])


def test_a_loans_row_without_a_number_holds_back_what_the_loans_file_seems_to_omit(bank: Bank) -> None:
    bank.send(DAY, rest(0), loans=BOOKS)
    run = bank.send(NEXT, rest(), loans=[*BOOKS[1:], loan(99, loan_id="")])
    assert [(held["kind"], held["loans"]) for held in run.figures["held_back"]] == [("loans", 1)]
    assert bank.story(bank.case(1).id)[-1] == "case.step.arrears_cleared"
    assert run.figures["left_books"] == 0
