"""How a case comes into each state, and what makes each event of the chart possible; pure, without a database."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from casework.rules.statechart.decide import Step
from casework.work.cases.case import Case
from tests.cases.worlds import attempts, dpd, fire, fit_agency, measured, opened, record

AGENCY = {"agency": "agency:1", "term_until": dpd(400).isoformat()}
WRITE_OFF = {"criterion": "long_overdue", "evidence": "doc:1", "principal_fen": 3_000_000, "interest_fen": 10}

WRITTEN_OFF_FEN = 3_000_010


def stepped(case: Case, event: str, today: date, **more: Any) -> None:
    verdict = fire(case, event, today, **more)
    assert isinstance(verdict, Step), (event, case.state, verdict)


def connected(case: Case, today: date) -> None:
    attempts(case, today, 1, "debtor")


def visited(outcome: str) -> Callable[[Case, date], None]:
    def prepare(case: Case, today: date) -> None:
        met = "debtor" if outcome == "found" else "nobody"
        photo = f"sha256:{len(case.facts.visit_photos):064x}"  # another one for each visit
        record(case, "visit", today, outcome=outcome, photo=photo, person_met=met, address_kind="home")

    return prepare


def repaired(case: Case, today: date) -> None:
    record(case, "information_repair", today, outcome="new_number", source="debtor", legal_basis="consent")


def unanswered(case: Case, today: date) -> None:
    for days in range(5):
        attempts(case, today - timedelta(days=days))


def may_place(case: Case, today: date) -> None:
    fit_agency(case, today)
    repaired(case, today)


def may_place_early(case: Case, today: date) -> None:
    fit_agency(case, today)
    for number in (2, 1):
        day = today - timedelta(days=number)
        visited("not_found")(case, day)
        stepped(case, "not_found", day)


def placement_over(case: Case, today: date) -> None:
    fit_agency(case, today)
    record(case, "placement_ended", today, reason="term_over")


def may_sue(case: Case, today: date) -> None:
    record(case, "disposal_form", today)
    record(case, "limitation_check", today, ends_on=dpd(900).isoformat())


def ruled(outcome: str) -> Callable[[Case, date], None]:
    def prepare(case: Case, today: date) -> None:
        record(case, "ruling", today, outcome=outcome)

    return prepare


def non_performing(case: Case, today: date) -> None:
    measured(case, today, risk_class="substandard")


def cleared(case: Case, today: date) -> None:
    measured(case, today, oldest_due_date=None, bucket="M0")


def paid(case: Case, today: date) -> None:
    if case.state == "written_off":
        stepped(case, "recover", today, payment="p:1", amount_fen=WRITTEN_OFF_FEN)
    measured(case, today, oldest_due_date=None, bucket="M0", outstanding_principal_fen=0)


def compromised(case: Case, today: date) -> None:
    record(case, "agreement", today, agreed_fen=100)
    record(case, "payment", today, payment="p:1", amount_fen=100)


def claim_written_off(case: Case, today: date) -> None:
    case.facts.written_off_on = case.facts.written_off_on or today


def recovered(case: Case, _: date) -> None:
    case.facts.recoveries, case.facts.recovered_fen = [*case.facts.recoveries, "p:2"], case.facts.recovered_fen + 7


def reversed_(case: Case, today: date) -> None:
    if "p:1" in case.facts.recoveries:
        stepped(case, "recovery_reversed", today, payment="p:1", reversal="r:1", amount_fen=WRITTEN_OFF_FEN)
    record(case, "reversal", today, payment="p:1", paid_on=today.isoformat(), amount_fen=100)


def settled_today(case: Case, today: date) -> None:
    case.facts.settled_on = today


def may_transfer(case: Case, today: date) -> None:
    measured(case, today, risk_class="loss")
    record(case, "transfer_contract", today)
    record(case, "debtor_notice", today)
    if case.facts.placement is not None:
        record(case, "placement_ended", today, reason="hold")


def opened_wrongly(case: Case, today: date) -> None:
    record(case, "opening_error", today)


def opened_by_this_feed(case: Case, today: date) -> None:
    cleared(case, today)
    case.opened_on = today


def nothing(case: Case, today: date) -> None:
    """For an event that needs no fact."""


# event → (what makes it possible, the data it takes, how many days past due it can happen)
NEEDS: dict[str, tuple[Callable[[Case, date], None], dict[str, Any], int]] = {
    "mark_lost": (unanswered, {}, 8),
    "start_visit": (repaired, {}, 20),
    "reached": (connected, {}, 20),
    "lead_found": (repaired, {}, 20),
    "found": (visited("found"), {}, 20),
    "not_found": (visited("not_found"), {}, 20),
    "abandon_visit": (nothing, {"reason": "unsafe"}, 20),
    "place_early": (may_place_early, AGENCY, 30),
    "place": (may_place, AGENCY, 31),
    "grant_exception": (nothing, {"reason": "dispute", "expires_on": dpd(60).isoformat()}, 31),
    "recall": (nothing, {"reason": "hold", "destruction_due_on": dpd(60).isoformat()}, 40),
    "rotate": (placement_over, AGENCY, 40),
    "sue": (may_sue, {"claim_fen": 100}, 40),
    "withdraw": (ruled("withdrawal_allowed"), {"reason": "agreement"}, 60),
    "end_unrecovered": (ruled("enforcement_suspended"), {"reason": "no_assets"}, 60),
    "write_off": (non_performing, WRITE_OFF, 60),
    "recover": (claim_written_off, {"payment": "p:1", "amount_fen": 100}, 90),
    "recovery_reversed": (recovered, {"payment": "p:2", "reversal": "r:2", "amount_fen": 7}, 90),
    "undo_write_off": (nothing, {"booking": "b:1"}, 90),
    "arrears_cleared": (cleared, {}, 90),
    "paid_in_full": (paid, {}, 90),
    "compromise": (compromised, {}, 90),
    "reverse_payment": (reversed_, {"reversal": "r:1"}, 100),
    "settlement_corrected": (settled_today, {"as_of": dpd(100).isoformat()}, 100),
    "archive": (nothing, {}, 271),
    "transfer": (may_transfer, {}, 100),
    "cancel": (opened_wrongly, {"reason": "opened_in_error"}, 100),
    "opening_corrected": (opened_by_this_feed, {"run": "run:1"}, 100),
}


def arrange(case: Case, event: str, today: date) -> None:
    """Make every guard of `event` hold."""
    NEEDS[event][0](case, today)


def perform(case: Case, event: str, today: date, actor: str = "A") -> None:
    """Arrange and fire; the event must happen."""
    arrange(case, event, today)
    stepped(case, event, today, actor=actor, **NEEDS[event][1])


_WAYS: dict[str, list[tuple[str, int]]] = {
    "phone_collection": [],
    "lost_contact": [("mark_lost", 8)],
    "home_visit": [("start_visit", 9)],
    "outsourced": [("place", 31)],
    "litigation": [("sue", 32)],
    "written_off": [("write_off", 60)],
    "settled": [("arrears_cleared", 90)],
    "closed": [("cancel", 20)],
}


def in_state(state: str, *, settled_from: str = "phone_collection") -> Case:
    """A case brought into `state` by events alone; a settled one out of `settled_from`."""
    case = in_state(settled_from) if state == "settled" and settled_from != "phone_collection" else opened()
    for event, days in _WAYS[state]:
        if state == "settled" and settled_from == "written_off":
            event = "paid_in_full"  # noqa: PLW2901  (what is written off cannot merely leave the arrears)
        perform(case, event, dpd(days))
    assert case.state == state
    return case
