"""The loans of each day are kept beside the database without names and numbers, and read again as they came."""

import hashlib
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.cli.log_report import print_report
from casework.customer import Customer
from casework.errors import CallerError
from casework.evidence.past.past_loans import loans_on
from casework.intake.feed.kept_loans import COLUMNS, LoansThen
from casework.log.tables import entries
from casework.oversight.privacy.erase import Erasure, erase
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from tests.feed.bank import DAY, Bank, arrears, loan, write
from tests.feed.shell import casework, environment
from tests.log.built_log import guards_down

DAYS = [DAY + timedelta(days=day) for day in range(6)]
TWO = [loan(1), loan(2, self_payment="", risk_class="substandard", npl_since="2024-05-01", status="on_book")]


def folder_of(bank: Bank) -> Path:
    return bank.started.settings.loans_dir


def files(bank: Bank) -> list[Path]:
    return sorted(path for path in folder_of(bank).rglob("*") if path.is_file())


def kept(bank: Bank, number: int = -1) -> dict[str, Any]:
    said: dict[str, Any] = bank.bodies(f"feed:{bank.institution}")[number]["data"]["kept_loans"]
    return said


def on(bank: Bank, day: date, *columns: str) -> LoansThen | None:
    branch = bank.started.branch
    with reading(bank.started.engine) as conn:
        return loans_on(conn, branch.mac_key, folder_of(bank), bank.institution, day, columns or COLUMNS)


def outstanding(bank: Bank, day: date) -> Any:
    found = on(bank, day, "loan_id", "outstanding_principal_fen")
    return None if found is None else (found.as_of, dict(found.rows()))


# ── what lies there ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_the_one_that_the_entry_states_and_anybody_reads_it(bank: Bank) -> None:
    bank.send(DAY, [arrears(1)], loans=TWO)
    (path,), said = files(bank), kept(bank)
    assert path == folder_of(bank) / said["file"]
    assert (path.name[:11], path.suffix, path.stat().st_mode & 0o777) == (f"{DAY}~", ".zip", 0o600)
    data = path.read_bytes()
    assert (said["rows"], said["bytes"], said["sha256"]) == (2, len(data), hashlib.sha256(data).hexdigest())
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("about.json"))
        columns = {name: json.loads(archive.read(f"{name}.json")) for name in about["columns"]}
    assert (about["format"], about["institution"], about["as_of"]) == ("casework/loans/v1", "demo", DAY.isoformat())
    assert (columns["loan_id"], columns["self_payment"]) == (["L1", "L2"], [True, None])
    assert columns["outstanding_principal_fen"] == [5_000_000, 5_000_000]
    assert (columns["npl_since"], columns["status"]) == ([None, "2024-05-01"], [None, "on_book"])


def test_no_name_and_no_number_of_a_person_is_in_it(bank: Bank) -> None:
    bank.send(DAY, [arrears(1)], loans=TWO)
    with zipfile.ZipFile(files(bank)[0]) as archive:
        names = archive.namelist()
        content = b"".join(archive.read(name) for name in names)
    assert not {"borrower_name.json", "id_number.json"} & set(names)
    for row in TWO:
        assert row["borrower_name"].encode() not in content
        assert row["id_number"].encode() not in content


def test_an_unchanged_loans_file_is_kept_once_and_stated_again(bank: Bank) -> None:
    for day in DAYS[:3]:
        bank.send(day, [arrears(1, on=day)], loans=TWO)
    assert len(files(bank)) == 1
    assert [kept(bank, number) for number in range(3)] == [kept(bank)] * 3
    bank.assert_sound()


# ── read again ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_past_day_is_read_as_its_file_had_it(bank: Bank) -> None:
    bank.send(DAYS[1], [arrears(1, on=DAYS[1])], loans=TWO)
    bank.send(DAYS[2], [arrears(1, on=DAYS[2])])  # no loans came
    bank.send(DAYS[3], [arrears(1, on=DAYS[3])], loans=[loan(1, outstanding_principal="40000.00"), TWO[1]])
    first, later = {"L1": 5_000_000, "L2": 5_000_000}, {"L1": 4_000_000, "L2": 5_000_000}
    assert [outstanding(bank, day) for day in DAYS[:5]] == [
        None, (DAYS[1], first), (DAYS[1], first), (DAYS[3], later), (DAYS[3], later),
    ]  # fmt: skip
    found = on(bank, DAYS[1])
    assert found is not None
    assert (found.run, tuple(found.columns)) == (1, COLUMNS)
    assert found.columns["npl_since"] == [None, date(2024, 5, 1)]
    assert found.columns["disbursed_on"] == [date(2023, 1, 5)] * 2


def test_the_latest_correction_of_a_day_is_its_word_also_when_later_days_have_been(bank: Bank) -> None:
    bank.send(DAYS[0], [arrears(1)], loans=TWO)
    bank.send(DAYS[1], [arrears(1, on=DAYS[1])], loans=TWO)
    bank.send(DAYS[0], [arrears(1)], loans=[loan(1, outstanding_principal="1.00"), TWO[1]], correction=True)
    assert outstanding(bank, DAYS[0]) == (DAYS[0], {"L1": 100, "L2": 5_000_000})
    assert outstanding(bank, DAYS[1]) == (DAYS[1], {"L1": 5_000_000, "L2": 5_000_000})


def test_an_erasure_leaves_the_days_as_they_were(bank: Bank) -> None:
    bank.send(DAY, [arrears(1)], loans=TWO)
    before = on(bank, DAY)
    with writing(bank.started.engine) as conn:
        customer = Customer(bank.institution, "B2")
        told = erase(conn, bank.started.branch, customer, basis="unlawful", actor=system("cli"))
    assert isinstance(told, Erasure)
    assert on(bank, DAY) == before
    bank.assert_sound()


# ── a run that fails ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_is_rolled_back_leaves_no_file(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casework.intake.feed.finish._announce", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bank.send(DAY, [arrears(1)], loans=TWO)
    assert files(bank) == []
    monkeypatch.undo()
    bank.send(DAY, [arrears(1)], loans=TWO)
    bank.assert_sound()


_KILLED = """
import os, signal
from casework.intake.feed import finish
finish._announce = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from pathlib import Path
from casework.intake.feed.load import ImportRequest, import_feed
from casework.settings import Settings
from casework.people.staff.actor import system
from casework.operation.startup import start
started = start(Settings.from_environment())
import_feed(started.engine, started.branch, Path({folder!r}), ImportRequest(system("cli")))
"""


def test_what_a_killed_import_left_is_taken_up_by_the_same_feed(bank: Bank) -> None:
    folder = write(bank.folder / "killed", DAY, overdue=[arrears(1)], loans=TWO)
    code = _KILLED.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], env=environment(bank.started.settings), check=False)
    assert done.returncode == -signal.SIGKILL
    (orphan,) = files(bank)
    assert bank.verified().findings == []
    bank.take(folder)
    assert files(bank) == [orphan]
    bank.assert_sound()


def test_a_folder_that_cannot_be_written_refuses_the_feed_by_name(bank: Bank) -> None:
    folder_of(bank).parent.mkdir(parents=True, exist_ok=True)
    folder_of(bank).write_text("no folder")
    with pytest.raises(CallerError) as told:
        bank.send(DAY, [arrears(1)], loans=TWO)
    assert told.value.code == "kept_loans_unwritable"
    assert [run.status for run in bank.runs()] == ["refused"]
    folder_of(bank).unlink()
    bank.send(DAY, [arrears(1)], loans=TWO)
    bank.assert_sound()


# ── attacked ────────────────────────────────────────────────────────────────────────────────────────────────────────


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def one_byte_more(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def another_days(path: Path) -> None:
    (other,) = (file for file in path.parent.iterdir() if file != path)
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    ("attack", "verdict", "code"),
    [(one_bit, "tampered", "kept_loans_changed"), (one_byte_more, "tampered", "kept_loans_changed"),
     (another_days, "tampered", "kept_loans_changed"), (Path.unlink, "cannot_tell", "kept_loans_missing")],
)  # fmt: skip
def test_a_file_that_was_changed_accuses_and_one_that_is_gone_does_not(
    bank: Bank, attack: Callable[[Path], Any], verdict: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.send(DAYS[0], [arrears(1)], loans=TWO)
    bank.send(DAYS[1], [arrears(1, on=DAYS[1])], loans=[loan(1, outstanding_principal="1.00"), TWO[1]])
    bank.assert_sound()
    attack(folder_of(bank) / kept(bank, 0)["file"])
    report = bank.verified()
    told = [*report.findings, *report.doubts]
    assert (report.verdict, [one.code for one in told]) == (verdict, [code])
    assert told[0].detail == {"file": kept(bank, 0)["file"]}
    print_report(report.as_json())
    assert code in capsys.readouterr().out
    with pytest.raises(CallerError) as refused:
        on(bank, DAYS[0])
    assert refused.value.code == code
    assert on(bank, DAYS[1]) is not None


def test_the_shell_answers_with_the_exit_code_of_the_verdict(bank: Bank) -> None:
    bank.send(DAY, [arrears(1)], loans=TWO)
    settings = bank.started.settings
    one_bit(files(bank)[0])
    assert casework(settings, "audit", "verify").code == 1
    files(bank)[0].unlink()
    assert casework(settings, "audit", "verify").code == 2


def test_days_are_read_only_where_the_log_is_whole(bank: Bank, owner_engine: Engine) -> None:
    """Whoever deletes the entry of a correction cannot have the uncorrected day believed."""
    bank.send(DAY, [arrears(1)], loans=TWO)
    bank.send(DAY, [arrears(1)], loans=[loan(1, outstanding_principal="1.00"), TWO[1]], correction=True)
    bank.send(DAYS[1], [arrears(1, on=DAYS[1])])
    stream = f"feed:{bank.institution}"
    with writing(owner_engine) as conn, guards_down(conn):
        conn.execute(sa.delete(entries).where(entries.c.stream == stream, entries.c.stream_seq == 2))
    with pytest.raises(CallerError) as told:
        on(bank, DAY)
    assert (told.value.code, told.value.facts["fault"]) == ("log_broken", "stream_hole")
