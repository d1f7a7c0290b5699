"""Every state × every event of the chart of cases, over the API: what is answered, and what once everything is there.

What only the service itself may do, nobody may do over the API; it is fired at the shell, which acts as the service.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from tests.net import house as ways
from tests.net.house import (
    AGENCY,
    DAYS_PAST_DUE,
    EARLY,
    FOUR_EYES,
    LATER,
    NEXT,
    PRINCIPAL_FEN,
    STATES,
    TODAY,
    House,
)

_NEXT = NEXT.isoformat()
Prepared = Callable[[House, str], None]


class Fired(NamedTuple):
    """By whom an event is fired, and with which data."""

    who: str
    data: Mapping[str, Any] = {}


EVENTS: Mapping[str, Fired] = {
    "mark_lost": Fired("system"), "start_visit": Fired("P1", ways.VISIT), "reached": Fired("P1"),
    "lead_found": Fired("P1"), "found": Fired("P1"), "not_found": Fired("P1"),
    "abandon_visit": Fired("P1", {"reason": "unsafe"}), "place_early": Fired("G1", AGENCY),
    "place": Fired("G1", AGENCY), "grant_exception": Fired("B1", {"reason": "dispute", "expires_on": LATER}),
    "recall": Fired("G1", {"reason": "hold", "destruction_due_on": LATER}), "rotate": Fired("G1", AGENCY),
    "sue": Fired("P1", {"claim_fen": 100}), "withdraw": Fired("A1", {"reason": "agreement"}),
    "end_unrecovered": Fired("A1", {"reason": "no_assets"}), "write_off": Fired("P1", ways.WRITE_OFF),
    "recover": Fired("system", {"payment": "p:1", "amount_fen": PRINCIPAL_FEN + 10}),
    "recovery_reversed": Fired("system", {"payment": "p:1", "reversal": "r:1", "amount_fen": PRINCIPAL_FEN + 10}),
    "undo_write_off": Fired("A1", {"booking": "b:1"}), "arrears_cleared": Fired("system", {"previous_as_of": _NEXT}),
    "paid_in_full": Fired("system", {"previous_as_of": _NEXT}), "compromise": Fired("A1"),
    "reverse_payment": Fired("system", {"reversal": "r:1"}),
    "settlement_corrected": Fired("system", {"as_of": _NEXT}), "archive": Fired("system"), "transfer": Fired("A1"),
    "cancel": Fired("P1", {"reason": "opened_in_error"}), "opening_corrected": Fired("system", {"run": "run:1"}),
}  # fmt: skip


def _fact(who: str, kind: str, **data: Any) -> Prepared:
    return lambda house, loan: house.fact(loan, who, kind, **data)


def _visit(outcome: str, on: date = TODAY) -> Prepared:
    met = "debtor" if outcome == "found" else "nobody"

    def prepare(house: House, loan: str) -> None:
        photo = f"sha256:{house.cases[loan] * 100 + on.day:064x}"  # another one for each visit
        house.fact(loan, "system", "visit", on, outcome=outcome, photo=photo, person_met=met, address_kind="home")

    return prepare


def _in_vain(house: House, loan: str) -> None:
    ways.agency_file(house, loan)
    for on in (NEXT, TODAY):
        _visit("not_found", on)(house, loan)
        house.fire(loan, "P1", "not_found")


def _all(*steps: Prepared) -> Prepared:
    def prepare(house: House, loan: str) -> None:
        for step in steps:
            step(house, loan)

    return prepare


def _recovered(house: House, loan: str) -> None:
    _by_the_service(house, loan, "recover")


_PREPARED: Mapping[str, Prepared] = {
    "mark_lost": lambda house, loan: ways.silent(house, loan, 2, 2, 2, 2, 2),
    "reached": _visit("found"),
    "lead_found": ways.repaired, "found": _visit("found"), "not_found": _visit("not_found"), "place_early": _in_vain,
    "place": _all(ways.agency_file, ways.repaired),
    "rotate": _all(ways.agency_file, _fact("G1", "placement_ended", reason="term_over")), "sue": ways.for_suit,
    "withdraw": _fact("A1", "ruling", outcome="withdrawal_allowed"),
    "end_unrecovered": _fact("A1", "ruling", outcome="enforcement_ended"),
    "recovery_reversed": _recovered,
    "compromise": _all(
        _fact("A1", "agreement", agreed_fen=100), _fact("system", "payment", payment="p:1", amount_fen=100)
    ),
    "transfer": _all(
        _fact("A1", "transfer_contract"), _fact("A1", "debtor_notice"), _fact("G1", "placement_ended", reason="hold")
    ),
    "cancel": _fact("P1", "opening_error"),
    "reverse_payment": _fact("system", "reversal", payment="p:1", paid_on=_NEXT, amount_fen=100),
}  # fmt: skip
"""What makes the guards of an event hold, so far as facts can."""


_EACH = 14
"""How many cases stand in each state: one for all that is refused there, one for each event that happens."""

_EARLY = "1.home_visit-early"
"""A case that is not yet due for placement, in the state from which it can be placed early."""


def loans() -> dict[str, int]:
    """The loans, each so many days past due."""
    return {loan: EARLY if loan == _EARLY else DAYS_PAST_DUE for loan in states()}


def states() -> dict[str, str]:
    """The state into which the case of each loan is brought."""
    each = {f"1.{state}-{number}": state for state in STATES for number in range(1, _EACH + 1)}
    return {**each, _EARLY: "home_visit"}


@dataclass
class Standing:
    """Cases that stand in one state, untouched but for refusals."""

    house: House
    state: str
    fresh: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fresh += [loan for loan, state in states().items() if state == self.state and loan != _EARLY]

    def told(self, event: str) -> str:
        """What is answered to the event, what once everything is there, how the case then stands and whose it is."""
        early = (self.state, event) == ("home_visit", "place_early")
        loan = _EARLY if early else self.fresh[0]
        answers = [_fired(self.house, loan, event)]
        if event in FOUR_EYES:
            answers.append(f"asked: {_asked(self.house, loan, event)}")
        if "→" not in answers[-1] and "wrong_state" not in answers[0] and event in _PREPARED:
            loan = _EARLY if early else self.fresh.pop()
            _PREPARED[event](self.house, loan)
            again = _asked if event in FOUR_EYES else _fired
            answers.append(f"then {again(self.house, loan, event)}")
        elif "→" in answers[-1]:
            self.fresh.remove(loan)
        case = self.house.api.get("B1", f"/cases/{self.house.cases[loan]}")
        return f"{' | '.join(answers)}; {case['state']} {case['owner']} {case['handler']}"


def told(house: House) -> Iterator[str]:
    """A line for each state and event."""
    yield f"{'state':<16} {'event':<20} {'by':<6} answer | the answer once everything is there; state, owner, handler"
    for state in STATES:
        standing = Standing(house, state)
        yield ""
        for event, fired in EVENTS.items():
            yield f"{state:<16} {event:<20} {fired.who:<6} {standing.told(event)}"


def _fired(house: House, loan: str, event: str) -> str:
    who, data = EVENTS[event]
    if who == "system":
        return _by_the_service(house, loan, event)
    answer = house.api.ask(who, "POST", f"/cases/{house.cases[loan]}/events", {"event": event, "data": data})
    return _told(answer.status_code, answer.json())


def _by_the_service(house: House, loan: str, event: str) -> str:
    """The event at the shell, as the service."""
    data, number = json.dumps(dict(EVENTS[event].data)), str(house.cases[loan])
    said = house.branch.try_("case", "advance", number, event, "--data-json", data, "--json")
    return _told(200 if said.code == 0 else 409, {"code": said.json["outcome"], **said.json})


def _asked(house: House, loan: str, event: str) -> str:
    """Asked for, reviewed and approved, as far as it comes."""
    asks, reviews, approves = FOUR_EYES[event]
    body = {"kind": "event", "subject": f"case:{house.cases[loan]}", "what": event, "data": EVENTS[event].data}
    answer = house.api.ask(asks, "POST", "/requests", body)
    for who, step in ((reviews, "review"), (approves, "approve")):
        if answer.status_code not in (200, 201):
            return _told(answer.status_code, answer.json())
        if who is not None:
            number = answer.json()["request_id"]
            answer = house.api.ask(who, "POST", f"/requests/{number}/{step}", {})
    state = house.api.get("B1", f"/cases/{house.cases[loan]}")["state"]
    return _told(answer.status_code, {**answer.json(), "state": state})


def _told(status: int, body: Mapping[str, Any]) -> str:
    if status == 200:
        return f"200 → {body['state']}"
    codes = " ".join(reason["code"] for reason in body.get("reasons", []))
    return f"{status} {body['code']}: {codes}" if codes else f"{status} {body['code']}"
