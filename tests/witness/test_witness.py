"""The witness: signs what goes on from what it signed, refuses everything else, and loses nothing when it is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.evidence.witness import fetching
from casework.evidence.witness import folder as kept
from casework.evidence.witness.checking import check_file
from casework.evidence.witness.fetching import CannotTell, WitnessedBranch
from casework.log.format import note
from casework.log.format.checkpoint import Cosigner, Trust, WitnessKey
from casework.log.format.note import LogSigner
from tests.dripping import dripping_headers
from tests.witness.shown_log import KEY, ORIGIN, Server, ShownLog, leaf, shown

NAME = "witness.example"
AT = datetime(2026, 3, 9, 8, 20, tzinfo=UTC)


class Witness:
    """A witness that takes its checkpoints by hand, and what came of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = WitnessKey.parse(self.run("init", str(folder), NAME, "--key", KEY.key.text).stdout.strip())

    @staticmethod
    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["witness", *words], catch_exceptions=False)

    def look(self, offered: bytes, proof: bytes | None = None, *words: str) -> tuple[int, str]:
        """Exit code and what it says: the step, or the code of the refusal."""
        file = self.folder.parent / "note"
        file.write_bytes(offered)
        more = list(words)
        if proof is not None:
            (self.folder.parent / "proof").write_bytes(proof)
            more += ["--proof", str(self.folder.parent / "proof")]
        result = self.run("check", str(self.folder), "--file", str(file), "--json", *more)
        answer = json.loads(result.stdout)
        return result.exit_code, answer.get("code") or answer["step"]

    def goes_on(self, log: ShownLog, proof: bytes | None = None) -> tuple[int, str]:
        """Look at the newest of a log, with its proof where one is needed."""
        last = self.signed()
        if proof is None and last is not None and last.size < log.tip.size:
            proof = log.proof(last.size, log.tip.size)
        return self.look(log.note(), proof)

    def signed(self) -> Any:
        """The checkpoint in its memory, if its own signature stands below it."""
        path = self.folder / kept.MEMORY_FILE
        if not path.exists():
            return None
        signed = Trust(ORIGIN, [KEY.key], [self.key]).open(path.read_bytes())
        assert [one.witness for one in signed.cosigned] == [self.key]
        return signed.checkpoint


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness")


@pytest.fixture
def log() -> ShownLog:
    return ShownLog()


def test_it_signs_what_it_sees_first_and_says_so_loudly(witness: Witness, log: ShownLog, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(log.note())
    result = witness.run("check", str(witness.folder), "--file", str(tmp_path / "note"))
    assert result.exit_code == 0
    assert "FIRST CONTACT" in result.stderr
    assert witness.signed() == log.tip
    assert (witness.folder / kept.COSIGNED / "5").read_bytes() == (witness.folder / kept.MEMORY_FILE).read_bytes()


def test_it_goes_on_with_a_log_that_has_only_grown(witness: Witness, log: ShownLog) -> None:
    assert witness.goes_on(log) == (0, "first")
    assert witness.goes_on(log) == (0, "same")
    for count in (1, 7, 300):
        log.grow(count)
        assert witness.goes_on(log) == (0, "grown")
        assert witness.signed() == log.tip
    assert witness.goes_on(log) == (0, "same")


def rewritten(log: ShownLog) -> None:
    log.hashes[2] = leaf(2, salt=9)


def rewritten_and_grown(log: ShownLog) -> None:
    rewritten(log)
    log.grow(4)


def cut(log: ShownLog) -> None:
    del log.hashes[4:]


def another_log(log: ShownLog) -> None:
    log.origin, log.signers = "other.example", (LogSigner("other.example", b"\x01" * 32),)


def another_key(log: ShownLog) -> None:
    log.signers = (LogSigner(ORIGIN, b"\x02" * 32),)


@pytest.mark.parametrize(
    ("attack", "code"),
    [(rewritten, "fork"), (rewritten_and_grown, "inconsistent"), (cut, "shrunk"), (another_log, "other_origin"),
     (another_key, "unknown_key")],
)  # fmt: skip
def test_attack_17_a_second_history_is_refused_kept_as_evidence_and_nothing_is_signed(
    witness: Witness, log: ShownLog, attack: Callable[[ShownLog], None], code: str
) -> None:
    """Signed with the log's real key: who is shown the other history would believe it."""
    witness.goes_on(log)
    before = witness.signed()
    attack(log)
    assert witness.goes_on(log) == (1, code)
    assert witness.goes_on(log) == (1, code)
    assert witness.signed() == before
    (evidence,) = (witness.folder / kept.REFUSED).iterdir()
    assert evidence.read_bytes() == log.note()
    assert list((witness.folder / kept.COSIGNED).iterdir()) == [witness.folder / kept.COSIGNED / "5"]


def test_a_refusal_names_both_roots(witness: Witness, log: ShownLog, tmp_path: Path) -> None:
    witness.goes_on(log)
    old = note.to_base64(log.tip.root)
    rewritten(log)
    (tmp_path / "note").write_bytes(log.note())
    result = witness.run("check", str(witness.folder), "--file", str(tmp_path / "note"))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert old in line
    assert note.to_base64(log.tip.root) in line


def spoilt_signature(data: bytes) -> bytes:
    read = note.parse(data)
    one = read.signatures[0]
    return read._replace(signatures=(one._replace(blob=bytes([one.blob[0] ^ 1]) + one.blob[1:]),)).encode()


@pytest.mark.parametrize(
    ("twin", "code"),
    [
        (lambda data: data[:0], "malformed"), (lambda data: b"<html>" + data[:0], "malformed"),
        (lambda data: data[:-1], "malformed"), (lambda data: data + b"\n", "malformed"),
        (lambda data: data.replace(b"\n5\n", b"\n05\n"), "malformed"),
        (lambda data: data.replace(b"\n5\n", b"\n-5\n"), "malformed"),
        (lambda data: data.replace(b"\n5\n", b"\n6\n"), "signature_wrong"),
        (lambda data: data.replace(b"\n\n", b"\n\n\n"), "malformed"),
        (lambda data: data + data.split(b"\n\n")[1], "malformed"),
        (lambda data: data.replace(b"\n", b"\r\n"), "malformed"),
        (lambda data: data.split(b"\n\n")[0] + b"\n\n", "malformed"),
        (lambda data: b"x" * 300_000 + data, "malformed"),
        (spoilt_signature, "signature_wrong"),
    ],
)  # fmt: skip
def test_a_note_that_is_not_the_logs_is_refused(
    witness: Witness, log: ShownLog, twin: Callable[[bytes], bytes], code: str
) -> None:
    data = log.note()
    assert twin(data) != data
    assert witness.look(twin(data)) == (1, code)
    assert witness.signed() is None


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda proof: proof[:0], "inconsistent"), (lambda proof: proof + proof[:45], "inconsistent"),
        (lambda proof: proof[45:], "inconsistent"), (lambda proof: proof[:-1], "proof_malformed"),
        (lambda proof: proof.replace(b"=", b"-", 1), "proof_malformed"),
        (lambda proof: proof[:45] * 64, "proof_malformed"), (lambda proof: b"\xff" + proof, "proof_malformed"),
    ],
)  # fmt: skip
def test_growth_without_its_exact_proof_is_refused(
    witness: Witness, log: ShownLog, spoil: Callable[[bytes], bytes], code: str
) -> None:
    witness.goes_on(log)
    log.grow(8)
    proof = log.proof(5, 13)
    assert witness.goes_on(log, spoil(proof)) == (1, code)
    assert witness.goes_on(log, proof) == (0, "grown")


def test_growth_without_any_proof_cannot_be_told(witness: Witness, log: ShownLog) -> None:
    witness.goes_on(log)
    log.grow(1)
    assert witness.look(log.note()) == (2, "proof_needed")
    assert witness.look(log.note(), None, "--proof", str(witness.folder / "nothing")) == (2, "unreadable")


def test_first_contact_may_begin_from_a_checkpoint_that_somebody_kept(
    witness: Witness, log: ShownLog, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_bytes(log.note())
    first = ("--first", str(tmp_path / "kept"))
    honest = ShownLog()
    honest.grow(9)
    log.hashes[1] = leaf(1, salt=9)
    log.grow(9)
    assert witness.look(log.note(), log.proof(5, 14), *first) == (1, "inconsistent")
    assert witness.look(honest.note(), honest.proof(5, 14), *first) == (0, "grown")
    assert witness.look(honest.note(), None, *first) == (2, "first_contact_over")


def test_the_logs_new_key_must_be_trusted_by_hand(witness: Witness, log: ShownLog) -> None:
    witness.goes_on(log)
    new = LogSigner(ORIGIN, b"\x03" * 32)
    log.grow(1)
    log.signers = (new,)
    assert witness.goes_on(log) == (1, "unknown_key")
    assert witness.run("trust", str(witness.folder), "--key", new.key.text).exit_code == 0
    (witness.folder.parent / "proof").write_bytes(log.proof(5, 6))
    assert witness.look(log.note(), log.proof(5, 6)) == (0, "grown")
    other = LogSigner("other.example", b"\x03" * 32).key.text
    assert witness.run("trust", str(witness.folder), "--key", other).stderr.startswith("log_keys_differ")
    assert witness.run("trust", str(witness.folder), "--key", "nonsense").stderr.startswith("log_key_malformed")


def test_cosignatures_of_others_are_not_passed_on(witness: Witness, log: ShownLog) -> None:
    other = Cosigner("another.example", b"\x04" * 32)
    data = note.parse(log.note()).signed_also(other.cosign(log.tip, 5)).encode()
    assert witness.look(data) == (0, "first")
    signatures = note.parse((witness.folder / kept.MEMORY_FILE).read_bytes()).signatures
    assert [one.name for one in signatures] == [ORIGIN, NAME]


# --- its folder


def test_a_folder_that_is_not_as_it_must_be_signs_nothing(witness: Witness, log: ShownLog, tmp_path: Path) -> None:
    key = witness.folder / kept.KEY_FILE
    assert (key.stat().st_mode & 0o777, witness.folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert witness.run("init", str(witness.folder), NAME).stderr.startswith("witness_exists")
    assert witness.run("init", str(tmp_path / "new"), "two words").stderr.startswith("witness_name_malformed")
    key.chmod(0o644)
    assert witness.look(log.note()) == (2, "witness_key_unsafe")
    key.chmod(0o600)
    witness.goes_on(log)
    (witness.folder / kept.MEMORY_FILE).unlink()
    assert witness.look(log.note()) == (2, "witness_memory_damaged")  # never taken for first contact
    (witness.folder / kept.MEMORY_FILE).write_bytes(b"nothing")
    assert witness.look(log.note()) == (2, "witness_memory_damaged")
    key.unlink()
    assert witness.look(log.note()) == (2, "witness_missing")


def test_a_witness_that_trusts_no_log_or_is_the_log_signs_nothing(log: ShownLog, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    Witness.run("init", str(folder), NAME)
    (tmp_path / "note").write_bytes(log.note())
    result = Witness.run("check", str(folder), "--file", str(tmp_path / "note"), "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "log_keys_missing")
    kept.trust_also(folder, [KEY.key.text])
    (folder / kept.KEY_FILE).write_text(Cosigner(NAME, KEY.seed).secret_text)
    result = Witness.run("check", str(folder), "--file", str(tmp_path / "note"), "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "witness_is_the_log")


def test_its_times_never_run_backwards(witness: Witness, log: ShownLog, tmp_path: Path) -> None:
    file, proof = tmp_path / "note", tmp_path / "proof"

    def at(moment: datetime) -> int:
        file.write_bytes(log.note())
        last = witness.signed()
        proof.write_bytes(log.proof(last.size, log.tip.size) if last else b"")
        return check_file(witness.folder, file, proof=proof, clock=lambda: moment).at

    first = at(AT)
    log.grow(1)
    assert at(AT - timedelta(seconds=30)) == first  # a clock that was set a little
    log.grow(1)
    with pytest.raises(CannotTell) as caught:
        at(AT - timedelta(hours=1))
    assert caught.value.code == "clock_backwards"


def test_show_says_who_it_is_and_what_it_signed_last(witness: Witness, log: ShownLog) -> None:
    witness.goes_on(log)
    shown_ = json.loads(witness.run("show", str(witness.folder), "--json").stdout)
    assert shown_ == {"key": witness.key.text, "trusted": [KEY.key.text], "size": 5,
                      "root": note.to_base64(log.tip.root), "not_handed_in": [5]}  # fmt: skip
    assert witness.key.text in witness.run("show", str(witness.folder)).stdout


# --- over the network


def over(witness: Witness, server: Server, *words: str) -> tuple[int, str]:
    result = witness.run("check", str(witness.folder), server.url, "--json", *words)
    answer = json.loads(result.stdout)
    return result.exit_code, answer.get("code") or answer["step"]


def test_what_is_cosigned_is_handed_in_once(witness: Witness, log: ShownLog) -> None:
    with shown(log) as server:
        assert over(witness, server) == (0, "first")
        log.grow(3)
        assert over(witness, server) == (0, "grown")
        assert over(witness, server) == (0, "same")
    assert [note.parse(data).text.split("\n")[1] for data in server.handed_in] == ["5", "8"]
    assert server.handed_in[-1] == (witness.folder / kept.MEMORY_FILE).read_bytes()


def test_a_branch_that_does_not_answer_as_one_cannot_be_told(witness: Witness, log: ShownLog) -> None:
    with shown(log) as server:
        server.status, server.answer = 401, b'{"code": "not_authenticated"}'
        assert over(witness, server) == (2, "not_authenticated")
        server.answer = b"x" * 100_000
        assert over(witness, server) == (2, "unreachable")
        server.status, server.answer = 200, b"x" * 1_000_000
        assert over(witness, server) == (2, "unreachable")
        server.answer = b"<html>a login page</html>"
        assert over(witness, server) == (1, "malformed")
    assert over(witness, server) == (2, "unreachable")
    assert witness.signed() is None


def test_a_branch_that_drips_headers_is_left(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole request: no byte a second holds a witness for ever."""
    monkeypatch.setattr(fetching, "DEADLINE_S", 0.5)
    began = time.monotonic()
    with dripping_headers() as url:
        result = witness.run("check", str(witness.folder), url, "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "unreachable")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["http://branch.example", "ftp://127.0.0.1", "https://u:p@branch.example", "branch"])
def test_the_token_goes_to_no_address_that_others_can_listen_to(witness: Witness, url: str) -> None:
    result = witness.run("check", str(witness.folder), url, "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (2, "address_unsafe")
    WitnessedBranch("https://branch.example", "t")  # made, and nobody was visited


def test_a_witness_killed_between_remembering_and_handing_in_hands_in_when_it_comes_back(
    witness: Witness, log: ShownLog
) -> None:
    """It has signed; the signature is on the disk; the branch has not got it: the next check brings it."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go_on.wait(30)

    with shown(log) as server:
        server.on_post = hold
        command = [str(Path(sys.executable).with_name("casework")), "witness", "check", str(witness.folder), server.url]
        process = subprocess.Popen(command, env={**os.environ}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert arrived.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert witness.signed() == log.tip
        server.handed_in.clear()
        go_on.set()
        server.on_post = lambda: None
        log.grow(2)
        rewritten_log = ShownLog([leaf(0, salt=1), *log.hashes[1:5]])
        server.log = rewritten_log
        assert over(witness, server) == (1, "fork")  # nothing was forgotten
        server.log = log
        assert over(witness, server) == (0, "grown")
    sizes = [note.parse(data).text.split("\n")[1] for data in server.handed_in]
    assert sizes[-2:] == ["5", "7"]


def test_a_crash_between_its_two_files_loses_nothing(witness: Witness, log: ShownLog) -> None:
    witness.goes_on(log)
    (witness.folder / kept.COSIGNED / "5").unlink()
    with shown(log) as server:
        assert over(witness, server) == (0, "same")
    assert server.handed_in == [(witness.folder / kept.MEMORY_FILE).read_bytes()]


def test_two_at_once_on_one_folder_take_turns(witness: Witness, log: ShownLog) -> None:
    """Both are shown another newest checkpoint; whoever comes second sees what the first remembered."""
    with shown(log) as server:
        command = [str(Path(sys.executable).with_name("casework")), "witness", "check", str(witness.folder), server.url]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
        told = sorted(process.communicate(timeout=60)[0].decode().split(":")[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert [line.split(" ")[0] for line in told] == ["first", "nothing"]
    assert len(server.handed_in) == 1
