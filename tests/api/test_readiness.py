"""When the service says that it is not ready, by which code, and that it is ready again once the cause is gone."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from litestar.testing import TestClient

from api import health, readiness
from api.app import Assembled, create_app
from casework.clock import now
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import SignedActor
from casework.log.format.times import CLOCKS_DIFFER_S
from casework.log.write import signer
from casework.log.write.trail import Draft
from casework.operation.sealing import sealer_of
from casework.operation.startup import Started, start
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.test_events import VISIT, problem
from tests.conftest import Database
from tests.contacted import repair

Furnished = tuple[Started, dict[str, str]]
WITHIN_S = 20
FACT = repair("2026-01-10")


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "READY_HELD_S", 0.0)


@contextmanager
def served(settings: Settings, branch: Furnished, assembled: Assembled) -> Iterator[Running]:
    with TestClient(create_app(settings, assembled)) as client:
        yield Running(client, *branch)


@pytest.fixture
def sealed(settings: Settings, branch: Furnished, assembled: Assembled) -> Iterator[Running]:
    """The application, sealing, with what was there signed."""
    sealer_of(branch[0]).round()
    with served(replace(settings, seal=True), branch, assembled) as running:
        assert reason(running) is None
        yield running


def reason(running: Running) -> str | None:
    """Why it is not ready; both languages say it."""
    answer = running.client.get("/health/ready")
    if answer.status_code == 200:
        return None
    body = problem(answer, 503, "not_ready")
    assert body["detail"].startswith("the service is not ready: ")
    assert body["detail"].rpartition(": ")[2] not in ("", body["reason"])
    assert body["detail_zh"].startswith("服务尚未就绪：")
    assert body["detail_zh"].rpartition("：")[2] not in ("", body["reason"])
    return str(body["reason"])


def until(running: Running, wanted: str | None) -> None:
    """Wait until it says so, or that it is ready."""
    deadline, said = time.monotonic() + WITHIN_S, reason(running)
    while said != wanted:
        assert time.monotonic() < deadline, (said, wanted)
        time.sleep(0.05)
        said = reason(running)


# --- signing


def forged_memory(folder: Path, by: int) -> None:
    """As if more had been signed than the log holds, or another history of it."""
    remembered = signer.read_memory(folder)
    assert remembered is not None
    other = Checkpoint(remembered.origin, remembered.size + by, bytes(32))
    signer.write_memory(folder, other.signed(*signer.read_keys(folder).signing_at(now())))


SPOILT: dict[str, Callable[[Path], None]] = {
    "signer_memory_missing": lambda folder: (folder / "last-signed").unlink(),
    "signer_memory_malformed": lambda folder: signer.write_memory(folder, b"nothing"),
    "tree_shrank": lambda folder: forged_memory(folder, 100),
    "tree_not_consistent": lambda folder: forged_memory(folder, 0),
    "signing_key_missing": lambda folder: (folder / "signing").unlink(),
    "signing_key_unsafe": lambda folder: (folder / "signing").chmod(0o644),
}


@pytest.mark.parametrize("code", SPOILT)
def test_while_signing_is_refused_it_is_not_ready_and_work_goes_on(sealed: Running, code: str, tmp_path: Path) -> None:
    folder = sealed.started.settings.keys_dir
    shutil.copytree(folder, tmp_path / "kept")
    SPOILT[code](folder)
    (case_id,) = sealed.open("L1")
    until(sealed, code)
    assert sealed.post(f"/cases/{case_id}/events", json=VISIT, headers={"If-Match": "*"}).status_code == 200
    for name in ("signing", "last-signed"):
        shutil.copy2(tmp_path / "kept" / name, folder / name)
    until(sealed, None)


def test_who_does_not_seal_tells_a_log_that_was_set_back_too(
    settings: Settings, branch: Furnished, assembled: Assembled
) -> None:
    sealer_of(branch[0]).round()
    with served(settings, branch, assembled) as running:
        assert reason(running) is None
        kept = (settings.keys_dir / "last-signed").read_bytes()
        forged_memory(settings.keys_dir, 1)
        assert reason(running) == "tree_shrank"
        signer.write_memory(settings.keys_dir, kept)
        assert reason(running) is None


def test_who_does_not_seal_tells_that_nobody_signs(
    settings: Settings, branch: Furnished, assembled: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "OLDEST_S", 0.2)
    sealer = sealer_of(branch[0])
    sealer.round()
    with served(settings, branch, assembled) as running:
        key = settings.keys_dir / "signing"
        key.rename(key.with_name("away"))
        running.open("L1")
        assert sealer.round().refused is not None
        until(running, "signing_late")
        key.with_name("away").rename(key)
        sealer.round()
        assert reason(running) is None


# --- time


def test_while_the_newest_entry_lies_ahead_of_the_clock_it_is_not_ready(running: Running) -> None:
    started = running.started

    def record(ahead: timedelta) -> None:
        with writing(started.engine) as conn:
            trail = started.branch.trail(now() + ahead)
            trail.append(
                conn,
                f"test:{ahead.total_seconds():.0f}",
                Draft("test.noted", SignedActor("system", "system", "cli"), {}),
            )
            trail.write(conn)

    record(timedelta(seconds=CLOCKS_DIFFER_S - 20))
    assert reason(running) is None
    record(timedelta(seconds=CLOCKS_DIFFER_S + 20))
    assert reason(running) == "entry_ahead_of_clock"
    record(timedelta())
    assert reason(running) is None


# --- room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, 48 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0777", "casework-test", str(place)]
    if os.getuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone, and here not even by him")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the room there is left; the file to delete."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


def write_until_full(running: Running, case_ids: list[int]) -> None:
    """Pages that are there already still take a little."""
    for case_id in case_ids * 10:
        answer = running.post(f"/cases/{case_id}/facts", "T1", json=FACT)
        if answer.status_code != 200:
            problem(answer, 507, "database_full")
            return
    pytest.fail("there is still room")


@pytest.fixture
def small(settings: Settings, branch: Furnished, database: Database, small_disk: Path) -> Iterator[Settings]:
    """The test's database on the small disk: its file, or its tables."""
    if database.server is None:
        moved = shutil.copy2(database.url.removeprefix("sqlite:///"), small_disk / "casework.db")
        yield replace(settings, database_url=f"sqlite:///{moved}", database_owner_url=None)
        return
    name, server, space = database.url.split("@/")[1].split("?")[0], database.server, small_disk / "space"
    branch[0].engine.dispose()
    space.mkdir(mode=0o700)
    of_server = server.socket_dir.stat()
    os.chown(space, of_server.st_uid, of_server.st_gid)
    for folder in small_disk.parents:
        folder.chmod(folder.stat().st_mode | 0o011)
    server.execute(f"CREATE TABLESPACE small LOCATION '{space}'", f"ALTER DATABASE {name} SET TABLESPACE small")
    try:
        yield settings
    finally:
        ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        server.execute(ending, f"ALTER DATABASE {name} SET TABLESPACE pg_default", "DROP TABLESPACE small")


@pytest.mark.only("sqlite")
def test_while_the_signer_cannot_keep_what_it_signed_it_is_not_ready_and_publishes_nothing(
    settings: Settings, branch: Furnished, assembled: Assembled, small_disk: Path
) -> None:
    sealer_of(branch[0]).round()
    there = replace(settings, keys_dir=small_disk / "keys", seal=True)
    shutil.copytree(settings.keys_dir, there.keys_dir)
    own = start(there)
    with served(there, (own, branch[1]), assembled) as running:
        until(running, None)
        filler = fill(small_disk)
        running.open("L1")
        until(running, "keys_folder_unwritable")
        filler.unlink()
        until(running, None)
    own.engine.dispose()


def test_while_the_disk_is_full_it_is_not_ready(
    small: Settings, branch: Furnished, assembled: Assembled, small_disk: Path
) -> None:
    own = start(small)
    with served(small, (own, branch[1]), assembled) as running:
        case_ids = running.open(*[f"L{number}" for number in range(20)])
        assert reason(running) is None
        filler = fill(small_disk)
        if own.engine.dialect.name == "sqlite":
            assert reason(running) == "database_full", "nobody has written anything yet"
        write_until_full(running, case_ids)
        for _ in range(3):
            assert reason(running) == "database_full"
        filler.unlink()
        until(running, None)
        assert running.post(f"/cases/{case_ids[0]}/facts", "T1", json=FACT).status_code == 200
        assert findings(own) == []
    own.engine.dispose()


@pytest.mark.only("postgresql")
def test_while_the_server_takes_no_writes_it_is_not_ready(running: Running, database: Database) -> None:
    assert database.server is not None
    (case_id,) = running.open("L1")
    name = database.url.split("@/")[1].split("?")[0]
    ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    database.server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on", ending)
    until(running, "database_read_only")  # nobody has written anything yet
    answer = running.post(f"/cases/{case_id}/facts", "T1", json=FACT)
    while answer.json()["code"] == "database_gone":  # sessions that are just ending
        answer = running.post(f"/cases/{case_id}/facts", "T1", json=FACT)
    problem(answer, 503, "database_read_only")
    for _ in range(3):
        assert reason(running) == "database_read_only"
    database.server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    until(running, None)
    assert running.post(f"/cases/{case_id}/facts", "T1", json=FACT).status_code == 200
