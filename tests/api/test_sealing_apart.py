"""The sealer of `casework serve`: a process of its own, begun again when it ends, and ended with the service."""

import os
import signal
import sys
from pathlib import Path
from time import monotonic

import pytest

from api.sealing_apart import SealerProcess, SealerState, SealingApart, read_state, write_state
from casework.log.write.grown import last_published, present_log
from casework.log.write.seal import OLDEST_S, oldest_waiting_s
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import reading
from tests.api.conftest import Running, findings
from tests.api.server import is_running, serving
from tests.contacted import repair
from tests.waiting import until

Furnished = tuple[Started, dict[str, str]]
FACT = repair("2026-01-10")


def signed(started: Started) -> int:
    """Leaves of the newest checkpoint, where nothing waits to be sealed; else 0."""
    with reading(started.engine) as conn:
        log = present_log(conn)
        newest = last_published(conn, log) if log else None
        return newest.size if newest and not oldest_waiting_s(conn) else 0


def test_a_sealer_that_is_killed_is_begun_again_and_seals_on(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    started, tokens = branch
    (case_id,) = Running(None, started, tokens).open("L1")  # type: ignore[arg-type]
    with serving(settings, tmp_path) as server, server.client(tokens["T1"]) as client:
        until(lambda: signed(started) > 0)
        before, (killed,) = signed(started), server.sealers()
        os.kill(killed, signal.SIGKILL)
        assert client.post(f"/cases/{case_id}/facts", json=FACT).status_code == 200
        until(lambda: signed(started) > before)
        (again,) = server.sealers()
        assert again != killed
        with server.client(tokens["R1"]) as reader:
            told = reader.get("/metrics").text
        assert "casework_sealer_ends_total 1.0" in told
        assert 'casework_signer_refused{code="none"} 0.0' in told
        assert client.get("/health/ready").status_code == 200
        # As Ctrl-C reaches all processes of a terminal: the service ends first, then its sealer.
        assert client.post(f"/cases/{case_id}/facts", json=FACT).status_code == 200
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(60) == 0
        assert not is_running(again)
        ended = [line for line in server.log() if line["event"] == "sealer_ended"]
    assert [(line["level"], line["exit_code"], line["ends"]) for line in ended] == [("error", -signal.SIGKILL, 1)]
    assert "Traceback" not in (tmp_path / "serve.err").read_text()
    assert findings(started) == []


def test_a_sealer_that_ends_at_once_is_begun_again_ever_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sealing_apart.FIRST_AGAIN_S", 0.05)
    file, noted = tmp_path / "sealer.json", tmp_path / "noted"
    command = (sys.executable, "-S", "-c", f"open({str(noted)!r}, 'a').write('x'); raise SystemExit(3)")
    process = SealerProcess(file, command)
    process.start()
    until(lambda: read_state(file).ends == 3)
    process.stop()
    assert noted.read_text() == "xxx"
    assert SealingApart(file).ends == 3


def test_who_has_not_sealed_for_longer_than_an_entry_may_wait_is_told_as_stopped(tmp_path: Path) -> None:
    file = tmp_path / "sealer.json"
    sealing = SealingApart(file)

    def refused() -> str | None:
        found = sealing.refusal
        return None if found is None else found.code

    assert refused() == "sealer_stopped", "there is no such file"
    write_state(file, SealerState(since=monotonic()))
    assert refused() is None, "it may still come"
    write_state(file, SealerState(since=monotonic() - OLDEST_S - 1))
    assert refused() == "sealer_stopped"
    write_state(file, SealerState(code="tree_shrank", zh="日志变短", en="the log is shorter"))
    assert refused() == "tree_shrank"
    write_state(file, SealerState())
    assert refused() is None
    file.write_bytes(b"{")
    assert refused() == "sealer_stopped"
