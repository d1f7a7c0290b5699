"""`casework staff …`: the register from the shell, as an administrator and as the one who sets the branch up."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.clock import now
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import Running, findings

Branch = tuple[Started, dict[str, str]]
DAY = timedelta(days=1)


@pytest.fixture
def shell(settings: Settings, branch: Branch) -> Any:
    """Runs a command line on the test's branch."""

    def run(*arguments: str) -> Result:
        given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
        return CliRunner().invoke(main, ["staff", *arguments], env=given)

    return run


@pytest.fixture
def today(branch: Branch) -> date:
    """The branch's day."""
    return branch[0].branch.today(now())


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output + result.stderr
    return json.loads(result.stdout)


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    return result.stderr.partition(":")[0]


def unverified(branch: Branch, *numbers: str) -> None:
    with writing(branch[0].engine) as conn:
        trail = branch[0].branch.trail(now())
        register.named_by_feed(conn, trail, system("feed"), numbers)
        trail.write(conn)


def test_at_the_shell_a_post_is_granted_and_the_list_marks_it(shell: Any, branch: Branch) -> None:
    added = read(shell("add", "N1", "甄不存", "--post", "phone_collector", "--capacity", "9", "--json"))
    assert added == {"staff_no": "N1", "posts": ["phone_collector"], "requests": [], "refused": []}
    listed = shell("list", "--post", "phone_collector")
    assert "phone_collector 基础管理岗（电催）*" in listed.output
    assert findings(branch[0]) == []


def test_an_administrator_asks_for_posts_and_nobody_holds_them_yet(shell: Any, branch: Branch) -> None:
    added = read(shell("add", "N1", "甄不存", "--post", "phone_collector", "--as", "ADM1", "--json"))
    assert (added["posts"], [one["post"] for one in added["requests"]]) == ([], ["phone_collector"])
    asked = read(shell("post", "grant", "N1", "approver", "--as", "ADM1", "--json"))
    assert asked["request"] is not None
    again = shell("post", "grant", "N1", "approver", "--as", "ADM1")
    assert refused(again) == "request_open_already"
    assert read(shell("show", "N1", "--json"))["posts"] == []
    assert findings(branch[0]) == []


def test_a_post_begins_and_ends(shell: Any, branch: Branch, today: date) -> None:
    granted = shell("post", "grant", "R1", "post_loan_officer", "--from", str(today + DAY))
    assert granted.exit_code == 0
    assert "post_loan_officer" not in read(shell("show", "R1", "--json"))["posts"]
    assert read(shell("show", "R1", "--on", str(today + DAY), "--json"))["posts"] == [
        "business_rep", "post_loan_officer",
    ]  # fmt: skip
    assert shell("post", "end", "R1", "business_rep").exit_code == 0
    assert read(shell("show", "R1", "--json"))["posts"] == []
    assert refused(shell("post", "end", "R1", "business_rep")) == "post_not_held"
    assert refused(shell("post", "grant", "A1", "approver")) == "posts_conflict"
    assert findings(branch[0]) == []


def test_particulars_team_certificate_and_leave_are_changed(shell: Any, branch: Branch, today: date) -> None:
    week = str(today + 6 * DAY)
    for arguments in (
        ("region", "R1", "武汉"), ("team", "T1", "一组", "--region", "R1"), ("team", "T2", "二组", "--region", "R1"),
        ("change", "R1", "--capacity", "8", "--leaves", str(today + 30 * DAY), "--as", "ADM1"),
        ("move", "R1", "--team", "T2", "--from", week),
        ("certify", "R1", "collector_training", "--issued", "2026-01-15"),
        ("absent", "R1", "--from", str(today), "--until", week, "--deputy", "T1", "--as", "B1"),
    ):  # fmt: skip
        done = shell(*arguments)
        assert done.exit_code == 0, (arguments, done.stderr)
    shown = read(shell("show", "R1", "--json"))
    assert (shown["capacity"], shown["leaves_on"], shown["team"]) == (8, str(today + 30 * DAY), "T1")
    assert (shown["away_until"], shown["deputy"]) == (week, "T1")
    assert read(shell("show", "R1", "--on", week, "--json"))["team"] == "T2"
    assert len(shown["dated"]["certificates"]) == 1
    assert read(shell("certificates", "--json")) == []
    assert shell("certificates", "--within", "90").exit_code == 0
    assert "deputy T1" in shell("list", "--team", "T1").output
    assert "certificates 证书" in shell("show", "R1").output
    assert [one["code"] for one in read(shell("teams", "--json"))["teams"]] == ["T1", "T2"]
    assert shell("back", "R1", "--from", str(today)).exit_code == 0
    cleared = read(shell("change", "R1", "--capacity", "none", "--leaves", "none", "--json"))
    assert (cleared["capacity"], cleared["leaves_on"]) == (None, None)
    assert findings(branch[0]) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("show", "N9"), "unknown_staff"), (("confirm", "R1", "王"), "wrong_status"),
     (("merge", "R1", "T1"), "wrong_status"), (("merge", "U1", "U1"), "merged_into_himself"),
     (("return", "R1"), "wrong_status"), (("change", "R1"), "nothing_changes"),
     (("change", "R1", "--capacity", "100001"), "capacity_out_of_range"),
     (("move", "R1", "--team", "T1", "--region", "R1"), "nothing_changes"),
     (("absent", "R1", "--from", "2026-03-02", "--until", "2026-03-01"), "dates_out_of_order"),
     (("absent", "R1", "--from", "2026-03-01", "--until", "2026-03-01", "--as", "T1"), "post_not_permitted"),
     (("change", "R1", "--capacity", "1", "--as", "B1"), "post_not_permitted"),
     (("team", "T1", "一组", "--as", "R1"), "post_not_permitted"),
     (("team", "T1", "一组", "--region", "X"), "unknown_region"),
     (("list", "--json", "--on", "2026-01-01"), "")],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_1(
    shell: Any, branch: Branch, arguments: tuple[str, ...], code: str
) -> None:
    unverified(branch, "U1")
    told = shell(*arguments)
    if code:
        assert refused(told) == code
    else:
        assert read(told)


@pytest.mark.parametrize(
    "arguments",
    [("change", "R1", "--capacity", "many"), ("change", "R1", "--leaves", "soon"), ("absent", "R1"),
     ("absent", "R1", "--from", "2026-03-01", "--until", "2026-03-01", "--reason", "golf"), ("list", "--on", "today"),
     ("post", "grant", "R1")],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(shell: Any, arguments: tuple[str, ...]) -> None:
    assert shell(*arguments).exit_code == 2


def test_whom_a_feed_named_is_listed_confirmed_and_merged(shell: Any, running: Running, branch: Branch) -> None:
    unverified(branch, "U1", "U2")
    running.open("L1", "L2", owner="U1")
    today = branch[0].branch.today(now()).isoformat()
    assert read(shell("unverified", "--json")) == [
        {"staff_no": "U1", "open_cases": 2, "first_named_on": today, "days": 0},
        {"staff_no": "U2", "open_cases": 0, "first_named_on": today, "days": 0},
    ]
    assert "U2" in shell("unverified").output
    assert shell("confirm", "U2", "李强", "--team", "T1").exit_code == 0
    assert read(shell("merge", "U1", "R1", "--json")) == {"staff_no": "U1", "into": "R1", "cases": 2}
    assert read(shell("unverified", "--json")) == []
    assert [one["staff_no"] for one in read(shell("list", "--status", "merged", "--json"))] == ["U1"]
    assert findings(branch[0]) == []


def test_who_left_is_back_without_anything(shell: Any, branch: Branch, today: date) -> None:
    with writing(branch[0].engine) as conn:
        trail = branch[0].branch.trail(now())
        register.leave(conn, trail, system("cli"), staff_no="T1", on=today, cause={})
        trail.write(conn)
    assert read(shell("return", "T1", "--team", "T1", "--json"))["status"] == "active"
    assert findings(branch[0]) == []


def test_a_file_is_imported_whole_or_not_at_all(shell: Any, branch: Branch, tmp_path: Path) -> None:
    file = tmp_path / "staff.csv"
    file.write_text("工号,姓名,岗位,手机\nN1,甄不存,基础管理岗（电催）,1\nR1,员工R1,业务代表,2\n", encoding="gb18030")
    dry = read(shell("import", str(file), "--dry-run", "--json"))
    assert (dry["applied"], dry["rows"], dry["unchanged"], dry["columns_not_read"]) == (False, 2, 1, ["手机"])
    assert refused(shell("show", "N1")) == "unknown_staff"
    assert "甄不存" in shell("import", str(file)).output
    again = read(shell("import", str(file), "--json"))
    assert (again["applied"], again["differences"], again["unchanged"]) == (True, [], 2)
    file.write_text("staff_no,name,capacity\nN1,甄不存,7\nN2,李四,many\n")
    wrong = shell("import", str(file), "--json")
    assert wrong.exit_code == 1
    assert [(one["line"], one["column"], one["code"]) for one in json.loads(wrong.stdout)["faults"]] == [
        (3, "capacity", "malformed_capacity")
    ]
    assert "malformed_capacity" in shell("import", str(file)).output
    assert read(shell("show", "N1", "--json"))["capacity"] is None
    assert findings(branch[0]) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\x00\xff\xfe", "file_unreadable"), (b"PK\x03\x04nothing", "file_unreadable"), (b"", "column_missing"),
     (b"staff_no\nN1\n", "column_missing"), (b'staff_no,name\n"N1,x\n', "csv_malformed"),
     (b"staff_no,name\n" + b"x" * (4 << 20), "file_too_large")],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(shell: Any, tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "staff.csv"
    file.write_bytes(content)
    assert refused(shell("import", str(file))) == code
    assert refused(shell("import", str(tmp_path / "none.csv"))) == "file_unreadable"
