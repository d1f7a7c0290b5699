"""The collection ledger of a day: its four sheets, what stands in them, who may take it out, that it is on record."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from casework.cli import main
from casework.clock import now
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER
from casework.operation.sweeping import sweep
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.feed.bank import DAY, Bank, arrears, loan, paid
from tests.work.test_holds import take as hold
from tests.work.test_promises import at, day

SHEETS = ["催收台账", "无法修复名单", "未完成及原因", "催记明细"]


@pytest.fixture
def closed(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    """A closed day: one debtor called twice, one who paid, one under a complaint; the log is sound in the end."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", bank.started.settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(bank.started.settings.keys_dir))
    branch = bank.started.branch
    with writing(bank.started.engine) as conn:
        trail = branch.trail(now())
        for staff_no, post in (("S1", "business_rep"), ("B9", "basic_risk_manager"), ("P1", "phone_collector")):
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=staff_no, name="柳不存",
                posts=(post,), team="T1" if staff_no == "S1" else None,
            )  # fmt: skip
        trail.write(conn)
    snapshot = [arrears(number) for number in (1, 2, 3)]
    bank.send(DAY, snapshot, loans=[loan(number) for number in (1, 2, 3)])
    bank.send(day(1), snapshot, repayments=[paid("R1", 2, day(1), "100.00")])
    lines = ["contact_ref,staff_no,loan_id,party,phone,channel,started_at,recording,result"]
    lines += [
        f"c{hour},P1,L1,debtor,12000000001,call,{day(1)}T{hour}:00:00+08:00,{recording},{result}"
        for hour, recording, result in (("10", "", "no_answer"), ("23", "r1", "debtor"))
    ]
    with writing(bank.started.engine) as conn:
        content = "\n".join(lines).encode()
        import_contacts(conn, branch, content, "c.csv", DIALLER, system("cli"), clock=at(day(2)))
    hold(bank, f"L3,complaint,{day(1)},", on=1)
    sweep(bank.started.engine, branch, day(1), clock=at(day(2)))
    yield bank
    bank.assert_sound()


def run(out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["ledger", "--on", day(1).isoformat(), "--out", str(out), *more])


def sheets(out: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(out)
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def test_the_ledger_has_four_sheets_that_say_what_was_done_and_what_was_not(closed: Bank, tmp_path: Path) -> None:
    out = tmp_path / "台账.xlsx"
    assert run(out, "--as", "B9").exit_code == 0
    found = sheets(out)
    assert list(found) == SHEETS
    title, about, header, *lines = found["催收台账"]
    assert title[0] == "催收台账"
    assert str(about[0]).startswith(f"{day(1)} · 范围：全部 · 制表：柳不存 B9 ")
    rows = {line[2]: dict(zip(header, line, strict=True)) for line in lines if str(line[2]).startswith("L")}
    assert (rows["L1"]["催收人"], rows["L1"]["客户（脱敏）"], rows["L1"]["实拨"], rows["L1"]["接通"]) == (
        "柳不存 P1",
        "甄**",
        2,
        1,
    )
    assert (rows["L1"]["本人接通"], rows["L1"]["未录音数"], rows["L1"]["违规数"]) == ("是", 1, 1)
    assert (rows["L2"]["今日还款"], rows["L2"]["逾期金额"]) == (100, 1021)
    assert (rows["L3"]["停催类型"], rows["L3"]["豁免规则"]) == ("投诉", "投诉")
    assert next(line for line in lines if line[0] == "合计")[8] == 3 * 1021
    not_done = [line[:5] for line in found["未完成及原因"][3:] if line[0]]
    assert next(line[2:4] for line in found["未完成及原因"][3:] if line[6] == "柳不存 S1") == ["上交台账", "未交"]
    assert ["L2", "甄**", "每日拨打", "逾期未办", "未拨打"] in not_done
    assert ["L3", "甄**", "每日拨打", "豁免", "投诉"] in not_done
    assert [line[4:9] for line in found["催记明细"][3:5]] == [
        ["本人", "电话", "无人接听", "无", ""], ["本人", "电话", "本人接听", "有", "X1"],
    ]  # fmt: skip


def test_a_day_whose_feed_has_not_come_says_of_when_the_figures_are(closed: Bank, tmp_path: Path) -> None:
    out = tmp_path / "台账.xlsx"
    assert run(out, "--on", day(2).isoformat()).exit_code == 0
    about = str(sheets(out)["催收台账"][1][0])
    assert f"数据截至{day(1)}" in about


def test_a_ledger_of_a_team_has_what_its_members_handle(closed: Bank, tmp_path: Path) -> None:
    out = tmp_path / "团队.xlsx"
    run(out, "--team", "T1")
    assert sum(str(line[2]).startswith("L") for line in sheets(out)["催收台账"]) == 3
    assert run(out, "--team", "T9").output.startswith("unknown_team: there is no team T9")


def test_who_takes_it_out_is_on_record_and_a_collector_may_not(closed: Bank, tmp_path: Path) -> None:
    refused = run(tmp_path / "a.xlsx", "--as", "P1")
    assert (refused.exit_code, refused.output.split(":")[0]) == (1, "post_not_permitted")
    assert run(tmp_path / "nowhere" / "a.xlsx").output.startswith("file_unwritable")
    run(tmp_path / "b.xlsx", "--as", "B9", "--team", "T1")
    (entry,) = closed.bodies("exports:B9")
    assert entry["event"] == "ledger.exported"
    digest = hashlib.sha256((tmp_path / "b.xlsx").read_bytes()).hexdigest()
    wanted = {"on": day(1).isoformat(), "team": "T1"}
    assert entry["data"] == {"filter": wanted, "format": "xlsx", "rows": 3, "digest": digest}
