"""Every state × every event of the chart, through the API: done, refused or forbidden exactly as the chart says."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest

from casework.lifecycle.commands import Cleared, Done, Fire, Record, Refused
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import Chart, Event
from casework.rules.statechart.decide import options
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command, Measure
from casework.work.cases.queries import find_case as read_case
from casework.work.cases.situation import CaseSituation
from tests.api.conftest import BUSINESS_DATE, POSTS_OF_EVERYBODY, Running, measure
from tests.contacted import contact_day
from tests.fed import dated

STATES = (
    "phone_collection",
    "lost_contact",
    "home_visit",
    "outsourced",
    "litigation",
    "written_off",
    "settled",
    "closed",
)
TODAY = BUSINESS_DATE.isoformat()
OPENED = BUSINESS_DATE - timedelta(days=10)  # no day before it counts for lost contact
LATER = (BUSINESS_DATE + timedelta(days=30)).isoformat()
AGENCY = {"agency": "agency:1", "term_until": LATER}
WRITE_OFF = {"criterion": "death", "evidence": "doc:1", "principal_fen": 5_000_000, "interest_fen": 10}

GIVEN: dict[str, dict[str, Any]] = {
    "mark_lost": {}, "start_visit": {"address_kind": "home", "address": "示例路1号", "visit_on": LATER}, "reached": {},
    "lead_found": {}, "found": {}, "not_found": {}, "abandon_visit": {"reason": "unsafe"}, "place_early": AGENCY,
    "place": AGENCY, "grant_exception": {"reason": "dispute", "expires_on": LATER},
    "recall": {"reason": "hold", "destruction_due_on": LATER}, "rotate": AGENCY, "sue": {"claim_fen": 100},
    "withdraw": {"reason": "agreement"}, "end_unrecovered": {"reason": "no_assets"}, "write_off": WRITE_OFF,
    "recover": {"payment": "p:1", "amount_fen": 5_000_010},
    "recovery_reversed": {"payment": "p:1", "reversal": "r:1", "amount_fen": 5_000_010},
    "settlement_corrected": {"as_of": TODAY}, "undo_write_off": {"booking": "b:1"},
    "arrears_cleared": {"previous_as_of": TODAY}, "paid_in_full": {"previous_as_of": TODAY}, "compromise": {},
    "reverse_payment": {"reversal": "r:1"}, "archive": {}, "transfer": {}, "cancel": {"reason": "opened_in_error"},
    "opening_corrected": {"run": "run:1"},
}  # fmt: skip
"""Data that each event takes."""


def someone(staff_no: str) -> Actor:
    if staff_no == "system":
        return system("cli")
    return Actor(staff_no, "staff", "api", frozenset(POSTS_OF_EVERYBODY[staff_no]), team="T1", region="R1")


def fact(case_id: int, staff_no: str, kind: str, on: date = BUSINESS_DATE, **data: Any) -> Record:
    return Record(actor=someone(staff_no), id=case_id, kind=kind, on=on, evidence="doc:1", data=data)


def event(case_id: int, staff_no: str, name: str) -> Fire:
    return Fire(actor=someone(staff_no), id=case_id, event=name, data=GIVEN[name])


def agency_file(case: int) -> Record:
    return fact(case, "G1", "agency_file", agency="agency:1", active=True, inspected_on=TODAY, evaluated_on=TODAY)


def repaired(case: int) -> Record:
    return fact(case, "R1", "information_repair", outcome="new_number", source="debtor", legal_basis="consent")


def figures(case: int, **changes: Any) -> Measure:
    return Measure(actor=system("feed"), id=case, measure=measure(0, bucket="M0", **changes), run=1)


def unanswered(case: int) -> list[Command]:
    days = [BUSINESS_DATE - timedelta(days=days) for days in range(6, -1, -1)]
    return [contact_day(case, day, attempts=3) for day in days]


def visited(case: int, outcome: str, on: date = BUSINESS_DATE) -> Record:
    photo = f"sha256:{next(NUMBERS):064x}"  # another one for each visit
    met = "debtor" if outcome == "found" else "nobody"
    return fact(case, "system", "visit", on, outcome=outcome, photo=photo, person_met=met, address_kind="home")


def preparation(name: str, case: int, state: str = "") -> list[Command]:
    """Facts that make every guard of the event hold."""
    if state == "written_off" and name in ("paid_in_full", "recovery_reversed"):
        return [event(case, "system", "recover")]
    tomorrow = BUSINESS_DATE + timedelta(days=1)
    made: dict[str, list[Command]] = {
        "mark_lost": unanswered(case),
        "reached": [contact_day(case, BUSINESS_DATE, connected=True)],
        "lead_found": [repaired(case)],
        "found": [visited(case, "found")],
        "not_found": [visited(case, "not_found")],
        "place_early": [
            agency_file(case), visited(case, "not_found"), event(case, "R1", "not_found"),
            visited(case, "not_found", tomorrow), event(case, "R1", "not_found"),
        ],
        "place": [agency_file(case), repaired(case)],
        "rotate": [agency_file(case), fact(case, "G1", "placement_ended", reason="term_over")],
        "sue": [
            fact(case, "P1", "disposal_form"), fact(case, "A1", "limitation_check", ends_on="2030-01-01"),
        ],
        "withdraw": [fact(case, "A1", "ruling", outcome="withdrawal_allowed")],
        "end_unrecovered": [fact(case, "A1", "ruling", outcome="enforcement_ended")],
        "compromise": [
            fact(case, "A1", "agreement", agreed_fen=100),
            fact(case, "system", "payment", payment="p:1", amount_fen=100),
        ],
        "transfer": [
            fact(case, "A1", "transfer_contract"), fact(case, "A1", "debtor_notice"),
            fact(case, "G1", "placement_ended", reason="hold"),
        ],
        "cancel": [fact(case, "P1", "opening_error")],
        "opening_corrected": [figures(case)],
        "arrears_cleared": [figures(case)],
        "paid_in_full": [figures(case, outstanding_principal_fen=0)],
        "reverse_payment": [
            fact(case, "system", "reversal", payment="p:1", paid_on=TODAY, amount_fen=100),
        ],
    }  # fmt: skip
    return made.get(name, [])


WAYS = {
    "phone_collection": (), "lost_contact": (("mark_lost", "system"),), "home_visit": (("start_visit", "R1"),),
    "outsourced": (("place", "G1"),), "litigation": (("sue", "A1"),), "written_off": (("write_off", "A1"),),
    "settled": (("arrears_cleared", "system"),), "closed": (("cancel", "B1"),),
}  # fmt: skip


def today(running: Running, day: date) -> None:
    with writing(running.started.engine) as conn:
        dated(conn, running.started.branch, day)


def bring(running: Running, state: str, name: str) -> int:
    """A case in `state`, far enough past due for `name`."""
    early = name == "place_early" and state in ("phone_collection", "home_visit", "lost_contact")
    silent = "mark_lost" in (name, *(way for way, _ in WAYS[state]))
    today(running, OPENED if silent else BUSINESS_DATE)
    case = running.open(f"L-{next(NUMBERS)}", days_past_due=20 if early else 120)[0]
    today(running, BUSINESS_DATE)
    for way, who in WAYS[state]:
        running.do(*preparation(way, case))
        (done,) = running.do(decided(running, case, who, way))
        assert isinstance(done, Done), (state, done)
        assert done.state == state
    return case


def decided(running: Running, case_id: int, staff_no: str, name: str) -> Fire:
    """The event as it is carried out: fired, or by whoever approves what `staff_no` asked for."""
    rulebook = running.started.branch.rulebook
    spec = rulebook.chart.events[name]
    if spec.four_eyes is None:
        return event(case_id, staff_no, name)
    topic = rulebook.requests.approvals[spec.four_eyes]
    approver = next(who for who, posts in POSTS_OF_EVERYBODY.items() if topic.approved_by & set(posts))
    with reading(running.started.engine) as conn:
        version = read_case(conn, case_id).facts.material_version
    cleared = Cleared(
        request_id=1, topic=topic.name, asked_by=staff_no, reviewed_by=None, involved=frozenset({staff_no}),
        approvers=topic.approved_by, material_version=version,
    )  # fmt: skip
    return Fire(actor=someone(approver), id=case_id, event=name, data=GIVEN[name], cleared=cleared)


NUMBERS = itertools.count(1)


def staff_for(spec: Event) -> str:
    """A member of staff who may wherever the case is: the rep, who reaches his own alone, comes last."""
    order = ("V2", "P1", *reversed(POSTS_OF_EVERYBODY))
    return next((who for who in order if spec.posts & set(POSTS_OF_EVERYBODY[who])), "system")


def reasons_expected(running: Running, chart: Chart, case_id: int, name: str, staff_no: str) -> set[str]:
    """What the chart itself says of the event for this case as it stands."""
    actor = someone(staff_no)
    with reading(running.started.engine) as conn:
        case = read_case(conn, case_id)
    policy = running.started.branch.rulebook.policies.at(BUSINESS_DATE)
    situation = CaseSituation(case, BUSINESS_DATE, policy, actor.id, given=GIVEN[name])
    option = next(one for one in options(chart, case.state, situation, actor.posts) if one.event == name)
    asked_for = {"request_needed"} if chart.events[name].four_eyes else set()
    return {reason.code for reason in option.reasons} | asked_for


def fire(running: Running, case_id: int, name: str, staff_no: str) -> tuple[int, set[str], str | None]:
    """Status, reasons and state; what only the service itself may do has no token, and goes to the door instead."""
    if staff_no == "system":
        outcome = running.do(event(case_id, staff_no, name))[0]
        if isinstance(outcome, Done):
            return 200, set(), outcome.state
        assert isinstance(outcome, Refused)
        return 409, {reason.code for reason in outcome.reasons}, None
    body = {"event": name, "data": GIVEN[name]}
    answer: Any = running.post(f"/cases/{case_id}/events", staff_no, json=body, headers={"If-Match": "*"})
    reasons = {reason["code"] for reason in answer.json().get("reasons", [])}
    return answer.status_code, reasons, answer.json().get("state")


def test_the_table_of_this_test_names_every_state_and_event(running: Running) -> None:
    chart = running.started.branch.rulebook.chart
    assert set(STATES) == set(chart.states)
    assert set(GIVEN) == set(chart.events)


@pytest.mark.parametrize("state", STATES)
def test_each_event_does_from_each_state_what_the_chart_says(running: Running, state: str) -> None:
    chart = running.started.branch.rulebook.chart
    for name, spec in chart.events.items():
        case_id = bring(running, state, name)
        outsider = next(who for who, posts in POSTS_OF_EVERYBODY.items() if not spec.posts & set(posts))
        sees = running.get(f"/cases/{case_id}", outsider).status_code == 200
        assert fire(running, case_id, name, outsider)[0] == (403 if sees else 404), (state, name)
        insider = staff_for(spec)
        expected = reasons_expected(running, chart, case_id, name, insider)
        status, reasons, to = fire(running, case_id, name, insider)
        if not expected:
            assert (status, to in targets(spec, state)) == (200, True), (state, name, reasons)
            continue
        assert (status, reasons) == (409, expected), (state, name)
        assert ("wrong_state" in reasons) == (state not in spec.arcs), (state, name)
        if state in spec.arcs and (state, name) not in NEVER_HERE:
            for outcome in running.do(*preparation(name, case_id, state)):
                assert isinstance(outcome, Done), (state, name, outcome)
            (done,) = running.do(decided(running, case_id, insider, name))
            assert isinstance(done, Done), (state, name, done)
            assert done.state in targets(spec, state), (state, name, done)


NEVER_HERE = {
    ("settled", "archive"), ("settled", "recover"), ("settled", "recovery_reversed"),
    ("lost_contact", "opening_corrected"),
}  # fmt: skip
"""Arcs that time alone opens, 180 days after the day of these tests; those of cases settled by recoveries; and a lost
case opened days ago, of which no corrected feed of its opening's day can be the next."""


def targets(spec: Event, state: str) -> set[str]:
    return {branch.to for branch in spec.arcs[state].branches} if state in spec.arcs else set()
