"""Repayments of the day: on the books at once, counted for promises, a repeat for the feed that brings them again."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest

from casework.errors import CallerError
from casework.intake.feed.daytime import import_repayments
from casework.intake.sheets.taken import FileTaken
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.feed.bank import Bank, arrears, paid
from tests.work.test_promises import at, day, promises, row
from tests.work.test_promises import promised as promised  # noqa: PLC0414  # a fixture
from tests.work.test_promises import take as take_promises

HEADER = "payment_id,loan_id,paid_on,amount,reverses\n"
STEADY = [arrears(number) for number in range(1, 11)]


def take(bank: Bank, *lines: str, on: int = 1, header: str = HEADER, encoding: str = "utf-8") -> FileTaken:
    """A file of repayments, taken in at noon of a day."""
    content = (header + "".join(f"{line}\n" for line in lines)).encode(encoding)
    with writing(bank.started.engine) as conn:
        return import_repayments(
            conn, bank.started.branch, content, "r.csv", system("cli"), clock=at(day(on))
        )  # fmt: skip


def counts(taken: FileTaken) -> tuple[int, int, int, int]:
    return taken.rows, taken.stored, taken.repeated, len(taken.set_aside)


def test_a_payment_of_the_day_keeps_a_promise_the_same_day(promised: Bank) -> None:
    take_promises(promised, row("P1", 1, 0, 3, "500.00"))
    assert counts(take(promised, f"R1,L1,{day(1)},499.99,")) == (1, 1, 0, 0)
    assert promises(promised)["P1"].received_fen == 49_999
    take(promised, f"R2,L1,{day(1)},0.01,")
    kept = promises(promised)["P1"]
    assert (kept.state, kept.because, kept.judged_on) == ("kept", "payment", day(1))


def test_the_same_file_again_changes_nothing_and_the_feed_repeats_it(promised: Bank) -> None:
    take(promised, f"R1,L1,{day(1)},500.00,")
    before = promised.dump()
    assert counts(take(promised, f"R1,L1,{day(1)},500.00,")) == (1, 0, 1, 0)
    assert promised.dump() == before
    run = promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "500.00"), paid("R2", 2, day(1), "1.00")])
    assert run.figures["set_aside_rows"] == 0
    assert [one.status for one in promised.runs()] == ["applied", "payments", "applied"]


def test_a_feed_that_says_otherwise_of_a_payment_of_the_day_has_its_row_set_aside(promised: Bank) -> None:
    take_promises(promised, row("P1", 1, 0, 3, "500.00"))
    take(promised, f"R1,L1,{day(1)},500.00,")
    run = promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "5.00")])
    assert run.figures["set_aside_rows"] == 1
    assert promises(promised)["P1"].state == "kept"
    again = take(promised, f"R1,L1,{day(1)},5.00,")
    assert [(one.line, one.column, one.code) for one in again.set_aside] == [(2, "payment_id", "payment_differs")]


def test_a_reversal_of_the_day_judges_the_promise_again(promised: Bank) -> None:
    take_promises(promised, row("P1", 1, 0, 3, "500.00"))
    take(promised, f"R1,L1,{day(1)},500.00,")
    take(promised, f"R2,L1,{day(1)},500.00,R1")
    broken = promises(promised)["P1"]
    assert (broken.state, broken.because, broken.judged_on) == ("broken", "reversal", day(1))


@pytest.mark.parametrize(
    ("line", "column", "kind"),
    [
        ("R1,L99,2024-06-04,1.00,", "loan_id", "unknown_loan"),
        ("R1,L1,2024-06-05,1.00,", "paid_on", "in_the_future"),
        ("R1,L1,4 June,1.00,", "paid_on", "malformed_date"),
        ("R1,L1,2024-06-04,a lot,", "amount", "malformed_amount"),
        ("R1,L1,2024-06-04,,", "amount", "missing_value"),
        ("R1,L1,2024-06-04,-1.00,", "amount", "negative_amount"),
        (",L1,2024-06-04,1.00,", "payment_id", "missing_value"),
        ("R0,L1,2024-06-04,1.00,", "payment_id", "repeated_payment"),
        ("R1,L1,2024-06-04,1.00,R7", "reverses", "unknown_payment"),
        ("R1,L1,2024-06-04", None, "wrong_cell_count"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_column_and_the_others_go_in(
    promised: Bank, line: str, column: str | None, kind: str
) -> None:
    taken = take(promised, "R0,L2,2024-06-04,1.00,", line)
    assert [(one.line, one.column, one.code) for one in taken.set_aside] == [(3, column, kind)]
    assert counts(taken) == (2, 1, 0, 1)


def test_chinese_headers_and_gb18030_are_read(promised: Bank) -> None:
    header = "还款流水号,借据号,还款日期,还款金额,冲正流水号\n"
    assert counts(take(promised, f"R1,L1,{day(1)},500.00,", header=header, encoding="gb18030")) == (1, 1, 0, 0)


def test_a_file_without_a_compulsory_column_is_refused_whole(promised: Bank) -> None:
    with pytest.raises(CallerError) as refused:
        take(promised, f"R1,L1,{day(1)},500.00", header="payment_id,loan_id,paid_on,amount\n")
    assert (refused.value.code, refused.value.facts["columns"]) == ("column_missing", ["reverses"])


def test_of_the_same_file_taken_in_twice_at_once_each_payment_is_stored_once(promised: Bank) -> None:
    lines = [f"R{number},L{number},{day(1)},500.00," for number in range(1, 11)]
    with ThreadPoolExecutor(4) as together:
        taken = list(together.map(lambda _: take(promised, *lines), range(4)))
    assert sorted(counts(one)[1:3] for one in taken) == [(0, 10), (0, 10), (0, 10), (10, 0)]


def test_a_file_cut_in_the_middle_or_full_of_rows_that_cannot_be_used_is_refused_whole(promised: Bank) -> None:
    whole = gzip.compress(f"{HEADER}R1,L1,{day(1)},500.00,\n".encode())
    before = promised.dump()
    for content, code in (
        (whole[:-9], "file_cut"), ((HEADER + "R1,L99,yesterday,1.00,\n" * 20_001).encode(), "too_many_set_aside"),
    ):  # fmt: skip
        with pytest.raises(CallerError) as refused, writing(promised.started.engine) as conn:
            import_repayments(conn, promised.started.branch, content, "r.csv", system("cli"), clock=at(day(1)))
        assert refused.value.code == code
    assert promised.dump() == before
