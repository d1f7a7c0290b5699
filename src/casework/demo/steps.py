"""What journeys of the invented branch are told in: days, people by post, steps, and how each step is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

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


def called(ago: int, by: DemoPerson, *results: str) -> DemoStep:
    """Call the debtor so many times on a day, with these results; the cases learn of it."""
    return DemoStep("call", "contact_day", by, {"results": results}, Day(-ago))
