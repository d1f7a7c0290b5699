"""An import with a memory limit, by a command or in a process of its own: what ends it is told, and nothing is in."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.intake.feed import run as runs
from casework.intake.feed.load import ImportRequest
from casework.intake.feed.tables import loans
from casework.operation import import_process
from casework.operation.import_worker import ImportJob
from casework.operation.importing import ImportBroke, import_apart
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.feed.bank import DAY, Bank, arrears, loan, write
from tests.feed.shell import environment

SHORT_MIB = 80  # a process that has only begun has some 65
MANY = 40_000  # some 25 MiB of rows


@pytest.fixture(autouse=True)
def as_in_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's process may have other threads, and is too large to be forked with little memory."""
    monkeypatch.setattr(import_process, "is_alone", lambda: False)


def feed(bank: Bank, number: int = 2) -> Path:
    books = [loan(one) for one in range(1, number + 1)]
    return write(bank.folder / f"of{number}", DAY, loans=books, overdue=[arrears(1)])


def take(bank: Bank, folder: Path, memory_mib: int = 2_048) -> runs.Run:
    started = replace(bank.started, settings=replace(bank.started.settings, feed_memory_mib=memory_mib))
    return import_apart(started, folder, ImportRequest(system("cli")))


def nothing_in(bank: Bank) -> bool:
    with reading(bank.started.engine) as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(loans)).scalar_one() == 0


def test_an_import_that_takes_more_memory_than_it_may_is_refused_by_name_and_the_next_goes_in(bank: Bank) -> None:
    with pytest.raises(CallerError) as told:
        take(bank, feed(bank, MANY), SHORT_MIB)
    assert (told.value.code, told.value.facts) == ("import_memory_exceeded", {"at_most_mib": SHORT_MIB})
    (run,) = bank.runs()
    assert (run.status, run.refusal and run.refusal["code"]) == ("refused", "import_memory_exceeded")
    assert nothing_in(bank)
    assert [body["reason_code"] for body in bank.bodies("feed:refused")] == ["import_memory_exceeded"]
    assert take(bank, feed(bank), SHORT_MIB).status == "applied"
    bank.assert_sound()


def ending(how: str) -> list[str]:
    """A process that reads its job and then ends so."""
    return [sys.executable, "-c", f"import os, signal, sys; sys.stdin.readline(); {how}"]


DEATHS: dict[str, tuple[list[str], str, str]] = {
    "killed": (ending("os.kill(os.getpid(), signal.SIGKILL)"), "import_killed", "interrupted"),
    "ended without a word": (ending("os._exit(3)"), "import_killed", "interrupted"),
    "gone before it read its job": ([sys.executable, "-c", ""], "import_killed", "interrupted"),
    "aborted by a library that wants memory": (ending("os.abort()"), "import_memory_exceeded", "refused"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_however_the_process_ends_its_run_says_so(bank: Bank, monkeypatch: pytest.MonkeyPatch, death: str) -> None:
    command, code, status = DEATHS[death]
    monkeypatch.setattr(import_process, "COMMAND", command)
    with pytest.raises(CallerError) as told:
        take(bank, feed(bank))
    assert told.value.code == code
    (run,) = bank.runs()
    assert (run.status, run.refusal and run.refusal["code"]) == (status, code)
    assert run.finished_at is not None
    assert nothing_in(bank)


def in_worker(code: str) -> list[str]:
    """The import's process with something changed in it."""
    return [
        sys.executable,
        "-c",
        f"import os\nimport casework.operation.import_worker as worker\n{code}\nworker.main()",
    ]


def test_a_process_that_dies_behind_its_commit_has_imported_the_feed(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: what is in the books is not told as refused."""
    code = "carry_out = worker.carry_out\nworker.carry_out = lambda *job: (carry_out(*job), os._exit(9))"
    monkeypatch.setattr(import_process, "COMMAND", in_worker(code))
    assert take(bank, feed(bank)).status == "applied"


@pytest.mark.only("sqlite")
def test_an_import_that_is_alone_leaves_no_log_to_be_read_and_written_back_by_who_comes_next(bank: Bank) -> None:
    settings, actor = bank.started.settings, system("cli")
    with writing(bank.started.engine) as conn:
        run_id = runs.begin(conn, actor, correction=False)
    bank.started.engine.dispose()
    job = ImportJob(
        settings.database_url, str(settings.keys_dir), str(settings.loans_dir), str(settings.statecharts),
        str(feed(bank)), run_id, actor, confirm_vanished=False, correction=False, memory_mib=2_048, rows=10,
        processes=1,
    )  # fmt: skip
    with import_process.begun(bank.started, job) as process:
        assert b'"done"' in [*process.said][-1]
    assert not Path(settings.database_url.removeprefix("sqlite:///") + "-wal").exists()
    assert bank.runs()[-1].status == "applied"


def test_a_bug_in_the_process_is_told_with_its_place_and_without_its_message(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def broken(*_, **__): raise ValueError('张伟明')\nworker.import_feed = broken"
    monkeypatch.setattr(import_process, "COMMAND", in_worker(code))
    with pytest.raises(ImportBroke) as told:
        take(bank, feed(bank))
    assert told.value.error == "ValueError"
    assert "张伟明" not in str(told.value)
    assert [run.status for run in bank.runs()] == ["interrupted"]


@pytest.mark.parametrize("error", ["MemoryError()", "SystemError('a call returned NULL without setting an exception')"])
def test_whatever_form_the_want_of_memory_takes_in_the_process_it_is_told_as_that(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(
        import_process, "COMMAND", in_worker(f"def broken(*_, **__): raise {error}\nworker.import_feed = broken")
    )
    with pytest.raises(CallerError) as told:
        take(bank, feed(bank))
    assert told.value.code == "import_memory_exceeded"


FULL = """
def broken(*_, **__):
    kept = []
    try:
        while True:
            kept.append(bytearray(1 << 20))
    except MemoryError:
        pass
    raise ImportError("a library could not be mapped")
worker.import_feed = broken
"""
NOTHING_LEFT = """
def broken(*_):
    raise MemoryError
worker.carry_out = broken
"""


@pytest.mark.parametrize("code", [FULL, NOTHING_LEFT], ids=["in words of a library's own", "without a word"])
def test_a_process_that_is_full_is_told_as_that_whatever_it_could_still_say(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(import_process, "COMMAND", in_worker(code))
    with pytest.raises(CallerError) as told:
        take(bank, feed(bank), SHORT_MIB + 40)
    assert told.value.code == "import_memory_exceeded"


# ── at the shell ────────────────────────────────────────────────────────────────────────────────────────────────────


# The setting takes no less than 128 MiB, for which a feed would have to be large. No interpreter is begun.
WITH_MEMORY = """
import sys
from dataclasses import replace
from casework.operation import import_process
from casework.cli import main
from casework.settings import Settings
import_process.COMMAND = ["false"]
settings = replace(Settings.from_environment(), feed_memory_mib=int(sys.argv.pop()))
Settings.from_environment = lambda: settings
main()
"""


def at_the_shell(settings: Settings, folder: Path, memory_mib: int) -> tuple[int, str]:
    """How the command in a process of its own ended, and what it said on stderr."""
    command = [sys.executable, "-c", WITH_MEMORY, "feed", "import", str(folder), str(memory_mib)]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_the_shell_tells_an_import_that_takes_too_much_memory_in_one_line_and_its_run_says_so(bank: Bank) -> None:
    code, told = at_the_shell(bank.started.settings, feed(bank, MANY), SHORT_MIB)
    assert (code, told.split(":")[0], told.count("\n")) == (1, "import_memory_exceeded", 1)
    (run,) = bank.runs()
    assert (run.status, run.refusal and run.refusal["code"]) == ("refused", "import_memory_exceeded")
    assert nothing_in(bank)
    assert at_the_shell(bank.started.settings, feed(bank), SHORT_MIB)[0] == 0
    bank.assert_sound()


@pytest.mark.parametrize("memory_mib", [62, 66, 70, 76, 79])
def test_wherever_memory_ends_the_shell_tells_of_it_in_the_same_line(bank: Bank, memory_mib: int) -> None:
    """A process has some 65 when it begins: memory ends before it, in it, in a library that is only now imported."""
    code, told = at_the_shell(bank.started.settings, feed(bank, MANY), memory_mib)
    assert (code, told.split(":")[0], told.count("\n")) == (1, "import_memory_exceeded", 1)


# ── whoever began a process ends ────────────────────────────────────────────────────────────────────────────────────


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(what: str, happened: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


SHELL = "from casework.cli import main; main()"
SERVICE = """
import sys, threading, time
from pathlib import Path
from casework.intake.feed.load import ImportRequest
from casework.operation.importing import import_apart
from casework.settings import Settings
from casework.people.staff.actor import system
from casework.operation.startup import start
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
import_apart(start(Settings.from_environment()), Path(sys.argv[-1]), ImportRequest(system("api")))
"""


@pytest.mark.only("sqlite")  # the import is held up by a lock on the file
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are read from /proc")
@pytest.mark.parametrize("program", [SHELL, SERVICE], ids=["shell", "service"])
def test_the_process_ends_with_the_one_that_began_it(bank: Bank, program: str) -> None:
    url = bank.started.settings.database_url
    waiting = environment(bank.started.settings) | {"CASEWORK_DATABASE_URL": f"{url}?busy_timeout_ms=600000"}
    began = subprocess.Popen([sys.executable, "-c", program, "feed", "import", str(feed(bank, MANY))], env=waiting)
    wait_for("no process", lambda: children_of(began.pid))
    (child,) = children_of(began.pid)
    with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as held:
        held.execute("BEGIN IMMEDIATE")
        os.kill(began.pid, signal.SIGKILL)
        began.wait()
        wait_for("it lives on", lambda: gone(child))
        held.execute("ROLLBACK")
    assert nothing_in(bank)
