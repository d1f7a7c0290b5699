"""What proves the log over HTTP, and what witnesses hand in there."""

from typing import Any

import pytest

from casework.clock import now
from casework.log.format import checkpoint, note
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Cosigner, Trust
from casework.log.format.note import LogKey
from casework.log.format.proof import parse_hashes, parse_inclusion, verify_consistency
from casework.log.write import receipt_keys, signer, witnesses
from tests.api.conftest import Running
from tests.api.test_log import seal

WITNESS = Cosigner("witness.example", b"\x05" * 32)
FOR_EVER = ["private, max-age=31536000, immutable"]


@pytest.fixture
def sealed(running: Running) -> Running:
    running.open("L1", "L2")
    seal(running)
    witnesses.add(running.started.settings.keys_dir, WITNESS.key.text)
    return running


def trust(running: Running) -> Trust:
    folder = running.started.settings.keys_dir
    known = signer.known_keys(folder)
    return Trust(known[-1].name, known, witnesses.known_witnesses(folder))


def cosigned(running: Running) -> bytes:
    read = note.parse(running.get("/log/checkpoint", "AUD1").content)
    return read.signed_also(WITNESS.cosign(checkpoint.parse(read.text), int(now().timestamp()))).encode()


def hand_in(running: Running, data: bytes, staff_no: str = "AUD1") -> Any:
    return running.post("/log/cosignatures", staff_no, content=data, headers={"Content-Type": "text/plain"})


def test_an_entry_is_proven_to_somebody_with_the_verifier_key_alone(sealed: Running) -> None:
    answer = sealed.get("/log/proof/case:1:1", "AUD1")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers.get_list("cache-control") == ["private, no-cache"]
    body = sealed.get("/audit/entries/case:1:1", "AUD1").json()["leaf_hash"]
    assert parse_inclusion(answer.content).verify(bytes.fromhex(body), trust(sealed)).checkpoint.size > 1
    assert sealed.get("/log/proof/case:9:9", "AUD1").status_code == 404
    waiting = sealed.open("L3")[0]
    assert sealed.get(f"/log/proof/case:{waiting}:1", "AUD1").json()["code"] == "not_sealed_yet"


def test_consistency_is_proven_and_may_be_kept_for_ever(sealed: Running) -> None:
    old = trust(sealed).open(sealed.get("/log/checkpoint", "AUD1").content).checkpoint
    sealed.open("L3")
    seal(sealed)
    new = trust(sealed).open(sealed.get("/log/checkpoint", "AUD1").content).checkpoint
    answer = sealed.get(f"/log/consistency/{old.size}/{new.size}", "AUD1")
    verify_consistency(old, new, parse_hashes(answer.content))
    assert answer.headers.get_list("cache-control") == FOR_EVER
    assert sealed.get(f"/log/consistency/{new.size}/{new.size}", "AUD1").content == b""
    for path in ("5/4", "1/999999", "-1/2", f"1/{2**70}"):
        answer = sealed.get(f"/log/consistency/{path}", "AUD1")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


@pytest.mark.only("sqlite")
def test_every_key_is_told_the_logs_first_and_those_of_receipts_after_them(sealed: Running) -> None:
    folder = sealed.started.settings.keys_dir
    keys = [LogKey.parse(line) for line in sealed.get("/log/keys", "AUD1").text.splitlines()]
    assert keys == [*signer.known_keys(folder), *receipt_keys.known_keys(folder)]
    assert keys[-1].name == f"{keys[0].name}/receipts"


def test_a_cosignature_handed_in_is_given_out_with_the_checkpoint(sealed: Running) -> None:
    data = cosigned(sealed)
    assert sealed.get("/log/checkpoint/cosigned", "AUD1").json()["code"] == "no_cosigned_checkpoint"
    first, again = hand_in(sealed, data), hand_in(sealed, data)
    assert [one["new"] for one in first.json()["cosignatures"]] == [True]
    assert [one["new"] for one in again.json()["cosignatures"]] == [False]
    assert sealed.get("/log/checkpoint", "AUD1").content == data
    sealed.open("L3")
    seal(sealed)
    assert sealed.get("/log/checkpoint/cosigned", "AUD1").content == data
    assert len(note.parse(sealed.get("/log/checkpoint", "AUD1").content).signatures) == 1
    (seen,) = trust(sealed).open(data).cosigned
    assert seen.witness == WITNESS.key


@pytest.mark.only("sqlite")
def test_what_is_handed_in_wrongly_is_told(sealed: Running) -> None:
    data = cosigned(sealed)
    folder = sealed.started.settings.keys_dir

    def told(body: bytes) -> tuple[int, str]:
        answer = hand_in(sealed, body)
        return answer.status_code, answer.json()["code"]

    assert told(b"{}") == (400, "malformed_note")
    assert told(b"") == (400, "malformed_note")
    assert told(b"x" * 300_000) == (400, "malformed_note")
    assert told(b"x" * 1_100_000) == (413, "body_too_large")
    spoilt = note.parse(data).signatures[-1].line[-20:].encode()
    assert told(data.replace(spoilt, spoilt[::-1].strip() + b"\n"))[0] in (400, 422)
    witnesses.remove(folder, WITNESS.name)
    assert told(data) == (403, "witness_unknown")


@pytest.mark.only("sqlite")
def test_auditors_alone_fetch_proofs_and_hand_in_cosignatures(sealed: Running) -> None:
    for path in ("/log/proof/case:1:1", "/log/consistency/1/2", "/log/keys", "/log/checkpoint/cosigned"):
        for staff_no in ("R1", "B1", "ADM1", "V1"):
            assert (staff_no, sealed.get(path, staff_no).status_code) == (staff_no, 403)
            assert hand_in(sealed, b"", staff_no).status_code == 403
        assert sealed.client.get(path).status_code == 401
        assert sealed.get(path, "AUD1", params={"size": 3}).json()["code"] == "filter_malformed"


@pytest.mark.only("sqlite")
def test_a_leaf_hash_of_the_proof_is_the_entrys(sealed: Running) -> None:
    entry = sealed.get("/audit/entries/case:1:1", "AUD1")
    raw = entry.content[entry.content.index(b'"body":') + 7 : entry.content.index(b',"leaf_hash"')]
    assert leaf_hash(raw).hex() == entry.json()["leaf_hash"]
