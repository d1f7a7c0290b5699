"""The daily report: made from the day, kept once it is issued; its sheets, its file."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from casework.cli import main
from casework.errors import CallerError
from casework.evidence.evening.report import Daily, daily, issue
from casework.intake.feed.past_arrears import past_arrears
from casework.operation.sweeping import sweep
from casework.storage.database import reading, writing
from casework.work.gate.reviews import review
from tests.evening.conftest import COLLECTOR, COLUMNS, OTHER, RISK, call, clock, handed, imported
from tests.feed.bank import Bank
from tests.work.test_holds import take as hold
from tests.work.test_promises import day

ON = ("--on", day(1).isoformat())
SHEETS = ["催收日报", "人员", "未交及迟交", "违规联系", "停催", "无法修复名单", "未录音等联系"]


@pytest.fixture
def closed(house: Bank) -> Bank:
    """P1 handed in at five, P2 later, the rep not at all; a call at night, a complaint; the day is closed."""
    hold(house, f"L3,complaint,{day(1)},", on=1)
    handed(house, COLLECTOR, clock(day(1), 17))
    handed(house, OTHER, clock(day(1), 18))
    call(house, "n1", "P1", 1, "22:30", clock(day(1), 23))
    sweep(house.started.engine, house.started.branch, day(1), clock=clock(day(1), 23, 30))
    return house


def made(bank: Bank, hour: int = 11) -> tuple[Daily, Any]:
    with reading(bank.started.engine, snapshot=True) as conn:
        return daily(conn, bank.started.branch, day(1), clock=clock(day(2), hour))


def test_it_tells_people_and_teams_what_is_missing_breaches_and_holds(closed: Bank) -> None:
    report, issued = made(closed)
    assert issued is None
    assert [(one.owed_by, one.came, one.due, one.done, one.exempt) for one in report.people] == [
        ("S1", "missing", 3, 0, 1), ("P2", "late", 1, 0, 1), ("P1", "handed_in", 2, 1, 0),
    ]  # fmt: skip
    assert [(one.team, one.people, one.handed_in, one.missing, one.due) for one in report.teams] == [
        ("T1", 2, 2, 0, 3), ("T2", 1, 0, 1, 3),
    ]  # fmt: skip
    assert [(one.owed_by, one.part, one.handed_in_at is None) for one in report.missing] == [
        ("S1", "ledger", True), ("P2", "ledger", False), ("P1", "supplement", True),
    ]  # fmt: skip
    assert [(one.contact_ref, one.rules, one.verdict) for one in report.breaches] == [("n1", ("X1",), None)]
    assert [(one.hold, one.in_force) for one in report.holds] == [("complaint", 1)]
    assert report.without_feed == {}
    assert report.totals["due"] == 6


def test_contacts_that_lack_something_are_counted_by_what_and_how_many_of_them_were_reviewed(house: Bank) -> None:
    lines = (
        f"u1,P1,L1,debtor,12000000001,call,{day(1)}T13:00:00+08:00,,busy",
        f"u2,P1,L1,debtor,12000000001,call,{day(1)}T14:00:00+08:00,,busy",
        f"m1,P1,L2,debtor,12000000002,message,{day(1)}T15:00:00+08:00,,sent",
    )
    imported(house, COLUMNS, lines, clock(day(1), 16))
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        trail = branch.trail(clock(day(2), 9)())
        review(conn, trail, branch, RISK, past_arrears, "u1", "explained")
        trail.write(conn)
    told = {("unrecorded", 2, 1), ("no_template", 1, 0)}
    assert {(one.why, one.contacts, one.reviewed) for one in made(house)[0].lacking} == told


def test_once_issued_it_stays_and_is_issued_once(closed: Bank) -> None:
    with writing(closed.started.engine) as conn:
        act = issue(conn, closed.started.branch, day(1), RISK, clock=clock(day(2), 9))
    before, known = made(closed)
    assert known == act
    hold(closed, f"L1,dispute,{day(1)},", on=2)
    assert made(closed)[0] == before
    assert before.made_at == clock(day(2), 9)()
    with pytest.raises(CallerError) as told, writing(closed.started.engine) as conn:
        issue(conn, closed.started.branch, day(1), RISK, clock=clock(day(2), 12))
    assert (told.value.code, told.value.facts["entry_id"]) == ("report_issued", "evening:hand_ins:4")


def test_at_the_shell_it_is_shown_issued_and_taken_out(
    closed: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = closed.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["day", "report", *ON, *arguments])

    shown = json.loads(run("--json").output)
    assert (shown["issued"], shown["totals"]["contacts"]) == (None, 2)
    assert run("--issue", "--as", "AP1").output.startswith("post_not_permitted")
    assert run("--as", "P1").output.startswith("post_not_permitted")
    assert "未交及迟交" in run("--as", "AP1").output
    done = run("--issue", "--out", str(tmp_path), "--as", "B9")
    assert done.exit_code == 0, done.output
    book = CalamineWorkbook.from_path(tmp_path / f"催收日报-{day(1)}.xlsx")
    assert book.sheet_names == SHEETS
    title, about, header, *lines = book.get_sheet_by_name("催收日报").to_python(skip_empty_area=False)
    assert (title[0], header[:3]) == ("催收日报", ["团队", "人数", "已上交"])
    assert "管不存 B9 " in str(about[0])
    assert "分录 evening:hand_ins:4" in str(about[0])
    assert [line[:5] for line in lines[:3]] == [["T1", 2, 2, 0, 3], ["T2", 1, 0, 1, 3], ["合计", 3, 2, 1, 6]]
    assert run("--issue", "--as", "B9").output.startswith("report_issued")
    checked = CliRunner().invoke(main, ["ledger", "check", str(tmp_path / f"催收日报-{day(1)}.xlsx"), "--json"])
    assert json.loads(checked.output)["event"] == "day.report_exported"


def test_in_english_the_report_and_the_ledger_say_the_same_figures_and_no_chinese(
    closed: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of people, teams and what people typed stay as they are."""
    settings = closed.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    for words, zh, en in (
        (("day", "report"), f"催收日报-{day(1)}.xlsx", f"Daily-collection-report-{day(1)}.xlsx"),
        (("ledger",), f"催收台账-{day(1)}.xlsx", f"Collection-ledger-{day(1)}.xlsx"),
    ):
        for lang, name in (("zh", zh), ("en", en)):
            done = CliRunner().invoke(
                main, [*words, *ON, "--out", str(tmp_path), "--lang", lang, "--as", "B9"], catch_exceptions=False
            )
            assert done.exit_code == 0, done.output
            assert (tmp_path / name).exists(), name
        chinese, english = (CalamineWorkbook.from_path(tmp_path / name) for name in (zh, en))
        assert len(chinese.sheet_names) == len(english.sheet_names)
        for theirs, ours in zip(chinese.sheet_names, english.sheet_names, strict=True):
            told, same = (
                book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                for book, name in ((chinese, theirs), (english, ours))
            )
            assert [figures(row) for row in same] == [figures(row) for row in told], ours
            header, lines = same[2], [row for row in same[3:] if len(row) > 1]
            assert [one for one in (ours, *header) if CHINESE.search(str(one))] == [], header
            strange = [
                (what, cell) for row in lines for what, cell in zip(header, row, strict=True)
                if what not in AS_THEY_ARE and CHINESE.search(str(cell))
            ]  # fmt: skip
            assert strange == [], ours
            assert CHINESE.search(str(same[1][0]).replace("管不存", "")) is None


CHINESE = re.compile("[\u3000-\uffef]")
AS_THEY_ARE = {"collector", "owner", "handler", "owed by", "handed in by", "team", "customer (masked)", "remark"}


def figures(row: Sequence[object]) -> list[object]:
    return [cell for cell in row if not isinstance(cell, str)]
