"""`casework feed` as it is really run: exit codes, one line for every trouble, nothing half-done, no personal data."""

import json
import os
import pty
import random
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from casework.operation.startup import start, upgrade
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import open_engine, writing
from casework.work.cases.tables import cases
from tests.conftest import Database
from tests.feed.bank import DAY, Bank, arrears, contact, loan, write
from tests.feed.shell import COMMAND, Said, begin, casework, environment

NEXT = DAY + timedelta(days=1)
TEN = [loan(number) for number in range(1, 11)]
PRIVATE = [cell for n in range(1, 11) for cell in (loan(n)["borrower_name"], loan(n)["id_number"], contact(n)["phone"])]


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def first_of_forty(bank: Bank) -> Path:
    everybody = range(1, 41)
    return write(bank.folder / "first", DAY, overdue=[*map(arrears, everybody)], loans=[*map(loan, everybody)])


def first_day(bank: Bank) -> Path:
    return write(bank.folder / "first", DAY, overdue=steady(), loans=TEN, contacts=[contact(n) for n in range(1, 11)])


def one_line(said: Said, code: str) -> None:
    """Exit code 1 and the reason on stderr, in one line: the code and its text, in both languages where it has two."""
    assert said.code == 1, said
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith(f"{code}: ")
    assert len(lines) == 1
    assert "Traceback" not in said.err


# ── exit codes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_import_done_ends_with_0_and_says_what_happened(bank: Bank, settings: Settings) -> None:
    said = casework(settings, "feed", "import", first_day(bank))
    assert said.code == 0
    assert "2024-06-03: 10 loans in arrears; 10 new, 0 gone" in said.out
    again = casework(settings, "feed", "import", first_day(bank))
    assert (again.code, again.out) == (0, "2024-06-03: already applied, nothing changed\n")


def test_an_import_says_where_the_files_disagree_and_which_cases_left_the_bank_s_books_unpaid(
    bank: Bank, settings: Settings
) -> None:
    casework(settings, "feed", "import", first_day(bank))
    odd = [loan(2, outstanding_principal="0.00"), loan(3, status="closed"), loan(4, status="written_off"), *TEN[4:]]
    said = casework(settings, "feed", "import", write(bank.folder / "odd", NEXT, overdue=steady(3, 4), loans=odd))
    assert said.code == 0, said
    for code in ("nothing_outstanding_yet_overdue", "omitted_yet_overdue", "closed_yet_outstanding"):
        assert f"warning: {code} × 1" in said.out
    assert f"off the bank's books, unpaid: cases {bank.case(4).id}\n" in said.out


def test_json_output_is_one_document_with_the_expected_keys(bank: Bank, settings: Settings) -> None:
    said = casework(settings, "feed", "import", first_day(bank), "--json")
    run = json.loads(said.out)
    assert {
        "as_of",
        "overdue",
        "overdue_fen",
        "opened",
        "gone",
        "gone_share",
        "buckets",
        "roll",
        "m1_cured",
        "m2_m3_cured",
    } <= set(run)
    assert (run["as_of"], run["overdue"], run["status"]) == ("2024-06-03", 10, "applied")
    assert json.loads(casework(settings, "feed", "runs", "--json").out) == [run]


def test_a_dry_run_says_what_an_import_would_do_and_leaves_nothing(bank: Bank, settings: Settings) -> None:
    """The same lines and the same refusal, and no run is listed."""
    said = casework(settings, "feed", "import", first_of_forty(bank), "--dry-run")
    assert said.code == 0, said
    assert "nothing was changed" in said.out
    told = json.loads(casework(settings, "feed", "import", bank.folder / "first", "--dry-run", "--json").out)
    assert (told["id"], told["dry_run"], told["status"], told["rows_set_aside"]) == (None, True, "applied", [])
    assert json.loads(casework(settings, "feed", "runs", "--all", "--json").out) == []
    real = casework(settings, "feed", "import", bank.folder / "first")
    assert said.out.splitlines()[-1] == real.out.splitlines()[-1]
    cut = write(bank.folder / "cut", NEXT, overdue=steady(1, 2, 3, 4))
    refused = casework(settings, "feed", "import", cut, "--dry-run", "--json")
    told = json.loads(refused.out)
    assert (refused.code, told["dry_run"], told["refusal"]["code"]) == (1, True, "loans_vanished")
    assert len(json.loads(casework(settings, "feed", "runs", "--all", "--json").out)) == 1


def test_a_refused_import_says_why_to_machines_too(bank: Bank, settings: Settings) -> None:
    """One JSON document on stdout, beside the line for people and the exit code."""
    casework(settings, "feed", "import", first_of_forty(bank))
    cut = write(bank.folder / "cut", NEXT, overdue=steady(1, 2, 3, 4))
    said = casework(settings, "feed", "import", cut, "--json")
    told = json.loads(said.out)
    assert (said.code, told["status"], told["refusal"]["code"]) == (1, "refused", "loans_vanished")
    assert told["refusal"]["facts"]["gone"] == 34


def test_a_refused_import_ends_with_1_and_its_reason_in_both_languages(bank: Bank, settings: Settings) -> None:
    casework(settings, "feed", "import", first_of_forty(bank))
    said = casework(settings, "feed", "import", write(bank.folder / "few", NEXT, overdue=steady(1, 2, 3, 4)))
    one_line(said, "loans_vanished")
    assert "34笔" in said.err
    assert casework(settings, "feed", "import", bank.folder / "few", "--confirm-vanished").code == 0
    every = json.loads(casework(settings, "feed", "runs", "--all", "--json").out)
    assert [run["status"] for run in every] == ["applied", "awaiting", "applied"]


@pytest.mark.parametrize(
    "arguments",
    [["feed", "import"], ["feed", "import", "x", "--sideways"], ["feed", "reimport", "x"], ["feed", "set-aside", "x"]],
)
def test_wrong_usage_ends_with_2(settings: Settings, arguments: list[str]) -> None:
    assert casework(settings, *arguments).code == 2


def test_a_missing_folder_is_one_line(bank: Bank, settings: Settings) -> None:
    one_line(casework(settings, "feed", "import", bank.folder / "nowhere"), "folder_missing")
    assert [run.status for run in bank.runs()] == ["refused"]


def test_as_a_member_of_staff_the_run_bears_his_number(bank: Bank, settings: Settings) -> None:
    bank.staff("B1", "basic_risk_manager")
    bank.staff("T1", "phone_collector")
    one_line(casework(settings, "feed", "import", first_day(bank), "--as", "T1"), "post_not_permitted")
    one_line(casework(settings, "feed", "import", first_day(bank), "--as", "NOBODY"), "unknown_staff")
    assert casework(settings, "feed", "import", first_day(bank), "--as", "B1").code == 0
    assert [(run.actor_id, run.status) for run in bank.runs()] == [("T1", "refused"), ("B1", "applied")]
    bank.assert_sound()


def test_set_aside_rows_are_listed_without_their_cells_and_written_to_a_private_file(
    bank: Bank, settings: Settings, tmp_path: Path
) -> None:
    books = [loan(number) for number in range(1, 41)]
    sheet = [arrears(number) for number in range(1, 40)]
    casework(
        settings,
        "feed",
        "import",
        write(bank.folder / "x", DAY, overdue=sheet, loans=[*books[:-1], loan(40, outstanding_principal="soon")]),
    )
    listed = casework(settings, "feed", "set-aside", "1")
    assert (listed.code, "malformed_amount" in listed.out, "甄不存" in listed.out) == (0, True, False)
    target = tmp_path / "mend.csv"
    assert casework(settings, "feed", "set-aside", "1", "--kind", "loans", "-o", target).code == 0
    assert "甄不存40" in target.read_text(encoding="utf-8-sig")
    assert target.stat().st_mode & 0o077 == 0
    assert casework(settings, "feed", "set-aside", "1", "-o", target).code == 2
    one_line(casework(settings, "feed", "set-aside", "99"), "unknown_run")


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_quiet_in_a_pipe_and_shown_on_a_terminal(bank: Bank, settings: Settings) -> None:
    assert casework(settings, "feed", "import", first_day(bank)).err == ""
    second = write(bank.folder / "second", NEXT, overdue=steady(1))
    mine, theirs = pty.openpty()
    variables = environment(settings) | {"TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "feed", "import", str(second)], env=variables, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while select.select([mine], [], [], 20)[0]:
            try:
                shown += os.read(mine, 65_536)
            except OSError:  # the other side is closed
                break
        assert process.wait(20) == 0
    os.close(mine)
    assert b"cases" in shown


def test_no_personal_data_in_any_output_of_good_and_bad_runs(bank: Bank, settings: Settings) -> None:
    good = first_day(bank)
    headless = write(bank.folder / "headless", NEXT, overdue=steady(), loans=TEN)
    file = next(headless.glob("loans*"))
    file.write_bytes(b"\n".join(file.read_bytes().splitlines()[1:]))
    spoilt = write(
        bank.folder / "spoilt", NEXT, overdue=steady(), loans=[loan(1, borrower_name="甄不存1" * 60), *TEN[1:]]
    )
    for folder in (good, headless, spoilt):
        for arguments in ([], ["--json"]):
            said = casework(settings, "feed", "import", folder, *arguments)
            assert [cell for cell in PRIVATE if cell in said.out + said.err] == []
    said = casework(settings, "feed", "runs", "--all", "--json")
    assert [cell for cell in PRIVATE if cell in said.out] == []
    assert {run["status"] for run in json.loads(said.out)} == {"applied", "repeated", "refused"}


# ── kill -9 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_import_killed_at_any_moment_leaves_nothing_half_done_and_the_next_one_works(
    bank: Bank, settings: Settings
) -> None:
    books = [loan(number) for number in range(1, 801)]
    casework(settings, "feed", "import", write(bank.folder / "0", DAY, overdue=[arrears(1)], loans=books))
    applied = 1
    whole = [arrears(number) for number in range(1, 801)]
    folder = write(bank.folder / "1", NEXT, overdue=whole, loans=[loan(n, team="T2") for n in range(1, 801)])
    unhurt = bank.dump("feed_runs")
    chance = random.Random(20240604)
    killed = 0
    for _ in range(3):
        known = len(bank.runs())
        process = begin(settings, "feed", "import", folder)
        # From the moment the run is entered: the start of the interpreter is not the import.
        deadline = time.monotonic() + 20
        while len(bank.runs()) == known and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        status = bank.runs()[-1].status
        if status == "applied":
            applied += 1
            break
        assert status == "running"
        killed += 1
        assert bank.dump("feed_runs") == unhurt
        bank.assert_sound()
    assert killed >= 1
    if applied == 1:
        assert casework(settings, "feed", "import", folder).code == 0
    assert {run.status for run in bank.runs()[1:-1]} <= {"interrupted", "running"}
    assert bank.runs()[-1].status == "applied"
    assert len(bank.dump()["cases"]) == 800
    bank.assert_sound()
    if applied == 1:
        assert sum(run.status == "interrupted" for run in bank.runs()) == killed


# ── the database locked, full, gone ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.only("sqlite")
def test_a_locked_sqlite_is_one_line_and_nothing_is_changed(bank: Bank, settings: Settings) -> None:
    folder = first_day(bank)
    before = bank.dump()
    holder = sqlite3.connect(settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    impatient = replace(settings, database_url=f"{settings.database_url}?busy_timeout_ms=200")
    try:
        one_line(casework(impatient, "feed", "import", folder), "database_busy")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert bank.dump() == before
    assert casework(impatient, "feed", "import", folder).code == 0


@pytest.mark.only("postgresql")
def test_a_postgresql_that_another_import_holds_is_one_line_and_the_run_says_so(bank: Bank, settings: Settings) -> None:
    folder = first_day(bank)
    impatient = replace(
        settings, database_url=f"{settings.database_url}&options=-c%20lock_timeout%3D200%20-c%20timezone%3DUTC"
    )
    before = bank.dump("feed_runs")
    with psycopg.connect(settings.database_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(hashtext('feed/demo'))")
        one_line(casework(impatient, "feed", "import", folder), "database_busy")
    assert bank.dump("feed_runs") == before
    assert [(run.status, run.refusal and run.refusal["code"]) for run in bank.runs()] == [("refused", "database_busy")]
    assert casework(impatient, "feed", "import", folder).code == 0


def many(bank: Bank) -> Path:
    """A feed that needs a few megabytes."""
    numbers = range(1, 3_001)
    return write(bank.folder / "many", DAY, overdue=[arrears(n) for n in numbers], loans=[loan(n) for n in numbers])


@pytest.mark.only("sqlite")
def test_a_full_sqlite_is_one_line_and_nothing_is_changed(bank: Bank, settings: Settings) -> None:
    folder = many(bank)
    before = bank.dump("feed_runs")
    path = settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as raw:
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
    raw.close()
    small = replace(settings, database_url=f"{settings.database_url}?max_page_count={pages + 40}")
    one_line(casework(small, "feed", "import", folder), "database_full")
    assert bank.dump("feed_runs") == before
    assert [run.status for run in bank.runs()] == ["refused"]
    assert casework(settings, "feed", "import", folder).code == 0
    bank.assert_sound()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; a visible skip where none can be mounted."""
    place = Path("/tmp") / f"casework-small-{os.getpid()}-{time.monotonic_ns()}"
    place.mkdir(mode=0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0777", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip("a small tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


@pytest.mark.only("postgresql")
def test_a_full_postgresql_is_one_line_and_nothing_is_changed(
    small_disk: Path, bank: Bank, settings: Settings, database: Database
) -> None:
    server = database.server
    assert server is not None
    folder = many(bank)
    name = settings.database_url.split("@/")[1].split("?")[0]
    inside = small_disk / "data"
    inside.mkdir(mode=0o700)
    owner = server.socket_dir.stat()
    os.chown(inside, owner.st_uid, owner.st_gid)
    bank.started.engine.dispose()
    before = bank.dump("feed_runs")
    bank.started.engine.dispose()
    server.execute(f"CREATE TABLESPACE small_{name} LOCATION '{inside}'")
    try:
        server.execute(f"ALTER DATABASE {name} SET TABLESPACE small_{name}")
        filler = small_disk / "filler"
        free = os.statvfs(small_disk)
        filler.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - 512 * 1024))
        one_line(casework(settings, "feed", "import", folder), "database_full")
        filler.unlink()
        assert bank.dump("feed_runs") == before
        bank.started.engine.dispose()
    finally:
        (small_disk / "filler").unlink(missing_ok=True)
        server.execute(f"ALTER DATABASE {name} SET TABLESPACE pg_default", f"DROP TABLESPACE small_{name}")
    assert casework(settings, "feed", "import", folder).code == 0
    bank.assert_sound()


def test_a_database_that_is_gone_is_one_line(
    bank: Bank, settings: Settings, database: Database, tmp_path: Path
) -> None:
    nowhere = f"sqlite:///{tmp_path / 'gone.db'}" if database.is_sqlite else "postgresql://nobody@/x?host=/nowhere"
    one_line(casework(replace(settings, database_url=nowhere), "feed", "import", first_day(bank)), "database_gone")


@pytest.mark.only("postgresql")
def test_a_postgresql_that_goes_in_the_middle_leaves_nothing_half_done(bank: Bank, settings: Settings) -> None:
    folder = many(bank)
    before = bank.dump("feed_runs")
    with (
        psycopg.connect(settings.database_url) as holder,
        psycopg.connect(settings.database_url, autocommit=True) as watch,
    ):
        holder.execute("SELECT pg_advisory_xact_lock(hashtext('feed/demo'))")
        process = subprocess.Popen(
            [*COMMAND, "feed", "import", str(folder)], env=environment(settings), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        deadline = time.monotonic() + 20
        while (found := watch.execute(waiting).fetchone()) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert found is not None
        watch.execute("SELECT pg_terminate_backend(%s)", found)
        out, err = process.communicate(timeout=30)
    one_line(Said(process.returncode, out, err), "database_gone")
    assert bank.dump("feed_runs") == before
    assert casework(settings, "feed", "import", folder).code == 0
    bank.assert_sound()


def test_a_branch_that_was_never_upgraded_says_what_to_do(
    empty_database: Database, settings: Settings, tmp_path: Path
) -> None:
    if empty_database.is_sqlite:
        open_engine(empty_database.url, create=True).connect().close()
    said = casework(replace(settings, database_url=empty_database.url), "feed", "runs")
    one_line(said, "schema_not_current")
    assert "casework db upgrade" in said.err


@pytest.mark.only("sqlite")
def test_the_wrong_keys_are_told_before_anything_is_written(bank: Bank, settings: Settings, tmp_path: Path) -> None:
    other = replace(
        settings,
        keys_dir=tmp_path / "others",
        database_url=f"sqlite:///{tmp_path / 'other.db'}",
        database_owner_url=None,
    )
    upgrade(other, system("cli"))
    start(other).engine.dispose()
    one_line(casework(replace(settings, keys_dir=other.keys_dir), "feed", "import", first_day(bank)), "key_wrong")
    assert bank.runs() == []


def test_loans_in_arrears_without_a_case_are_listed_at_the_shell(bank: Bank, settings: Settings) -> None:
    casework(settings, "feed", "import", first_day(bank))
    assert "every loan in arrears has a case" in casework(settings, "feed", "without-case").out
    with writing(bank.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.loan_id == "L3").values(live=False))
    assert "L3" in casework(settings, "feed", "without-case").out
    (found,) = json.loads(casework(settings, "feed", "without-case", "--json").out)
    assert (found["loan_id"], found["days_past_due"], found["last_state"]) == ("L3", 5, "phone_collection")
