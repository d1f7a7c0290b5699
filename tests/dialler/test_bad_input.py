"""What cannot be, at the shell and in files: one line that names field, fault and what is allowed; nothing is lost.

Permits and contacts over HTTP: tests/api/test_contact_permits.py, tests/api/test_contacts.py, test_contact_files.py;
promises and holds: tests/lifecycle/test_bad_input.py.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from tests.dialler.called import call, logged, text
from tests.dialler.test_learning import BOOKS, close
from tests.feed.bank import DAY, Bank, arrears
from tests.feed.conftest import BankAfter
from tests.work.test_promises import day

Shell = Callable[..., Result]


@pytest.fixture
def called(bank_after: BankAfter) -> Bank:
    """Two debtors with a case each, and a day that is closed."""
    return bank_after(_furnish)


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 4), arrears(3, 4)], loans=BOOKS)
    close(bank, 0)


@pytest.fixture
def shell(called: Bank, monkeypatch: pytest.MonkeyPatch) -> Shell:
    settings = called.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


def refused(done: Result, code: str, exit_code: int = 1) -> str:
    """One line on stderr that begins with the code, nothing on stdout."""
    assert (done.exit_code, done.stdout) == (exit_code, ""), done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{code}: "), line
    return line


TOMORROW = "2099-01-01T10:00:00+08:00"


# (what is wrong, the cells that make it so, column, kind)
def test_a_file_that_is_only_tried_at_the_shell_changes_nothing(called: Bank, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(text(call("c1", 1, 0, "09:00:00"), call("c2", 1, 0, "10:00:00") | {"party": "boss"}))
    told = json.loads(shell("contact", "import", file, "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["stored"], len(told["set_aside"])) == (True, 1, 1)
    assert "nothing was changed" in shell("contact", "import", file, "--dry-run").output
    assert [*logged(called)] == []


ROWS: list[tuple[str, dict[str, str], str, str]] = [
    ("a row of tomorrow", {"started_at": TOMORROW, "ended_at": ""}, "started_at", "in_the_future"),
    ("ended before it began", {"ended_at": f"{day(0)}T09:59:59+08:00"}, "ended_at", "ended_before_started"),
    ("another debtor's number of customer", {"borrower_id": "B3"}, "borrower_id", "not_the_loans_borrower"),
    ("a day that there is not", {"started_at": "2024-02-30T10:00:00+08:00"}, "started_at", "malformed_time"),
]


@pytest.mark.parametrize(("what", "cells", "column", "kind"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_that_cannot_be_is_set_aside_at_the_shell_and_goes_in_once_it_is_mended(
    called: Bank, shell: Shell, tmp_path: Path, what: str, cells: dict[str, str], column: str, kind: str
) -> None:
    good, bad = call("c1", 1, 0, "09:00:00"), call("c2", 1, 0, "10:00:00")
    file = tmp_path / "calls.csv"
    file.write_text(text(good, bad | cells))
    told = json.loads(shell("contact", "import", file, "--json").stdout)
    assert len(told["set_aside"]) == 1, told
    (aside,) = told["set_aside"]
    assert (told["stored"], aside["line"], aside["column"], aside["kind"]) == (1, 3, column, kind), (what, told)
    assert column in shell("contact", "import", file).output
    file.write_text(text(good, bad))
    again = json.loads(shell("contact", "import", file, "--json").stdout)
    assert (again["stored"], again["repeated"], again["set_aside"]) == (1, 1, [])
    assert [*logged(called)] == ["c1", "c2"]


def test_a_file_cut_in_the_middle_changes_nothing_and_whole_again_it_goes_in(
    called: Bank, shell: Shell, tmp_path: Path
) -> None:
    """Within a row, within a character, within what was packed; the line on which it ends is named."""
    rows = [call(f"c{number}", 1, 0, f"10:00:{number:02}", note="客户未接") for number in range(9)]
    whole = text(*rows)
    file = tmp_path / "calls.csv"
    quoted = whole.rstrip("\n").removesuffix("客户未接") + '"客户'
    for content, code in (
        (quoted.encode(), "csv_malformed"), (whole.rstrip("\n").encode()[:-1], "file_unreadable"),
        (gzip.compress(whole.encode())[:-9], "file_cut"),
    ):  # fmt: skip
        file.write_bytes(content)
        line = refused(shell("contact", "import", file), code)
        assert "calls.csv" in line
        assert logged(called) == {}
    file.write_text(whole)
    assert json.loads(shell("contact", "import", file, "--json").stdout)["stored"] == len(rows)


def test_a_file_of_two_gigabytes_is_refused_at_the_shell_with_how_much_is_allowed(
    called: Bank, shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "calls.csv"
    with file.open("wb") as huge:
        huge.truncate(2 << 30)
    line = refused(shell("contact", "import", file), "file_too_large")
    assert "MiB" in line
    assert logged(called) == {}


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_a_file_in_gb18030_goes_in_at_the_shell_as_one_in_utf_8(
    called: Bank, shell: Shell, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "催记.csv"
    content = (
        text(call("c1", result="空号", note="客户称号码已停用")).replace("debtor", "本人").replace(",call,", ",电话,")
    )
    file.write_bytes(content.encode(encoding))
    told = json.loads(shell("contact", "import", file, "--json").stdout)
    assert (told["stored"], told["set_aside"], logged(called)["c1"].outcome) == (1, [], "invalid_number")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sweep", "--date", str(day(-1))), "day_swept", (str(day(-1)), str(DAY))),
        (("sweep", "--date", "2099-01-01"), "day_to_come", ("2099-01-01",)),
    ],
)
def test_a_sweep_of_a_day_before_the_last_or_to_come_is_refused_with_both_days(
    called: Bank, shell: Shell, arguments: tuple[str, ...], code: str, said: tuple[str, ...]
) -> None:
    line = refused(shell(*arguments), code)
    assert all(part in line for part in said), line


@pytest.mark.parametrize("date", ["yesterday", "2024-02-30", ""])
def test_a_sweep_of_no_day_is_a_mistake_of_usage(called: Bank, shell: Shell, date: str) -> None:
    done: Any = shell("sweep", "--date", date)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--date" in done.stderr


# (what is wrong, the row, column, kind)
PROMISES = [
    ("of nothing", f"P1,L1,{DAY},{day(2)},0.00,S1", "amount", "malformed_amount"),
    ("of less than nothing", f"P1,L1,{DAY},{day(2)},-1.00,S1", "amount", "negative_amount"),
    ("in the past", f"P1,L1,{DAY},{day(-1)},100.00,S1", "pay_by", "before_it_was_made"),
    ("made tomorrow", "P1,L1,2099-01-01,2099-01-02,100.00,S1", "made_on", "malformed"),
]


@pytest.mark.parametrize(("what", "row", "column", "kind"), PROMISES, ids=[row[0] for row in PROMISES])
def test_a_promise_that_cannot_be_is_set_aside_at_the_shell_with_its_column(
    called: Bank, shell: Shell, tmp_path: Path, what: str, row: str, column: str, kind: str
) -> None:
    file = tmp_path / "promises.csv"
    file.write_text(f"ref,loan_id,made_on,pay_by,amount,staff_no\n{row}\n")
    told = json.loads(shell("promise", "import", file, "--json").stdout)
    assert [(one["line"], one["column"], one["kind"]) for one in told["set_aside"]] == [(2, column, kind)], what
    assert json.loads(shell("promise", "list", "--all", "--json").stdout) == []


def test_a_promise_of_more_than_is_owed_goes_in_from_a_file_with_a_warning(
    called: Bank, shell: Shell, tmp_path: Path
) -> None:
    """It was made elsewhere, and what was promised was promised; made here it is refused."""
    file = tmp_path / "promises.csv"
    file.write_text(f"ref,loan_id,made_on,pay_by,amount,staff_no\nP1,L1,{DAY},{day(2)},99999999.00,S1\n")
    told = json.loads(shell("promise", "import", file, "--json").stdout)
    assert "no_more_than_owed" in {one["kind"] for one in told["warnings"]}
    assert len(json.loads(shell("promise", "list", "--all", "--json").stdout)) == 1


def test_holds_that_overlap_in_a_file_are_set_aside_and_the_first_stays(
    called: Bank, shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "holds.csv"
    file.write_text(f"loan_id,hold,from,until\nL1,complaint,{day(-2)},\nL1,complaint,{day(-1)},\n")
    told = json.loads(shell("hold", "import", file, "--json").stdout)
    assert [(one["line"], one["kind"]) for one in told["set_aside"]] == [(3, "no_overlap")]
