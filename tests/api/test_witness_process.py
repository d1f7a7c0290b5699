"""A witness process against a served branch; and attack 17, two auditors shown two logs."""

import json
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.log.format import note
from casework.log.format.checkpoint import Trust, WitnessKey
from casework.log.proving import published_note
from casework.log.write import witnesses
from casework.log.write.signer import known_keys
from casework.operation.sealing import sealer_of
from casework.operation.startup import Started, start
from casework.settings import Settings
from casework.storage.database import reading
from tests.api.conftest import Running, opening
from tests.api.server import CASEWORK, ServerProcess, serving


def check(folder: Path, server: ServerProcess, token: Path, *, process: bool = False) -> tuple[int, str]:
    """What a check says, by its exit code and step or code; in a process of its own where that is asked for."""
    words = ["witness", "check", str(folder), server.url, "--token-file", str(token), "--json"]
    if process:
        done = subprocess.run([*CASEWORK, *words], capture_output=True, timeout=120, check=False)
        code, out = done.returncode, done.stdout.decode()
    else:
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        code, out = result.exit_code, result.stdout
    answer = json.loads(out)
    return code, answer.get("code") or answer["step"]


def made(folder: Path, settings: Settings) -> WitnessKey:
    keys = [word for key in known_keys(settings.keys_dir) for word in ("--key", key.text)]
    result = CliRunner().invoke(main, ["witness", "init", str(folder), "audit.example", *keys])
    assert result.exit_code == 0
    return WitnessKey.parse(result.stdout.strip())


def sealed_size(client: httpx.Client, above: int) -> int:
    """The signed size, once it is above a size."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = client.get("/log/checkpoint")
        if answer.status_code == 200 and (size := int(answer.text.split("\n")[1])) > above:
            return size
        time.sleep(0.05)
    raise AssertionError("nothing was signed")


def test_a_witness_on_another_machine_watches_a_served_branch(
    settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Path
) -> None:
    started, tokens = branch
    folder, token = tmp_path / "witness", tmp_path / "token"
    token.write_text(f"{tokens['AUD1']}\n")
    key = made(folder, settings)
    with serving(settings, tmp_path) as server, server.client(tokens["AUD1"]) as client:
        size = sealed_size(client, 1)
        assert check(folder, server, token) == (2, "first")  # signed and kept, but the branch does not know it yet
        witnesses.add(settings.keys_dir, key.text)
        assert check(folder, server, token) == (0, "same")
        Running(None, started, tokens).do(opening("L1"))  # type: ignore[arg-type]
        sealed_size(client, size)
        assert check(folder, server, token, process=True) == (0, "grown")
        given = client.get("/log/checkpoint/cosigned").content
        signed = Trust(known_keys(settings.keys_dir)[0].name, known_keys(settings.keys_dir), [key]).open(given)
        assert [one.witness for one in signed.cosigned] == [key]
        assert (folder / "last").read_bytes() == given
        token.write_text("cw_nobody")
        assert check(folder, server, token) == (2, "not_authenticated")


@pytest.mark.only("sqlite")
def test_attack_17_a_branch_that_shows_two_logs_is_refused_by_whoever_saw_the_other(
    settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Path
) -> None:
    """The operator runs a second copy with the same keys, for another auditor: each log is whole and rightly signed."""
    started, tokens = branch
    folder, token = tmp_path / "witness", tmp_path / "token"
    token.write_text(tokens["AUD1"])
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    made(folder, settings)
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    keys = shutil.copytree(settings.keys_dir, tmp_path / "keys-of-the-copy")
    assert sealer_of(started).round().refused is None
    with reading(started.engine) as conn:
        (tmp_path / "shown").write_bytes(published_note(conn))
    first = ["witness", "check", str(folder), "--file", str(tmp_path / "shown")]
    assert CliRunner().invoke(main, first, catch_exceptions=False).exit_code == 0
    other = start(replace(settings, database_url=f"sqlite:///{copy}", keys_dir=keys))
    Running(None, other, tokens).do(opening("L-for-the-other"))  # type: ignore[arg-type]
    other.engine.dispose()
    with serving(other.settings, tmp_path) as server, server.client(tokens["AUD1"]) as client:
        sealed_size(client, 1)
        code, told = check(folder, server, token)
    assert code == 1
    assert told in ("inconsistent", "fork")
    evidence = [note.parse(path.read_bytes()).text for path in (folder / "refused").iterdir()]
    assert len(evidence) == 1
