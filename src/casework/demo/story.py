"""What happens to cases of the invented branch besides the feed: journeys through every state of the chart.

A journey is a list of steps, each with the post that takes it and whether the rulebook allows it. It happens in the
evening of one business day, some of it in the morning after, before the next close is told; facts may be dated before.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from casework.demo.branch import AGREED_FEN, AGREED_LOAN
from casework.work.cases.case import Case


@dataclass(frozen=True, slots=True)
class Day:
    """A date so many days from the business date."""

    offset: int

    def of(self, today: date) -> str:
        """In ISO form."""
        return (today + timedelta(days=self.offset)).isoformat()


@dataclass(frozen=True, slots=True)
class Morning:
    """The first moment of the business date, in branch time."""

    def of(self, today: date, zone: tzinfo) -> str:
        """In ISO form, with the offset."""
        return datetime.combine(today, time(), zone).isoformat()


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """The n-th member of staff with a post, named by number where a step needs it."""

    post: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One command: `what` is fire, record, note, call, request, open, end or found; values are of the case, a day.

    A request is asked for `by` somebody, reviewed and approved by others, and happens with the approval. Of another
    `noun` than the case, something is opened on the ground `name`; `end` fires that event on what was opened last, and
    `found` enters what the repair that was opened last found in the contact book.
    """

    what: str
    name: str
    by: DemoPerson
    data: Mapping[str, Any] = field(default_factory=dict)
    on: Day = Day(0)
    allowed: bool = True
    reviewer: DemoPerson | None = None
    approver: DemoPerson | None = None
    noun: str | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """Which cases (by days past due, and more), how many of them, through which steps, and where it ends."""

    name: str
    steps: tuple[DemoStep, ...]
    ends_in: str
    lowest_dpd: int
    highest_dpd: int = 10_000
    many: int = 2
    follows: str = ""  # the journey, on an earlier day, that its cases come from; else they are fresh
    also: Callable[[Case], bool] = lambda _case: True
    next_day: tuple[DemoStep, ...] = ()


REP: Final = DemoPerson("business_rep")
CALLER: Final = DemoPerson("phone_collector")
OFFICER: Final = DemoPerson("post_loan_officer")
RISK: Final = DemoPerson("basic_risk_manager")
AGENCY: Final = DemoPerson("agency_post")
ASSETS: Final = DemoPerson("asset_preservation")
APPROVER: Final = DemoPerson("approver")
SYSTEM: Final = DemoPerson("system")
LARGE_FEN: Final = 5_000_000
_FORM: Final[dict[str, Any]] = {
    "proposal": "suit", "contract_no": lambda case: f"HT-{case.loan_id}",
    "overdue_since": lambda case: (case.oldest_due_date + timedelta(days=1)).isoformat(),
    "principal_fen": lambda case: case.outstanding_principal_fen,
    "interest_fen": lambda case: case.overdue_interest_fen, "penalty_fen": lambda case: case.overdue_penalty_fen,
    "security": "none", "has_contract": True, "has_disbursement": True, "has_statement": True, "has_demand": True,
    "service_address": "某市某区样板路12号3栋504室", "service_agreed": True, "jurisdiction": "lender_seat",
    "limitation_ends_on": Day(700), "calls": 12, "visits": 0, "promises_broken": 0,
}  # fmt: skip


def fire(event: str, by: DemoPerson, **data: Any) -> DemoStep:
    """Fire an event, successfully."""
    return DemoStep("fire", event, by, data)


def refused(event: str, by: DemoPerson, **data: Any) -> DemoStep:
    """Fire an event that the rulebook forbids at this point."""
    return DemoStep("fire", event, by, data, allowed=False)


def cleared(
    event: str, by: DemoPerson, reviewer: DemoPerson | None, approver: DemoPerson | None, **data: Any
) -> DemoStep:
    """Ask for an event that takes four eyes; others review and approve it. Without an approver it waits."""
    return DemoStep("request", event, by, data, reviewer=reviewer, approver=approver)


def fact(kind: str, by: DemoPerson, ago: int = 0, **data: Any) -> DemoStep:
    """Record a fact that happened `ago` days before the business date."""
    return DemoStep("record", kind, by, data, Day(-ago))


def note(text: str, by: DemoPerson) -> DemoStep:
    """Write a note."""
    return DemoStep("note", text, by)


def promised(by: DemoPerson, pay_by: Day) -> DemoStep:
    """Take a promise, made today, to pay all that is overdue."""
    data = {"amount_fen": lambda case: case.overdue_fen, "made_on": Day(0), "pay_by": pay_by}
    return DemoStep("open", "made", by, data, noun="promise")


def held(hold: str, by: DemoPerson, review_by: Day) -> DemoStep:
    """Set a hold on the loan or its debtor, from today on."""
    data = {"loan_id": lambda case: case.loan_id, "hold": hold, "begins_at": Morning(), "review_by": review_by}
    return DemoStep("open", "set", by, data, noun="hold")


def lifted(by: DemoPerson, reason: str) -> DemoStep:
    """Lift the hold that was set in this journey."""
    return DemoStep("end", "lift", by, {"reason": reason}, noun="hold")


def repairing(by: DemoPerson, *in_vain: str) -> tuple[DemoStep, ...]:
    """Begin an information repair, of which an unlawful source is refused and these are tried in vain."""
    return (
        DemoStep("open", "started", by, {"because": "lost_contact"}, noun="repair"),
        DemoStep("end", "try_source", by, {"source": "courier"}, noun="repair", allowed=False),
        *(DemoStep("end", "try_source", by, {"source": source}, noun="repair") for source in in_vain),
    )


def nothing_found(by: DemoPerson) -> DemoStep:
    """After enough sources the repair ends without a result."""
    return DemoStep("end", "find_nothing", by, noun="repair")


def address_found(by: DemoPerson) -> DemoStep:
    """The repair ends with an address, in the contact book from now on."""
    return DemoStep("found", "findings", by, {
        "role": "debtor", "source": "liable_person", "legal_basis": "contract", "address_kind": "home",
        "address": lambda case: f"某市某区样板路{case.id}号",
    })  # fmt: skip


def drawn_up(by: DemoPerson) -> DemoStep:
    """A judicial disposal form with what is owed by the books."""
    return DemoStep("open", "drawn_up", by, _FORM, noun="disposal")


def accepted(by: DemoPerson) -> DemoStep:
    """The form that was opened in this journey passes its review."""
    return DemoStep("end", "accept", by, noun="disposal")


def _photo(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def called(ago: int, by: DemoPerson, *results: str) -> DemoStep:
    """Call the debtor so many times on a day, with these results; the cases learn of it."""
    return DemoStep("call", "contact_day", by, {"results": results}, Day(-ago))


def _visit(ago: int, outcome: str, met: str) -> DemoStep:
    photo = _photo(f"{outcome} {ago}")
    return fact("visit", SYSTEM, ago, outcome=outcome, photo=photo, person_met=met, address_kind="home")


def _agency_file(agency: str) -> DemoStep:
    return fact("agency_file", AGENCY, agency=agency, active=True, inspected_on=Day(-9), evaluated_on=Day(-80))


_REPAIRED = (*repairing(REP, "lender_records"), address_found(REP))
_START_VISIT: Final[dict[str, Any]] = {
    "address_kind": "home",
    "address": "某市某区样板路12号3栋504室",
    "visit_on": Day(1),
}
_PLACEMENT: Final[dict[str, Any]] = {"agency": "agency:A01", "term_until": Day(180)}
_UNANSWERED = tuple(called(ago, CALLER, "no_answer", "busy") for ago in (4, 3, 2, 1, 0))
_LOST = (
    refused("mark_lost", SYSTEM),
    *_UNANSWERED,
    fire("mark_lost", SYSTEM),
)
_FOR_SUIT = (
    drawn_up(OFFICER),
    accepted(ASSETS),
    fact("limitation_check", ASSETS, 1, ends_on=Day(700)),
    refused("sue", ASSETS, claim_fen=lambda case: case.overdue_fen),  # without having been approved
    cleared("sue", ASSETS, RISK, APPROVER, claim_fen=lambda case: case.overdue_fen, court="court:WH-01"),
)


def owes(case: Case) -> bool:
    """Of a few the files disagree: in arrears, and nothing outstanding."""
    return case.outstanding_principal_fen >= case.overdue_principal_fen


_WRITE_OFF: Final[dict[str, Any]] = {
    "criterion": "long_overdue",
    "evidence": "doc:write-off",
    "principal_fen": lambda case: case.outstanding_principal_fen,
    "interest_fen": lambda case: case.overdue_interest_fen + case.overdue_penalty_fen,
}
_WRITTEN_OFF = (
    refused("write_off", ASSETS, **_WRITE_OFF),
    refused("write_off", APPROVER, **_WRITE_OFF),
    cleared("write_off", ASSETS, RISK, APPROVER, **_WRITE_OFF),
)

JOURNEYS: Final = (
    Journey(
        "settled by compromise",  # on the second day: the feed has brought the money
        ends_in="settled",
        lowest_dpd=91,
        many=1,
        follows="agreed on a compromise",
        steps=(cleared("compromise", ASSETS, RISK, APPROVER),),
    ),
    Journey(
        "agreed on a compromise",
        ends_in="phone_collection",
        lowest_dpd=91,
        many=1,
        also=lambda case: case.loan_id == AGREED_LOAN and case.facts.agreed_on is None,
        steps=(
            fact("agreement", ASSETS, agreed_fen=AGREED_FEN),
            refused("compromise", ASSETS),  # asked for or not, nothing has come in yet
        ),
    ),
    Journey(
        "a debtor whom no lawful source finds",
        ends_in="lost_contact",
        lowest_dpd=8,
        highest_dpd=30,
        many=1,
        steps=(*_LOST, *repairing(CALLER, "lender_records", "loan_change", "public_register"), nothing_found(CALLER)),
    ),
    Journey(
        "a debtor nobody can reach",
        ends_in="lost_contact",
        lowest_dpd=8,
        highest_dpd=30,
        many=2,
        steps=(note("客户电话持续无人接听", CALLER), *_LOST),
    ),
    Journey(
        "lost, visited, found, promises to pay",
        ends_in="phone_collection",
        lowest_dpd=8,
        highest_dpd=30,
        many=1,
        steps=(
            *_LOST,
            refused("found", REP),
            *_REPAIRED,
            fire("start_visit", REP, **_START_VISIT),
            refused("found", REP),
            _visit(0, "found", "debtor"),
            fire("found", REP),
            promised(CALLER, pay_by=Day(5)),
            refused("mark_lost", SYSTEM),
        ),
    ),
    Journey(
        "a large case is visited",
        ends_in="home_visit",
        lowest_dpd=4,
        highest_dpd=30,
        also=lambda case: case.principal_at_opening_fen >= LARGE_FEN,
        steps=(called(1, CALLER, "third_party"), fire("start_visit", OFFICER, **_START_VISIT)),
    ),
    Journey(
        "two visits in vain, placed early",
        ends_in="outsourced",
        lowest_dpd=4,
        highest_dpd=30,
        many=1,
        steps=(
            fire("start_visit", REP, **_START_VISIT),
            _visit(0, "not_found", "nobody"),
            fire("not_found", REP),
            _agency_file("agency:A01"),
            refused("place_early", AGENCY, **_PLACEMENT),
        ),
        next_day=(
            _visit(-1, "not_found", "neighbour"),
            fire("not_found", REP),
            cleared("place_early", AGENCY, None, RISK, **_PLACEMENT),
        ),
    ),
    Journey(
        "placed at 31 days past due",
        ends_in="outsourced",
        lowest_dpd=31,
        highest_dpd=90,
        many=4,
        steps=(
            refused("place", AGENCY, **_PLACEMENT),
            _agency_file("agency:A01"),
            fire("place", AGENCY, **_PLACEMENT),
        ),
    ),
    Journey(
        "from one agency to another and back",
        ends_in="phone_collection",
        lowest_dpd=61,
        highest_dpd=180,
        many=1,
        steps=(
            _agency_file("agency:A01"),
            fire("place", AGENCY, **_PLACEMENT),
            fact("placement_ended", AGENCY, reason="poor_result"),
            _agency_file("agency:A02"),
            fire("rotate", AGENCY, agency="agency:A02", term_until=Day(90)),
            fire("recall", AGENCY, reason="branch_decision", destruction_due_on=Day(30)),
        ),
    ),
    Journey(
        "an exception from outsourcing",
        ends_in="phone_collection",
        lowest_dpd=31,
        highest_dpd=90,
        many=1,
        steps=(
            fire("grant_exception", RISK, reason="repayment_agreed", expires_on=Day(20)),
            _agency_file("agency:A01"),
            refused("place", AGENCY, **_PLACEMENT),
        ),
    ),
    Journey(
        "a disputed case is left alone",
        ends_in="phone_collection",
        lowest_dpd=1,
        highest_dpd=60,
        many=1,
        steps=(
            held("dispute", CALLER, review_by=Day(14)),
            note("客户对利息计算有异议", CALLER),
            refused("start_visit", REP, **_START_VISIT),
            lifted(RISK, reason="resolved"),
        ),
    ),
    Journey("sued", ends_in="litigation", lowest_dpd=91, also=owes, steps=_FOR_SUIT),
    Journey(
        "a suit withdrawn",
        ends_in="phone_collection",
        lowest_dpd=91,
        many=1,
        also=owes,
        steps=(
            *_FOR_SUIT,
            refused("withdraw", ASSETS, reason="agreement"),
            fact("ruling", ASSETS, outcome="withdrawal_allowed"),
            fire("withdraw", ASSETS, reason="agreement"),
        ),
    ),
    Journey("written off", ends_in="written_off", lowest_dpd=181, also=owes, steps=_WRITTEN_OFF),
    Journey(
        "a write-off booked in error",
        ends_in="phone_collection",
        lowest_dpd=181,
        many=1,
        also=owes,
        steps=(
            *_WRITTEN_OFF,
            cleared("undo_write_off", ASSETS, RISK, APPROVER, booking="voucher:2024-0613"),
        ),
    ),
    Journey(
        "the claim is sold",
        ends_in="closed",
        lowest_dpd=121,
        many=1,
        steps=(
            fact("transfer_contract", ASSETS, 3),
            refused("transfer", ASSETS),
            fact("debtor_notice", ASSETS, 1),
            cleared("transfer", ASSETS, RISK, APPROVER),
        ),
    ),
    Journey(
        "opened in error",
        ends_in="closed",
        lowest_dpd=1,
        highest_dpd=30,
        many=1,
        steps=(
            refused("cancel", RISK, reason="opened_in_error"),
            fact("opening_error", OFFICER),
            cleared("cancel", RISK, None, APPROVER, reason="opened_in_error"),
        ),
    ),
)
