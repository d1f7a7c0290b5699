"""What verification finds in requests and the steps they led to."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.evidence.verifying import verify
from casework.log.format.chain import seal_entry
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries
from casework.settings import load_keys
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import requests
from tests.conftest import Database
from tests.four_eyes.conftest import BUSINESS_DATE, START, World
from tests.four_eyes.test_requests import SUE
from tests.log.built_log import guards_down

Change = Callable[[Entry], dict[str, Any]]


def sued(world: World) -> tuple[int, int]:
    """A case in litigation and its request; its limitation was over, and everybody was told."""
    case_id = world.suable(limitation_ends_on="2026-01-31")
    number = world.asked("P1", case_id, "sue", **SUE)
    world.turn("review", "B1", number)
    world.turn("approve", "V1", number)
    return case_id, number


def rewrite(world: World, database: Database, stream: str, event: str, change: Change) -> list[str]:
    """What is found after an insider with the MAC key rewrote an entry and every chain behind it."""
    engine = open_engine(database.owner_url)
    mac_key = world.started.branch.mac_key
    with engine.connect() as conn, conn.begin(), guards_down(conn):
        prev: str | None = None
        rows = conn.execute(sa.select(entries).where(entries.c.stream == stream).order_by(entries.c.stream_seq)).all()
        assert any(row.event == event for row in rows), [row.event for row in rows]
        for row in rows:
            entry = decode_strict(bytes(row.body))
            values: dict[str, Any] = {"prev": prev} if row.stream_seq > 1 else {}
            entry = msgspec.structs.replace(entry, **values | (change(entry) if row.event == event else {}))
            sealed = seal_entry(entry, mac_key)
            copies = {"event": entry.event, "actor_id": entry.actor.id, "reason_code": entry.reason_code}
            conn.execute(entries.update().where(entries.c.id == row.id).values(**copies, **sealed._asdict()))
            prev = sealed.leaf_hash.hex()
        table = cases if stream.startswith("case:") else requests
        number = int(stream.partition(":")[2])
        conn.execute(table.update().where(table.c.id == number).values(audit_head=bytes.fromhex(str(prev))))
    engine.dispose()
    return [finding.code for finding in world.findings()]


def by(staff_no: str) -> Change:
    return lambda entry: {"actor": msgspec.structs.replace(entry.actor, id=staff_no)}


def data(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | changes}


def four_eyes(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | {"four_eyes": entry.data["four_eyes"] | changes}}


def gathered(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | {"gathered": entry.data["gathered"] | changes}}


def about(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | {"about": entry.data["about"] | changes}}


def without_effect(entry: Entry) -> dict[str, Any]:
    world = {name: value for name, value in entry.data["gathered"].items() if name != "carried_out"}
    return {"data": entry.data | {"gathered": world}}


def without(name: str) -> Change:
    return lambda entry: {"data": {key: value for key, value in entry.data.items() if key != name}}


FLAG = [{"code": "limitation_running", "saw": {}, "needs": {}}]

ATTACKS: dict[str, tuple[str, str, Change, str]] = {
    "approved by who asked": ("request", "request.step.approve", by("P1"), "not_another_person"),
    "approved by who reviewed": (
        "request", "request.step.approve",
        lambda entry: by("B1")(entry) | gathered(people=["B1"])(entry), "not_another_person",
    ),
    "a deputy left out": ("request", "request.step.approve", gathered(people=["V1", "P1"]), "not_another_person"),
    "approved by a post that may not": (
        "request", "request.step.approve", data(post="phone_collector"), "post_not_permitted",
    ),
    "asked by a post that may not": ("request", "request.opened", data(post="approver"), "post_not_permitted"),
    "approved after it had expired": (
        "request", "request.step.approve", data(business_date="2027-01-01"), "step_not_allowed",
    ),
    "approved of another version": ("request", "request.step.approve", gathered(subject_version=9), "step_not_allowed"),
    "approved and nothing came of it": (
        "request", "request.step.approve", without_effect, "request_without_effect",
    ),
    "it led to another entry": (
        "request", "request.step.approve", gathered(carried_out="case:1:1"), "four_eyes_differs",
    ),
    "it led to an entry that is none": (
        "request", "request.step.approve", gathered(carried_out="x"), "four_eyes_differs",
    ),
    "asked for longer than the policy lets it": (
        "request", "request.opened", about(expires_on="2028-11-25"), "data_not_typed",
    ),
    "other data were asked for": ("request", "request.opened", about(data_digest="00" * 16), "row_differs"),
    "a review turned into an approval": (
        "request", "request.step.review", lambda _: {"event": "request.step.approve", "to": "approved"},
        "step_not_allowed",
    ),
    "a step without a request": ("case", "case.step.sue", without("four_eyes"), "four_eyes_missing"),
    "a step of a request that is not there": ("case", "case.step.sue", four_eyes(request=77), "four_eyes_missing"),
    "a step by another approver": ("case", "case.step.sue", by("V2"), "four_eyes_differs"),
    "a step by its proposer": ("case", "case.step.sue", by("P1"), "not_another_person"),
    "a step of another topic": ("case", "case.step.sue", four_eyes(topic="write_off"), "four_eyes_differs"),
    "a step of a case that had changed": ("case", "case.step.sue", four_eyes(material_version=9), "four_eyes_differs"),
    "a step by a post that may not approve": ("case", "case.step.sue", data(post="agency_post"), "four_eyes_differs"),
    "a flag taken out of the asking": ("case", "case.asked.sue", without("flags"), "flags_differ"),
    "a flag taken out of the step": ("case", "case.step.sue", without("flags"), "flags_differ"),
    "a flag that nothing calls for": ("case", "case.step.sue", data(flags=FLAG * 2), "flags_differ"),
    "asked for by somebody else": ("case", "case.asked.sue", by("A1"), "four_eyes_differs"),
    "asked for under a request that is not there": ("case", "case.asked.sue", data(request=77), "four_eyes_missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_insiders_entry_is_found_though_every_chain_is_sound(world: World, database: Database, name: str) -> None:
    case_id, number = sued(world)
    subject, event, change, expected = ATTACKS[name]
    stream = f"case:{case_id}" if subject == "case" else f"request:{number}"
    found = rewrite(world, database, stream, event, change)
    assert expected in found
    assert not set(found) & {"mac_wrong", "body_changed", "link_broken", "head_differs", "column_differs"}


ROWS: dict[str, Any] = {
    "state": "asked", "live": True, "opened_by": "A1", "asked_for": "A2", "reviewed_by": "B2", "decided_by": "V2",
    "expires_on": BUSINESS_DATE, "pinned_version": 7, "carried_out": None, "what": "write_off", "subject": "case:2",
    "topic": "write_off", "version": 9, "data_sealed": b"x", "data_digest": "0" * 32,
}  # fmt: skip


def test_a_row_changed_by_other_hands_is_found(world: World) -> None:
    """Each column of a request, by SQL."""
    _, number = sued(world)
    for column, value in ROWS.items():
        with writing(world.started.engine) as conn:
            before = conn.execute(sa.select(requests.c[column]).where(requests.c.id == number)).scalar_one()
            conn.execute(requests.update().where(requests.c.id == number).values({column: value}))
        assert "row_differs" in [finding.code for finding in world.findings()], column
        with writing(world.started.engine) as conn:
            conn.execute(requests.update().where(requests.c.id == number).values({column: before}))
    assert world.findings() == []


def test_a_request_without_entries_and_entries_without_a_request_are_found(world: World) -> None:
    _, number = sued(world)
    with writing(world.started.engine) as conn:
        conn.execute(requests.delete().where(requests.c.id == number))
    assert {finding.code for finding in world.findings()} == {"head_missing", "four_eyes_missing"}
    row: dict[str, Any] = dict.fromkeys(requests.c.keys())
    row |= {
        "kind": "event", "subject": "case:1", "what": "sue", "topic": "suit", "state": "approved", "live": False,
        "chart": "request@2",
        "state_since": BUSINESS_DATE, "opened_for": "request",
        "version": 1, "opened_by": "P1", "opened_on": BUSINESS_DATE, "expires_on": BUSINESS_DATE, "pinned_version": 1,
        "data_sealed": b"", "data_digest": "", "last_entry_at": START, "audit_seq": 1, "audit_head": b"", "id": 50,
    }  # fmt: skip
    with writing(world.started.engine) as conn:
        conn.execute(requests.insert().values(row))
    assert "stream_missing" in {finding.code for finding in world.findings()}


def test_verification_reads_and_writes_nothing(world: World) -> None:
    sued(world)
    before = world.counts()
    keys = load_keys(world.started.settings.keys_dir)
    with reading(world.started.engine, snapshot=True) as conn:
        assert verify(conn, keys.mac, world.started.branch.vault).verdict == "sound"
    assert world.counts() == before
