"""A receipt with each change, and `Prefer: sealed`: answers only once a signed checkpoint covers it."""

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import Assembled, create_app
from api.prefer import sealed_wait_s
from api.receipts import shared_out
from casework.clock import now
from casework.log.check.honoured import kept
from casework.log.format.chain import leaf_hash, mac
from casework.log.format.checkpoint import Trust
from casework.log.format.entry import decode_strict, encode
from casework.log.format.receipt import Receipt, Recorded, open_receipt
from casework.log.tables import entries
from casework.log.write import receipt_keys
from casework.log.write.signer import known_keys
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.api.conftest import Running
from tests.api.test_events import VISIT
from tests.api.test_log import seal


def opened(running: Running, data: bytes) -> Receipt:
    return open_receipt(data, receipt_keys.known_keys(running.started.settings.keys_dir)).receipt


def receipt_of(running: Running, answer: Any) -> Receipt:
    return opened(running, base64.b64decode(answer.headers["receipt"], validate=True))


def fire(running: Running, case_id: int, staff_no: str = "R1", **headers: str) -> Any:
    return running.post(f"/cases/{case_id}/events", staff_no, json=VISIT, headers={"If-Match": "*", **headers})


def standings(running: Running, receipt: Receipt) -> set[str]:
    with reading(running.started.engine, snapshot=True) as conn:
        return {one.standing for one in kept(conn, receipt.entries)}


def test_every_change_is_answered_with_a_receipt_that_the_log_keeps(running: Running) -> None:
    """Events, facts, notes, refusals, requests, the register: whatever writes an entry in one's name."""
    case_id, other = running.open("L1", "L2")
    answers = [
        fire(running, case_id),
        running.post(f"/cases/{case_id}/notes", json={"text": "客户称下周还款"}),
        fire(running, case_id),  # refused: he is visiting already
        fire(running, other, "T1"),  # 403
        running.post("/requests", "P1", json={"kind": "event", "subject": f"case:{other}", "what": "sue",
                                              "data": {"claim_fen": 5}}),
        running.post("/staff", "ADM1", json={"staff_no": "N1", "name": "新人"}),
        running.client.request("DELETE", "/staff/T1/tokens", headers=running.as_("ADM1")),
        running.post("/cases/events", json={**VISIT, "cases": [{"id": other}]}),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 200, 409, 403, 409, 201, 200, 200]
    receipts = [receipt_of(running, answer) for answer in answers]
    assert receipts[0].entries[0].entry_id == answers[0].json()["entry_id"]
    assert receipts[2].entries[0].entry_id == answers[2].json()["entry_id"]
    assert {standing for receipt in receipts for standing in standings(running, receipt)} == {"not_sealed_yet"}
    seal(running)
    assert {standing for receipt in receipts for standing in standings(running, receipt)} == {"included"}


@pytest.mark.only("sqlite")
def test_reading_and_mistakes_carry_no_receipt(running: Running) -> None:
    case_id = running.open("L1")[0]
    for answer in (
        running.get(f"/cases/{case_id}"),
        running.post(f"/cases/{case_id}/events", json=VISIT),  # no If-Match
        fire(running, case_id, **{"If-Match": '"99"'}),
        running.post(f"/cases/{case_id}/events", json={"event": "vanish"}, headers={"If-Match": "*"}),
        running.post("/cases/events", json={"event": "start_visit", "data": {}, "cases": [{"id": case_id}],
                                            "dry_run": True}),
    ):  # fmt: skip
        assert "receipt" not in answer.headers, answer.text


def test_a_repeated_answer_carries_the_same_receipt(running: Running) -> None:
    case_id = running.open("L1")[0]
    first, again = (fire(running, case_id, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert again.headers["idempotent-replay"] == "true"
    assert first.headers["receipt"] == again.headers["receipt"]
    body = {"kind": "event", "subject": f"case:{running.open('L2')[0]}", "what": "sue", "data": {"claim_fen": 5}}
    one, two = (running.post("/requests", "P1", json=body, headers={"Idempotency-Key": "k2"}) for _ in range(2))
    assert one.headers["receipt"] == two.headers["receipt"]


@pytest.mark.only("sqlite")
def test_losing_the_key_stops_no_change_and_is_told(running: Running) -> None:
    case_id = running.open("L1")[0]
    path = running.started.settings.keys_dir / receipt_keys.KEY_FILE
    away = path.rename(path.with_name("away"))
    answer = fire(running, case_id)
    assert (answer.status_code, "receipt" in answer.headers) == (200, False)
    assert "casework_changes_without_receipt_total 1.0" in running.get("/metrics", "B1").text
    assert running.get(f"/log/receipt/case:{case_id}:1", "AUD1").json()["code"] == "receipt_key_missing"
    away.rename(path)
    assert "receipt" in running.post(f"/cases/{case_id}/notes", json={"text": "x"}).headers


@pytest.mark.only("sqlite")
def test_large_changes_tell_their_number_and_each_entry_has_its_receipt(running: Running) -> None:
    cases = running.open(*[f"L{number}" for number in range(21)])
    answer = running.post("/cases/events", json={**VISIT, "cases": [{"id": case_id} for case_id in cases]})
    assert "receipt" not in answer.headers
    assert int(answer.headers["receipt-omitted"]) >= 21
    entry_id = answer.json()["results"][0]["entry_id"]
    own, auditors = (running.get(f"/log/receipt/{entry_id}", staff_no) for staff_no in ("R1", "AUD1"))
    assert own.content == auditors.content
    assert own.headers.get_list("cache-control") == ["private, no-cache"]
    assert [one.entry_id for one in opened(running, own.content).entries] == [entry_id]
    for staff_no in ("T1", "B1"):
        assert running.get(f"/log/receipt/{entry_id}", staff_no).status_code == 404  # not his, and he learns nothing


def test_requests_that_share_a_transaction_get_each_their_own() -> None:
    def entry(entry_id: str) -> tuple[Any, Recorded]:
        return now(), Recorded(entry_id, b"\x01" * 32)

    names = ["case:1:2", "case:1:3", "case:2:5", "openings:wuhan:1", "openings:wuhan:2"]
    made = shared_out(list(map(entry, names)), [["case:1:2"], [""], [None], ["case:2:5"], [""]])
    assert [[one.entry_id for one in change.entries] if change else None for change in made] == [
        ["case:1:2", "case:1:3"], ["openings:wuhan:1"], None, ["case:2:5"], ["openings:wuhan:2"],
    ]  # fmt: skip


# --- Prefer


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ([b"sealed"], 5), ([b"Sealed, wait=10"], 10), ([b"wait=10", b"sealed"], 10), ([b"sealed; wait=7"], 7),
        ([b'sealed, wait="3"'], 3), ([b"sealed, wait=0"], 0), ([b"sealed, wait=9999"], 30), ([b"sealed, wait=x"], 5),
        ([b"sealed, wait=2, wait=20"], 2), ([b" respond-async ,\tsealed "], 5), ([b"sealed, wait=-1"], 5),
        ([b"sealed, wait=" + b"9" * 40], 5), ([b"sealed=no"], None), ([b"wait=5"], None), ([b""], None), ([], None),
        ([b"unsealed"], None), ([b"\xff\xfe, sealed"], 5), ([b"sealed" + b"," * 5_000], 5),
    ],
)  # fmt: skip
def test_the_header_is_read_as_rfc_7240_says_and_what_is_not_understood_is_passed_over(
    headers: list[bytes], wait_s: int | None
) -> None:
    assert sealed_wait_s(headers) == wait_s


@pytest.fixture
def sealing(settings: Settings, branch: tuple[Started, dict[str, str]], assembled: Assembled) -> Iterator[Running]:
    """The application with its sealer."""
    started, issued = branch
    with TestClient(create_app(replace(settings, seal=True), assembled)) as client:
        yield Running(client, started, issued)


def test_who_prefers_it_is_answered_once_a_signed_checkpoint_covers_the_change(sealing: Running) -> None:
    case_id = sealing.open("L1")[0]
    prefer = {"Prefer": "sealed, wait=30", "Idempotency-Key": "k1"}
    answer = fire(sealing, case_id, **prefer)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "sealed")
    size = int(answer.headers["sealed-in"])
    proof = sealing.get(f"/log/proof/{answer.json()['entry_id']}", "AUD1")
    assert proof.status_code == 200
    folder = sealing.started.settings.keys_dir
    trust = Trust(known_keys(folder)[0].name, known_keys(folder))
    assert trust.open(sealing.get("/log/checkpoint", "AUD1").content).checkpoint.size >= size
    assert standings(sealing, receipt_of(sealing, answer)) == {"included"}
    again = fire(sealing, case_id, **prefer)
    assert again.headers["idempotent-replay"] == "true"
    assert int(again.headers["sealed-in"]) >= size
    assert "preference-applied" not in fire(sealing, case_id).headers  # who does not ask does not wait


@pytest.mark.only("sqlite")
def test_where_nobody_seals_the_change_stands_and_the_time_runs_out(running: Running) -> None:
    case_id = running.open("L1")[0]
    began = time.monotonic()
    answer = fire(running, case_id, Prefer="sealed, wait=1")
    assert 0.9 <= time.monotonic() - began < 20
    assert answer.status_code == 200
    assert not {"preference-applied", "sealed-in"} & set(answer.headers)
    assert "receipt" in answer.headers
    assert running.get(f"/cases/{case_id}").json()["version"] == 2


def test_a_forged_entry_is_marked_wherever_it_is_shown_and_gets_no_receipt(running: Running) -> None:
    """In perfect form, under another key; the entries around it are shown as they are."""
    case_id = running.open("L1")[0]
    fire(running, case_id)
    entry_id = f"case:{case_id}:2"
    with writing(running.started.engine) as conn:
        at = (entries.c.stream == f"case:{case_id}") & (entries.c.stream_seq == 2)
        row = dict(conn.execute(sa.select(entries).where(at)).one()._mapping)
        prev, forged_id = bytes(row["leaf_hash"]).hex(), f"case:{case_id}:3"
        entry = decode_strict(bytes(row["body"]))
        body = encode(msgspec.structs.replace(entry, stream_seq=3, entry_id=forged_id, prev=prev))
        leaf, number = leaf_hash(body), conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one() + 1_000
        row |= {"id": number, "stream_seq": 3, "body": body, "leaf_hash": leaf, "mac": mac(b"\x07" * 32, leaf)}
        conn.execute(entries.insert().values(row))
    for whose in ("R1", "AUD1"):
        assert running.get(f"/log/receipt/{forged_id}", whose).json()["code"] == "proof_fails"
        assert running.get(f"/log/receipt/{entry_id}", whose).status_code == 200
    told = {one["entry_id"]: one["mac_holds"] for one in running.get(f"/cases/{case_id}/history").json()["items"]}
    assert told == {f"case:{case_id}:1": True, entry_id: True, forged_id: False}
    found = running.get(f"/audit/entries?stream=case:{case_id}", "AUD1").json()["items"]
    assert {one["entry_id"]: one["mac_holds"] for one in found} == told
    assert running.get(f"/audit/entries/{forged_id}", "AUD1").json()["mac_holds"] is False
    table = running.get(f"/audit/entries.csv?stream=case:{case_id}&lang=en", "AUD1").text
    assert table.count("no: forged") == 1
