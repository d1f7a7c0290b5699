"""A feed folder goes in whole or not at all, and every run is on record with what came of it."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed import run as runs
from casework.intake.feed.aside import aside_csv, record_aside_read
from casework.intake.feed.headers import COLUMNS, Kind
from casework.intake.feed.tables import contacts
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from tests.feed.asides import aside_of
from tests.feed.bank import DAY, Bank, Cells, arrears, contact, loan, paid, write

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
TEN = [loan(number) for number in range(1, 11)]
FORTY = [loan(number) for number in range(1, 41)]
OF_THE_RUN = ("feed_runs", "entries", "streams", "unsealed", "set_aside")


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def refused(bank: Bank, code: str, send: Callable[[], Any]) -> CallerError:
    """The refusal, after which nothing but the run and its entry is in the database."""
    before = bank.dump(*OF_THE_RUN)
    with pytest.raises(CallerError) as told:
        send()
    assert told.value.code == code
    assert told.value.zh
    assert bank.dump(*OF_THE_RUN) == before
    run = bank.runs()[-1]
    assert run.status == ("awaiting" if code in ("loans_vanished", "loans_respelled") else "refused")
    assert run.refusal is not None
    assert run.refusal["code"] == code
    assert run.finished_at is not None
    assert bank.bodies("feed:refused")[-1]["reason_code"] == code
    bank.assert_sound()
    return told.value


# ── what goes in ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.every_postgres
def test_the_first_feed_opens_one_case_for_each_loan_in_arrears(bank: Bank) -> None:
    run = bank.send(DAY, [arrears(1), arrears(2, 40)], loans=[loan(1), loan(2), loan(3)])
    assert run.status == "applied"
    assert run.figures["cases_opened"] == run.figures["opened"] == 2
    assert [case.bucket for case in (bank.case(1), bank.case(2))] == ["M1", "M2"]
    assert bank.cases(3) == []
    bank.assert_sound()


def test_the_business_date_is_that_of_the_last_applied_feed_and_in_every_entry(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(THIRD, [*steady(1), arrears(1, overdue_interest="5.00")])
    opened, measured = bank.bodies(f"case:{bank.case(1).id}")
    assert [opened["data"]["business_date"], measured["data"]["business_date"]] == ["2024-06-03", "2024-06-05"]
    assert bank.dump()["institutions"] == [("demo", THIRD)]


def test_days_without_a_feed_are_counted_not_refused(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(DAY + timedelta(days=31), [arrears(number) for number in range(1, 11)])
    assert (run.status, run.figures["days_without_feed"]) == ("applied", 30)


def test_the_same_feed_again_changes_nothing_but_is_on_record(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN, contacts=[contact(1)], repayments=[paid("P1", 1, DAY)])
    before = bank.dump("feed_runs")
    again = bank.take(bank.folder / "1")
    assert again.status == "repeated"
    assert bank.dump("feed_runs") == before
    assert [run.status for run in bank.runs()] == ["applied", "repeated"]
    assert [run.id for run in bank.runs(every=False)] == [1]


def test_an_older_feed_that_was_applied_once_is_a_repeat_and_not_a_refusal(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady())
    assert bank.take(bank.folder / "1").status == "repeated"


def test_a_run_says_who_when_which_files_and_what_came_of_it(bank: Bank) -> None:
    manager = bank.staff("B1", "basic_risk_manager")
    run = bank.send(DAY, steady(), loans=TEN, actor=manager)
    assert (run.actor_id, run.via, run.institution, run.as_of) == ("B1", "cli", "demo", DAY)
    files = {file["kind"]: (file["rows"], len(file["sha256"])) for file in run.files}
    assert files == {"overdue": (10, 64), "loans": (10, 64)}
    assert run.finished_at is not None
    assert now() >= run.finished_at >= run.started_at
    (entry,) = bank.bodies("feed:demo")
    assert (entry["event"], entry["actor"]["id"], entry["data"]["run"]) == ("feed.applied", "B1", run.id)
    assert entry["data"]["files"] == run.files
    assert entry["data"]["figures"]["opened"] == 10


# ── what is refused whole ───────────────────────────────────────────────────────────────────────────────────────────


def test_another_feed_of_the_same_day_is_refused_unless_it_is_a_correction(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    told = refused(bank, "another_feed_applied", lambda: bank.send(DAY, steady(1)))
    assert told.facts == {"run": 1}
    assert bank.send(DAY, steady(1), correction=True).status == "applied"


def test_an_older_feed_is_refused_unless_it_is_a_correction(bank: Bank) -> None:
    bank.send(NEXT, steady(), loans=TEN)
    told = refused(bank, "older_than_last", lambda: bank.send(DAY, steady()))
    assert told.facts == {"last_as_of": "2024-06-04"}


def test_a_feed_of_tomorrow_is_refused(bank: Bank) -> None:
    refused(bank, "as_of_in_future", lambda: bank.send(now().date() + timedelta(days=2), steady(), loans=TEN))


def test_a_post_that_may_not_import_is_refused(bank: Bank) -> None:
    collector = bank.staff("T1", "phone_collector")
    refused(bank, "post_not_permitted", lambda: bank.send(DAY, steady(), loans=TEN, actor=collector))


def _cut(folder: Path) -> None:
    path = next(folder.glob("overdue*"))
    path.write_bytes(path.read_bytes()[:-20])


def _edit(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_bytes())
        manifest["files"][0] |= changes
        path.write_text(json.dumps(manifest))

    return change


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(_cut, "file_digest_differs", id="cut in the middle"),
        pytest.param(_edit(sha256="0" * 64), "file_digest_differs", id="wrong digest"),
        pytest.param(_edit(rows=11), "row_count_differs", id="wrong count"),
        pytest.param(_edit(control_sum_fen=1), "control_sum_differs", id="wrong control sum"),
        pytest.param(_edit(name="gone.csv"), "file_missing", id="missing file"),
        pytest.param(lambda folder: (folder / "manifest.json").unlink(), "manifest_missing", id="no manifest"),
        pytest.param(
            lambda folder: (folder / "manifest.json").write_bytes(b'{"as_of": "2024-06-04",'), "manifest_malformed",
            id="half a manifest",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_what_its_manifest_says_leaves_only_the_refused_run(
    bank: Bank, spoil: Callable[[Path], None], code: str
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    folder = write(bank.folder / "spoilt", NEXT, overdue=steady(1))
    spoil(folder)
    refused(bank, code, lambda: bank.take(folder))


# ── rows set aside ──────────────────────────────────────────────────────────────────────────────────────────────────

GOOD: list[Cells] = [arrears(number) for number in range(2, 41)]
ASIDE: list[tuple[str, Cells, str, str]] = [
    ("unknown loan", arrears(999), "loan_id", "unknown_loan"),
    ("no loan", arrears(1, loan_id=""), "loan_id", "missing_value"),
    ("repeated loan", arrears(2), "loan_id", "repeated_loan"),
    ("negative amount", arrears(1, overdue_interest="-0.01"), "overdue_interest", "negative_amount"),
    ("three decimals", arrears(1, overdue_interest="1.234"), "overdue_interest", "malformed_amount"),
    ("no number", arrears(1, overdue_interest="abc"), "overdue_interest", "malformed_amount"),
    ("empty amount", arrears(1, overdue_interest=""), "overdue_interest", "missing_value"),
    ("due after the day", arrears(1, -1), "oldest_due_date", "due_after_as_of"),
    ("due on the day", arrears(1, 0), "oldest_due_date", "not_past_due"),
    ("no date", arrears(1, oldest_due_date="2024-02-30"), "oldest_due_date", "malformed_date"),
    ("another form of date", arrears(1, oldest_due_date="01/05/2024"), "oldest_due_date", "malformed_date"),
]


@pytest.mark.parametrize(("row", "column", "code"), [case[1:] for case in ASIDE], ids=[case[0] for case in ASIDE])
def test_a_bad_overdue_row_is_set_aside_with_line_column_and_reason_and_the_good_ones_go_in(
    bank: Bank, row: Cells, column: str, code: str
) -> None:
    run = bank.send(DAY, [*GOOD, row], loans=FORTY)
    assert (run.figures["set_aside"], run.figures["cases_opened"], run.figures["rows"]) == (1, 39, 40)
    with reading(bank.started.engine) as conn:
        (aside,) = aside_of(conn, run.id)
    assert (aside.kind, aside.line, aside.column, aside.code) == ("overdue", 41, column, code)
    assert " / " in aside.text
    bank.assert_sound()


MONEY = [paid(f"P{number}", number, DAY) for number in range(1, 40)]


@pytest.mark.parametrize(
    ("kind", "rows", "column", "code"),
    [
        ("loans", [*FORTY[:-1], loan(40, outstanding_principal="soon")], "outstanding_principal", "malformed_amount"),
        ("contacts", [*map(contact, range(1, 40)), contact(999)], "borrower_id", "unknown_borrower"),
        ("contacts", [*map(contact, range(1, 40)), contact(40, phone="none", address="")], "phone", "malformed_phone"),
        ("repayments", [*MONEY, paid("P40", 999, DAY)], "loan_id", "unknown_loan"),
        ("repayments", [*MONEY, paid("P1", 1, DAY)], "payment_id", "repeated_payment"),
        ("repayments", [*MONEY, paid("R1", 1, DAY, reverses="P99")], "reverses", "unknown_payment"),
        ("repayments", [*MONEY, paid("R1", 1, DAY, reverses="P2")], "reverses", "reversal_of_another_loan"),
    ],
)  # fmt: skip
def test_bad_rows_of_the_other_files_are_set_aside_too(
    bank: Bank, kind: str, rows: Sequence[Cells], column: str, code: str
) -> None:
    files: dict[str, Any] = {"loans": FORTY, kind: rows}
    run = bank.send(DAY, GOOD[:-1], **files)
    assert run.figures["set_aside_rows"] == 1
    with reading(bank.started.engine) as conn:
        (aside,) = aside_of(conn, run.id)
    assert (aside.kind, aside.line, aside.column, aside.code) == (kind, 41, column, code)


def test_a_reversal_before_its_payment_in_the_same_file_is_good(bank: Bank) -> None:
    run = bank.send(DAY, GOOD, loans=FORTY, repayments=[paid("R1", 1, DAY, reverses="P1"), paid("P1", 1, DAY)])
    assert run.figures["set_aside_rows"] == 0


def test_more_than_the_policy_share_of_bad_rows_refuses_the_feed(bank: Bank) -> None:
    bank.send(DAY, GOOD, loans=FORTY)
    bad = [arrears(1, overdue_interest="-1.00"), arrears(2, overdue_interest="-1.00"), arrears(3, overdue_interest="x")]
    told = refused(bank, "too_many_set_aside", lambda: bank.send(NEXT, [*bad, *GOOD[2:]]))
    assert (told.facts["set_aside"], told.facts["rows"]) == (3, 40)
    assert told.facts["first"][0] == {"line": 2, "column": "overdue_interest", "code": "negative_amount"}
    assert bank.send(NEXT, [*bad[:2], *GOOD[1:]]).figures["set_aside"] == 2


def test_a_loan_whose_row_is_set_aside_is_present_unchanged_and_never_settled(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), *GOOD], loans=FORTY)
    run = bank.send(NEXT, [arrears(1, overdue_interest="x"), *GOOD])
    assert (run.figures["gone"], run.figures["held"], run.figures["overdue"]) == (0, 1, 40)
    assert bank.story(bank.case(1).id) == ["case.opened"]
    third = bank.send(THIRD, GOOD)
    assert (third.figures["gone"], bank.case(1).state) == (1, "settled")


def test_while_a_set_aside_row_names_no_loan_nothing_that_seems_gone_is_settled(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), *GOOD], loans=FORTY)
    run = bank.send(NEXT, [arrears(1, loan_id=""), *GOOD[1:]])
    assert (run.figures["gone"], run.figures["held"]) == (0, 2)
    assert bank.case(1).state == bank.case(2).state == "phone_collection"


def test_rows_set_aside_can_be_downloaded_mended_and_fed_again(bank: Bank) -> None:
    run = bank.send(DAY, [arrears(1, overdue_interest="1.234"), *GOOD], loans=FORTY)
    with reading(bank.started.engine) as conn:
        text = aside_csv(conn, bank.started.branch.vault, run.id, "overdue")
    header, row = text.splitlines()[:2]
    assert row.split(",")[0] == "L1"
    assert "malformed_amount" in row
    mended = dict(zip(header.split(","), row.split(","), strict=False)) | {"overdue_interest": "1.23"}
    kept = {column.name: mended[column.name] for column in COLUMNS["overdue"] if column.name in mended}
    again = bank.send(DAY, [*GOOD, kept], correction=True)
    assert (again.figures["set_aside"], again.figures["overdue"]) == (0, 40)
    assert bank.case(1).overdue_interest_fen == 123


def test_set_aside_cells_lie_sealed(bank: Bank) -> None:
    bank.send(DAY, GOOD[:-1], loans=[*FORTY[:-1], loan(40, outstanding_principal="soon")])
    (row,) = bank.dump()["set_aside"]
    assert "甄不存40".encode() not in bytes(row[-1])


# ── odd, but not bad ────────────────────────────────────────────────────────────────────────────────────────────────


CLASSED: list[tuple[str, int, str | None]] = [
    ("normal", 5, None), ("special_mention", 5, None), ("normal", 8, "class_better_than_floor"),
    ("special_mention", 90, None), ("special_mention", 91, "class_better_than_floor"), ("substandard", 91, None),
    ("doubtful", 181, "class_worse_than_floor"), ("loss", 40, "class_worse_than_floor"), ("loss", 361, None),
    ("", 361, None),
]  # fmt: skip


@pytest.mark.parametrize(("risk_class", "days", "code"), CLASSED)
def test_a_class_better_or_worse_than_its_floor_is_warned_about_and_goes_in(
    bank: Bank, risk_class: str, days: int, code: str | None
) -> None:
    steady_ = [arrears(1, days), *(arrears(number) for number in range(2, 11))]
    loans = [loan(1, risk_class=risk_class, disbursed_on="2020-01-05"), *(loan(number) for number in range(2, 11))]
    run = bank.send(DAY, steady_, loans=loans)
    found = {name: number for name, number in run.figures["warnings"].items() if name.startswith("class_")}
    assert found == ({code: 1} if code else {})
    told = [one for one in run.figures["warned"] if one["code"] == code]
    assert told == ([{"kind": "overdue", "line": 2, "column": "risk_class", "code": code}] if code else [])
    assert run.figures["set_aside_rows"] == 0
    assert bank.case(1).live


def test_a_fault_in_a_field_that_may_be_empty_keeps_the_loan_its_arrears_and_its_contacts(bank: Bank) -> None:
    faulty = loan(1, id_number="-", self_payment="√", disbursed_on="soon")
    several = contact(1, phone="12000000001、12000000002", relation="夫" * 40)
    run = bank.send(DAY, [arrears(1)], loans=[faulty], contacts=[several, contact(1, phone="无")])
    told = {name: run.figures["warnings"][name] for name in ("malformed_id_number", "malformed_flag", "malformed_date",
                                                             "text_too_long", "malformed_phone")}  # fmt: skip
    assert (set(told.values()), run.figures["set_aside_rows"]) == ({1}, 0)
    assert bank.case(1).live
    with reading(bank.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(contacts)).scalar_one() == 3


def test_a_class_that_ageing_left_behind_is_warned_about_without_a_loans_file(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 90)], loans=[loan(1, risk_class="special_mention")])
    aged = bank.send(DAY + timedelta(days=1), [arrears(1, 90)])
    assert aged.figures["warnings"]["class_better_than_floor"] == 1


def test_a_loan_with_nothing_outstanding_yet_overdue_is_warned_about_and_the_snapshot_decides(bank: Bank) -> None:
    run = bank.send(DAY, steady(), loans=[loan(1, outstanding_principal="0.00"), *TEN[1:]])
    assert run.figures["warnings"]["nothing_outstanding_yet_overdue"] == 1
    assert bank.case(1).state == "phone_collection"


@pytest.mark.parametrize("form", ["csv_bom", "csv_gb18030", "csv_gz", "xlsx"])
def test_every_form_of_file_gives_the_same_cases(bank: Bank, form: Any) -> None:
    run = bank.send(DAY, steady(), loans=TEN, contacts=[contact(1)], form=form)
    assert (run.figures["cases_opened"], run.figures["set_aside_rows"]) == (10, 0)
    assert (bank.case(1).overdue_fen, bank.case(1).oldest_due_date) == (102_100, date(2024, 5, 29))


# ── runs that end badly, and two at once ────────────────────────────────────────────────────────────────────────────


def test_a_run_that_died_is_marked_by_the_next(bank: Bank) -> None:
    with writing(bank.started.engine) as conn:
        died = runs.begin(conn, system("cli"), correction=False)
    assert [run.status for run in bank.runs()] == ["running"]
    bank.send(DAY, steady(), loans=TEN)
    assert {run.id: run.status for run in bank.runs()} == {died: "interrupted", died + 1: "applied"}


def test_a_bug_in_the_middle_leaves_nothing_and_the_next_import_works(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    before = bank.dump(*OF_THE_RUN)
    monkeypatch.setattr("casework.intake.feed.finish.pack", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bank.send(NEXT, steady(1), loans=[loan(1, team="T2"), *TEN[1:]])
    assert bank.dump(*OF_THE_RUN) == before
    monkeypatch.undo()
    assert bank.send(NEXT, steady(1)).status == "applied"
    assert [run.status for run in bank.runs()] == ["applied", "interrupted", "applied"]
    bank.assert_sound()


@pytest.mark.every_postgres
def test_of_two_imports_of_one_feed_at_once_one_applies_and_the_other_finds_it_done(bank: Bank) -> None:
    folder = write(bank.folder / "both", DAY, overdue=steady(), loans=TEN)
    found: list[str] = []
    together = threading.Barrier(2)

    def take() -> None:
        together.wait()
        found.append(bank.take(folder).status)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["applied", "repeated"]
    assert len(bank.cases(1)) == 1
    bank.assert_sound()


def test_a_kind_of_file_is_known_to_the_bank_of_these_tests() -> None:
    kinds: list[Kind] = ["loans", "overdue", "contacts", "repayments"]
    assert list(COLUMNS) == kinds


def test_no_feed_takes_over_a_loan_of_another_institution(bank: Bank) -> None:
    """A loans file naming it is refused whole; an overdue row naming it is set aside as unknown."""
    bank.send(DAY, GOOD, loans=FORTY)
    bank.know("elsewhere")
    other = replace(bank, institution="elsewhere")
    with pytest.raises(CallerError) as told:
        other.send(DAY, GOOD, loans=FORTY)
    assert (told.value.code, told.value.facts["loans"]) == ("loan_elsewhere", len(FORTY))
    others = [loan(number) for number in range(101, 141)]
    run = other.send(DAY, [arrears(1), *(arrears(number) for number in range(101, 141))], loans=others)
    assert (run.figures["set_aside"], run.figures["overdue"]) == (1, 40)
    assert bank.case(2).institution == bank.institution
    assert len(bank.cases(1)) == 0


def test_reading_the_cells_of_rows_set_aside_is_an_entry(bank: Bank) -> None:
    """Who read them, of which run and file, and whether masked."""
    run = bank.send(DAY, GOOD[:-1], loans=[*FORTY[:-1], loan(40, outstanding_principal="soon")])
    with writing(bank.started.engine) as conn:
        record_aside_read(conn, bank.started.branch, bank.actor, "loans", masked=False, run_id=run.id)
    (body,) = bank.bodies("feed:set_aside")
    assert (body["event"], body["actor"]["id"]) == ("personal.read", "system")
    assert body["data"] == {"run": run.id, "kind": "loans", "purpose": "mend", "masked": False}
