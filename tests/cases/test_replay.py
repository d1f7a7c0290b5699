"""The replay judges what an insider with the right key wrote: sound chains, but not what the chart allows."""

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Refused
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.log.tables import texts
from casework.people.staff.actor import system
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command
from casework.work.cases.publish import publish
from casework.work.cases.rulebook import load_rulebook
from tests.cases.anything import commands_on
from tests.conftest import LONGER
from tests.contacted import contact_day
from tests.fed import dated
from tests.log import built_log as logs
from tests.log.built_log import BuiltLog, change_entry, clock, guards_down, log_fixture
from tests.log.resealed import Change, reseal

log = log_fixture("module")


def rewritten(log: BuiltLog, stream: str, event: str, change: Change) -> Report:
    """Verification after the first `event` of `stream` was rewritten and the chain behind it sealed anew."""
    return log.after(lambda conn: reseal(conn, log.branch.mac_key, stream, event, change))


def data(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | changes}


def given_data(**changes: Any) -> Change:
    return lambda entry: {"data": entry.data | {"given": entry.data["given"] | changes}}


def reasons(*codes: str) -> Change:
    def change(entry: Entry) -> dict[str, Any]:
        written = [{"code": code, "saw": {}, "needs": {}} for code in codes]
        return {"data": entry.data | {"reasons": written}, "reason_code": codes[0]}

    return change


def held_posts(*posts: str) -> Change:
    def change(entry: Entry) -> dict[str, Any]:
        (reason,) = entry.data["reasons"]
        return {"data": entry.data | {"reasons": [reason | {"saw": {"posts": list(posts)}}]}}

    return change


def by(staff_no: str) -> Change:
    return lambda entry: {"actor": msgspec.structs.replace(entry.actor, id=staff_no)}


def put(**values: Any) -> Change:
    return lambda _: values


STEP, REFUSED, FACT = "case.step.", "case.refused.", "case.fact."
REPAIRED, DAY = f"{FACT}information_repair", f"{FACT}contact_day"
MARK_LOST, NOTED, ASSIGNED = f"{REFUSED}mark_lost", "case.noted", "case.assigned"
WRITE_OFF, REACHED, START_VISIT = f"{STEP}write_off", f"{STEP}reached", f"{STEP}start_visit"
# stream, event that is rewritten, how, the first finding
INSIDERS: dict[str, tuple[str, str, Change, str]] = {
    "a step leads elsewhere": ("case:1", WRITE_OFF, put(to="settled"), "step_elsewhere"),
    "a step starts elsewhere": ("case:1", WRITE_OFF, put(from_="lost_contact"), "state_differs"),
    "a step taken by a post that may not": (
        "case:3", REACHED, data(post="approver"), "step_not_allowed",
    ),
    "a step on a case that is not his": ("case:3", START_VISIT, by("S2"), "out_of_reach"),
    "a step for somebody whose case it is not": ("case:3", START_VISIT, data(acting_for="S2"), "out_of_reach"),
    "a note by a post that may not": ("case:2", NOTED, data(post="auditor"), "post_not_permitted"),
    "a note on a case that is not his": (
        "case:2", NOTED, data(post="business_rep"), "out_of_reach",
    ),
    "an owner whom no rule names": ("case:1", ASSIGNED, data(rule="agency"), "owner_differs"),
    "an owner for another post than the rule's": ("case:1", ASSIGNED, data(owner_post="agency_post"), "owner_differs"),
    "an owner taken from somebody else": ("case:1", ASSIGNED, data(from_owner="T1"), "owner_differs"),
    "an owner given by rule without a step": ("case:2", NOTED, lambda entry: {
        "event": ASSIGNED, "personal": {}, "data": {
            "business_date": entry.data["business_date"], "owner": "A1", "handler": "A1", "reason": "by_rule",
            "from_owner": "S1", "from_handler": "S1", "rule": "own_customer", "owner_post": "business_rep",
        },
    }, "owner_differs"),
    "an owner given by a post that may not": ("case:1", ASSIGNED, lambda entry: {
        "data": entry.data | {"command": "case.assign", "post": "asset_preservation", "reason": "other"},
    }, "post_not_permitted"),
    "an opening by another rule": ("case:2", "case.opened", data(owner_rule="newly_overdue"), "owner_differs"),
    "out of reach for a post that reaches everything": ("case:4", MARK_LOST, lambda _: {
        "reason_code": "out_of_reach", "data": {
            "business_date": "2026-01-10",
            "reasons": [{"code": "out_of_reach", "saw": {"posts": ["approver"]}, "needs": {}}],
        },
    }, "refusal_differs"),
    "a step without its grounds": ("case:3", DAY, given_data(connected=False), "step_not_allowed"),
    "an event the chart does not know": ("case:3", REACHED, put(event=f"{STEP}vanish"), "replay_impossible"),
    "an event of no kind": ("case:2", "case.noted", put(event="case.touched"), "replay_impossible"),
    "a fact the chart does not know": ("case:2", REPAIRED, put(event=f"{FACT}rumour"), "replay_impossible"),
    "a fact that moves the case": ("case:2", REPAIRED, put(to="settled"), "state_differs"),
    "a fact recorded by a post that may not": (
        "case:2", REPAIRED, data(post="approver"), "post_not_permitted",
    ),
    "own collection of a case that is not his": ("case:2", REPAIRED, data(post="asset_preservation"), "out_of_reach"),
    "a ruling in a case that was never sued": ("case:2", REPAIRED, lambda entry: {
        "event": f"{FACT}ruling", "data": entry.data | {"post": "asset_preservation", "given": {"outcome": "judgment"}},
    }, "fact_not_allowed"),
    "a promise told by a collector, where promises tell themselves": ("case:2", REPAIRED, lambda entry: {
        "event": f"{FACT}promise", "data": entry.data | {
            "given": {"promise": "P1", "pay_by": "2026-01-12", "amount_fen": 1},
        },
    }, "post_not_permitted"),
    "a fact of a day to come": ("case:2", REPAIRED, data(on="2199-01-01"), "data_not_typed"),
    "a fact from before the loan": ("case:2", REPAIRED, data(on="1990-01-01"), "data_not_typed"),
    "a fact refused that was allowed": ("case:2", REPAIRED, lambda entry: {
        "event": f"{REFUSED}information_repair", **reasons("photo_is_new")(entry),
    }, "refusal_differs"),
    "data of another type": ("case:2", REPAIRED, given_data(outcome="perhaps"), "data_not_typed"),
    "data the event does not take": ("case:3", START_VISIT, given_data(mood="good"), "data_not_typed"),
    "a committed text left out": ("case:3", START_VISIT, put(personal={}), "data_not_typed"),
    "a refusal for another reason": ("case:2", MARK_LOST, reasons("no_hold"), "refusal_differs"),
    "a refusal with a reason too many": (
        "case:2", MARK_LOST, reasons("days_without_contact", "no_hold"), "refusal_differs",
    ),
    "a refusal of what was allowed": ("case:3", REACHED, lambda entry: {
        "event": f"{REFUSED}reached", "to": entry.from_, **reasons("debtor_connected_since")(entry),
    }, "refusal_differs"),
    "forbidden to a post that may": ("case:4", MARK_LOST, held_posts("system"), "refusal_differs"),
    "a fact forbidden to a post that may": (
        "case:4", f"{REFUSED}agency_file", held_posts("agency_post"), "refusal_differs",
    ),
    "a business date set back": (
        "case:2", "case.noted", data(business_date="2026-01-09"), "business_date_decreased",
    ),
    "an opening that could not be": (
        "case:2", "case.opened", lambda entry: {
            "data": entry.data | {"measure": entry.data["measure"] | {"oldest_due_date": None}},
        }, "opening_not_allowed",
    ),
    "an opening into another state": ("case:2", "case.opened", put(to="litigation"), "state_differs"),
    "an opening for another owner": ("case:2", "case.opened", data(owner="T1"), "row_differs"),
    "a measure of another amount": (
        "case:5", "case.measured", lambda entry: {
            "data": entry.data | {"measure": entry.data["measure"] | {"outstanding_principal_fen": 1}},
        }, "row_differs",
    ),
    "a chart that was never published": (
        "case:2", "case.noted", put(chart="overdue_loan@9#" + "0" * 64), "text_missing",
    ),
    "no policy at all": ("case:2", "case.noted", put(policy=None), "replay_impossible"),
}  # fmt: skip
# What was committed and is not any more leaves its opening behind.
ALSO = {"a committed text left out": {"opening_unannounced"}}


@pytest.mark.parametrize("name", INSIDERS)
def test_an_insiders_entry_is_found_though_every_chain_is_sound(log: BuiltLog, name: str) -> None:
    stream, event, change, expected = INSIDERS[name]
    report = rewritten(log, stream, event, change)
    found = {finding.code for finding in report.findings} - ALSO.get(name, set())
    assert report.verdict == "tampered"
    assert expected in found
    assert not found & {"mac_wrong", "body_changed", "link_broken", "head_differs", "column_differs"}
    assert {finding.stream for finding in report.findings} <= {stream, None}


def test_a_case_whose_chain_is_broken_is_counted_as_not_replayed(log: BuiltLog) -> None:
    with log.attacked() as conn:
        with guards_down(conn):
            change_entry(conn, "case:2", 2, mac=bytes(32))
        report = log.verify(conn)
    assert (report.cases, report.cases_not_replayed) == (50, 1)


# --- whatever the door writes, the replay agrees with


@examples(max_examples=25 * LONGER, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=st.lists(st.integers(1, 6).flatmap(commands_on), min_size=5, max_size=60))
def test_whatever_the_door_writes_replays_to_the_same_row(log: BuiltLog, batch: list[Command]) -> None:
    with log.attacked() as conn:
        before = log.verify(conn).entries
        outcomes = advance(conn, batch, log.branch, clock=clock)
        report = log.verify(conn)
    assert report.findings == []
    assert report.entries - before == sum(isinstance(outcome, (Done, Refused)) for outcome in outcomes)


def test_each_entry_is_judged_by_the_figures_in_force_on_its_day(log: BuiltLog, tmp_path: Path) -> None:
    """Five days without contact before 12 January, three from then on: both refusals and steps stand."""
    folder = tmp_path / "statecharts"
    shutil.copytree(log.settings.statecharts, folder)
    policy = (folder / "policy" / "2024-01-01.2.toml").read_text()
    stricter, edits = re.subn(r"qualifying_days = \{ value = 5", "qualifying_days = { value = 3", policy)
    assert edits == 1
    (folder / "policy" / "2026-01-12.toml").write_text(stricter)
    branch = Branch(load_rulebook(folder), log.branch.vault, log.branch.mac_key)
    fire = Fire(actor=logs.SWEEP, id=2, event="mark_lost")
    days = [date(2026, 1, day) for day in (9, 10, 11)]
    with log.attacked() as conn:
        calls = [contact_day(2, day) for day in days]
        assert isinstance(advance(conn, [*calls, fire], branch, clock=clock)[-1], Refused)
        before = conn.execute(sa.select(sa.func.count()).select_from(texts)).scalar_one()
        publish(conn, branch, system("cli"))
        dated(conn, branch, date(2026, 1, 12), clock=clock)
        *_, step = advance(conn, [contact_day(2, date(2026, 1, 12)), fire], branch, clock=clock)
        report = log.verify(conn)
    assert isinstance(step, Done)
    assert (report.findings, report.texts) == ([], before + 1)
