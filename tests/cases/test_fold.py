"""A case as the fold of what happened to it: every arc can happen, and what must never happen never does."""

import copy
import os
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from casework.lifecycle.fold import apply
from casework.rules.statechart.chart import Arc
from casework.rules.statechart.decide import Step
from casework.work.cases import fold
from casework.work.cases.case import Case
from casework.work.cases.noun import CASE
from tests.cases.journeys import NEEDS, arrange, in_state, perform, stepped, unanswered
from tests.cases.worlds import CHART, POLICY, dpd, fire, measured, opened, reasons, record

ARCS: list[tuple[Arc, str]] = [
    (arc, branch.to) for event in CHART.events.values() for arc in event.arcs.values() for branch in arc.branches
]


def _case_for(arc: Arc, to: str, today: date) -> Case:
    """A case in the arc's source, in the circumstances that lead to `to`."""
    if arc.event in ("reverse_payment", "settlement_corrected"):
        return in_state("settled", settled_from=to)
    case = in_state(arc.source)
    if len(arc.branches) > 1 and to == "lost_contact":
        unanswered(case, today)
    return case


@pytest.mark.parametrize(("arc", "to"), ARCS, ids=[f"{arc.event}-{arc.source}-{to}" for arc, to in ARCS])
def test_every_branch_of_every_arc_can_really_happen(arc: Arc, to: str) -> None:
    today = dpd(max(NEEDS[arc.event][2], 33 if arc.source in {"outsourced", "litigation"} else 0))
    case = _case_for(arc, to, today)
    version, owner = case.version, case.owner
    perform(case, arc.event, today)
    assert (case.state, case.owner) == (to, owner)
    assert case.version > version
    assert case.live is (to in CHART.groups["live"])
    if to != arc.source and arc.event != "settlement_corrected":
        assert case.state_since == today
        assert case.facts.fresh == [], "what happened in the state before proves nothing in this one"
    if arc.source == "outsourced" and to != "outsourced":
        assert case.facts.placement is None, "a placement never outlives the state"
        assert case.facts.destruction_due_on is not None, "and the agency's copy has its deadline (X12)"


def test_an_opened_case_has_all_that_its_entry_says_under_its_own_name() -> None:
    """It is made by place: each text of the entry stands in the field that is called like it, each figure too."""
    names = ("institution", "loan_id", "borrower_id", "product", "channel_code", "team", "region", "owner", "named")
    figures = ("overdue_principal_fen", "overdue_interest_fen", "overdue_penalty_fen", "outstanding_principal_fen")
    measure = {name: 10**at for at, name in enumerate(figures)} | {
        "oldest_due_date": "2024-05-31", "bucket": "a bucket", "risk_class": "a class", "npl_since": "2024-05-30",
        "disbursed_on": "2024-05-29",
    }  # fmt: skip
    data = {name: f"a {name}" for name in (*names, "ground")} | {"measure": measure, "business_date": "2024-06-01"}
    case = fold.open_case(7, "somebody", CHART, data)
    told = msgspec.to_builtins(case) | msgspec.to_builtins(case.facts)
    today = "2024-06-01"
    assert {name: value for name, value in told.items() if value not in (None, 0, "", [], {})} == {
        **{name: f"a {name}" for name in names}, "handler": "a owner", "opened_for": "a ground", "id": 7,
        "chart": CHART.title, "state": CHART.initial, "state_since": today, "opened_on": today, "live": True,
        "version": 1, "opened_by": "somebody", "last_entry_at": "0001-01-01T00:00:00Z", **measure,
        "principal_at_opening_fen": 1_000, "overdue_fen": 111, "first_overdue_on": "2024-06-01",
        "facts": msgspec.to_builtins(case.facts),
    }  # fmt: skip


def test_the_real_chart_has_the_70_arcs_that_these_journeys_cover() -> None:
    assert sum(len(event.arcs) for event in CHART.events.values()) == 70
    assert NEEDS.keys() == CHART.events.keys()


@pytest.mark.parametrize("event", sorted(NEEDS))
def test_without_what_it_needs_an_event_with_guards_does_not_happen(event: str) -> None:
    for arc in CHART.events[event].arcs.values():
        needy = {"no_hold", "dpd_at_least"}
        if {use.guard.name for use in arc.guards} <= needy or event == "archive":
            continue
        case = in_state(arc.source)
        if event == "place":
            case.facts.agency_file = None
            case.facts.repaired_on = None
        assert reasons(fire(case, event, dpd(33), actor="A", **NEEDS[event][1])), arc.source


# ── single rules of the fold ──────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_and_a_note_change_nothing() -> None:
    case = opened()
    before = copy.deepcopy(case)
    for event in ("case.refused.place", fold.SAYS.noted):
        apply(CASE, case, event, None, "S1", {"business_date": "2026-01-06"}, CHART, POLICY)
    assert case == before


def test_an_entry_of_another_kind_is_not_silently_passed_over() -> None:
    with pytest.raises(ValueError, match=r"no entry of a case is called case\.vanished"):
        apply(CASE, opened(), "case.vanished", None, "S1", {}, CHART, POLICY)


def test_an_assignment_changes_owner_and_handler_and_nothing_else() -> None:
    case, before = opened(), opened()
    apply(CASE, case, fold.ASSIGNED, None, "S9", {"owner": "S2", "handler": "S3"}, CHART, POLICY)
    assert (case.owner, case.handler, case.version) == ("S2", "S3", 2)
    case.owner, case.handler, case.version = before.owner, before.handler, before.version
    assert case == before


def test_another_principal_is_material_and_another_due_date_is_not() -> None:
    case = opened()
    measured(case, dpd(2), oldest_due_date=dpd(1).isoformat())
    assert case.facts.material_version == 1
    measured(case, dpd(3), outstanding_principal_fen=1)
    assert case.facts.material_version == 2
    assert case.principal_at_opening_fen == 3_000_000, "the principal at opening is frozen"


@pytest.mark.parametrize(
    ("kind", "given", "material"),
    [
        ("hold", {"hold": "dispute"}, True), ("hold_lifted", {"hold": "dispute"}, True), ("acceleration", {}, True),
        ("agreement", {"agreed_fen": 1}, True), ("contact_day", {"attempts": 1, "connected": True}, False),
        ("disposal_form", {}, False), ("limitation_check", {"ends_on": "2027-01-01"}, False),
    ],
)  # fmt: skip
def test_what_an_approver_would_look_at_again_is_material(kind: str, given: dict[str, Any], material: bool) -> None:
    """A request pins this version (decision 0007)."""
    case = opened()
    record(case, kind, dpd(2), **given)
    assert case.facts.material_version == 1 + material


def test_after_a_new_lead_the_same_silent_days_do_not_lose_the_debtor_again() -> None:
    case = in_state("lost_contact")
    perform(case, "lead_found", dpd(10))
    assert reasons(fire(case, "mark_lost", dpd(10))) == ["days_without_contact"]


@pytest.mark.parametrize("state", ["phone_collection", "lost_contact", "home_visit", "litigation"])
def test_a_settlement_that_a_correction_takes_back_leaves_the_case_as_if_it_had_never_been(state: str) -> None:
    case = in_state(state)
    record(case, "hold", dpd(60), hold="death")
    record(case, "promise", dpd(60), promise="P1", pay_by=dpd(99).isoformat(), amount_fen=1)
    case.facts.fresh = ["ruling"]
    before = copy.deepcopy(case)
    perform(case, "arrears_cleared", dpd(90))
    assert case.state == "settled"
    stepped(case, "settlement_corrected", dpd(90), as_of=dpd(90).isoformat())
    measured(case, dpd(90))
    assert case.facts.material_version > before.facts.material_version, "what was asked for before is asked for anew"
    case.version, case.facts.material_version = before.version, before.facts.material_version
    assert case == before


def test_a_placement_that_a_wrong_settlement_ended_does_not_revive_with_the_case() -> None:
    case = in_state("outsourced")
    perform(case, "arrears_cleared", dpd(90))
    stepped(case, "settlement_corrected", dpd(90), as_of=dpd(90).isoformat())
    assert (case.state, case.state_since, case.facts.placement) == ("phone_collection", dpd(90), None)
    assert case.facts.destruction_due_on is not None


def test_only_the_correction_of_the_very_day_takes_a_settlement_back() -> None:
    case = in_state("phone_collection")
    perform(case, "arrears_cleared", dpd(90))
    refused = fire(case, "settlement_corrected", dpd(91), as_of=dpd(91).isoformat())
    assert reasons(refused) == ["settled_by_corrected_feed"]


def test_what_is_written_off_is_paid_by_money_alone_whatever_the_books_show() -> None:
    case = in_state("written_off")
    case.facts.written_off_fen = 110
    measured(case, dpd(70), oldest_due_date=None, bucket="M0", outstanding_principal_fen=0)
    assert reasons(fire(case, "paid_in_full", dpd(70))) == ["written_off_sum_received"]
    stepped(case, "recover", dpd(71), payment="p:1", amount_fen=109)
    stepped(case, "recover", dpd(71), payment="p:1", amount_fen=109)
    assert reasons(fire(case, "paid_in_full", dpd(71))) == ["written_off_sum_received"]
    stepped(case, "recover", dpd(72), payment="p:2", amount_fen=1)
    measured(case, dpd(72))
    stepped(case, "paid_in_full", dpd(72))
    assert case.state == "settled"


def test_a_recovery_that_bounces_reopens_the_claim_only_if_what_is_left_falls_short() -> None:
    case = in_state("written_off")
    case.facts.written_off_fen = 110
    for number, amount in ((1, 60), (2, 50), (3, 40)):
        stepped(case, "recover", dpd(70), payment=f"p:{number}", amount_fen=amount)
    stepped(case, "paid_in_full", dpd(80))
    paid_on = dpd(70).isoformat()
    record(case, "reversal", dpd(81), payment="p:3", amount_fen=40, paid_on=paid_on)
    stepped(case, "recovery_reversed", dpd(81), payment="p:3", reversal="r:3", amount_fen=40)
    assert reasons(fire(case, "reverse_payment", dpd(81), reversal="r:3")) == ["recovery_falls_short"]
    assert reasons(fire(case, "recovery_reversed", dpd(82), payment="p:3", reversal="r:9", amount_fen=40)) == [
        "recovery_counted"
    ]
    record(case, "reversal", dpd(82), payment="p:2", amount_fen=50, paid_on=paid_on)
    stepped(case, "recovery_reversed", dpd(82), payment="p:2", reversal="r:2", amount_fen=50)
    stepped(case, "reverse_payment", dpd(82), reversal="r:2")
    assert (case.state, case.facts.recovered_fen, case.facts.written_off_on) == ("written_off", 60, dpd(60))


def test_a_matter_that_was_ruled_on_after_settlement_does_not_come_back() -> None:
    case = in_state("settled", settled_from="litigation")
    record(case, "ruling", dpd(95), actor="A", outcome="dismissed")
    perform(case, "reverse_payment", dpd(100))
    assert case.state == "phone_collection"


# ── whatever happens ──────────────────────────────────────────────────────────────────────────────────────────

_PEOPLE = st.sampled_from(["P1", "A", "B", "C"])


class AnyLife(RuleBasedStateMachine):
    """Whatever staff, the feed and the clock do to a case, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.case = opened()
        self.day = dpd(1)
        self.was_closed = False

    @initialize(ground=st.sampled_from(sorted(CHART.openings)))
    def open(self, ground: str) -> None:
        self.case = opened(dpd(1), ground=ground, by="P1")

    @rule(days=st.sampled_from([0, 1, 1, 5, 31, 181]))
    def days_pass(self, days: int) -> None:
        self.day += timedelta(days=days)

    @rule(event=st.sampled_from(sorted(CHART.events)), actor=_PEOPLE)
    def anything_is_tried(self, event: str, actor: str) -> None:
        self.attempt(event, actor)

    @rule(data=st.data())
    def a_stretch_of_life(self, data: st.DataObject) -> None:
        """Events of the state the case is in, mostly prepared, so that lives go far and seldom end early."""
        for _ in range(data.draw(st.integers(1, 6))):
            here = [name for name, event in CHART.events.items() if self.case.state in event.arcs]
            lasting = [name for name in here if name not in {"cancel", "opening_corrected", "transfer"}]
            if not here:
                return
            event = data.draw(st.sampled_from(data.draw(st.sampled_from([lasting, lasting, here]))))
            if data.draw(st.integers(0, 3)):
                self.prepare(event)
            self.attempt(event, data.draw(_PEOPLE))

    def attempt(self, event: str, actor: str) -> None:
        before = copy.deepcopy(self.case)
        verdict = fire(self.case, event, self.day, actor=actor, **NEEDS[event][1])
        if not isinstance(verdict, Step):
            assert self.case == before, "a refused event changes nothing"
            return
        assert before.state != "closed", "nothing leaves the end"
        assert self.case.version == before.version + 1

    def prepare(self, event: str) -> None:
        """Bring the facts about as far as this case allows; what does not fit is refused like anything else."""
        if event == "place_early":  # its visits would be events of their own
            return
        arrange(self.case, event, self.day)

    @rule(hold=st.sampled_from(["dispute", "death"]), lifted=st.booleans())
    def a_hold(self, hold: str, lifted: bool) -> None:
        record(self.case, "hold_lifted" if lifted else "hold", self.day, hold=hold)

    @rule(cleared=st.booleans(), outstanding=st.sampled_from([0, 3_000_000]))
    def the_feed_reports(self, cleared: bool, outstanding: int) -> None:
        due = None if cleared else dpd(0).isoformat()
        measured(self.case, self.day, oldest_due_date=due, outstanding_principal_fen=outstanding)

    @invariant()
    def the_case_is_in_one_state_and_somebody_owns_it(self) -> None:
        assert self.case.state in CHART.states
        assert self.case.owner
        assert self.case.handler
        assert self.case.live is (self.case.state in CHART.groups["live"])

    @invariant()
    def what_is_closed_stays_closed(self) -> None:
        if self.was_closed:
            assert self.case.state == "closed"
        self.was_closed = self.case.state == "closed"
        assert (self.case.closed_as is not None) is self.was_closed

    @invariant()
    def an_agency_has_the_case_only_while_it_is_outsourced(self) -> None:
        assert (self.case.facts.placement is not None) is (self.case.state == "outsourced")


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=2_000 if os.environ.get("CASEWORK_LONG") else 200,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
