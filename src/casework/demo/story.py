"""What happens to cases of the invented branch besides the feed: journeys through every state of the chart.

A journey is a list of steps, each with the post that takes it and whether the rulebook allows it. It happens in the
evening of one business day, some of it in the morning after, before the next close is told; facts may be dated before.
"""

import hashlib
from typing import Any, Final

from casework.demo.branch import AGREED_FEN, AGREED_LOAN
from casework.demo.steps import (
    AGENCY,
    APPROVER,
    ASSETS,
    CALLER,
    OFFICER,
    REP,
    RISK,
    SYSTEM,
    Day,
    DemoStep,
    Journey,
    accepted,
    address_found,
    called,
    cleared,
    drawn_up,
    fact,
    fire,
    held,
    lifted,
    note,
    nothing_found,
    promised,
    refused,
    repairing,
)
from casework.work.cases.case import Case

LARGE_FEN: Final = 5_000_000


def _photo(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


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
