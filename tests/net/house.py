"""A branch of invented people and loans, and the ways in which a case comes into each state; all of it from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.net.outside import Branch, Served

DAY, NEXT, TODAY = (date(2024, 6, day) for day in (12, 13, 14))
"""The days of the feeds: cases open and are brought into their states, some settle, and all are asked about."""
LATER = (TODAY + timedelta(days=30)).isoformat()
STATES = (
    "phone_collection", "lost_contact", "home_visit", "outsourced", "litigation", "written_off", "settled", "closed",
)  # fmt: skip
PEOPLE = {
    "R1": "business_rep", "T1": "phone_collector", "P1": "post_loan_officer", "B1": "basic_risk_manager",
    "G1": "agency_post", "A1": "asset_preservation", "V1": "approver", "AUD1": "auditor", "ADM1": "administrator",
}  # fmt: skip
DAYS_PAST_DUE, EARLY = 120, 20
PRINCIPAL_FEN = 5_000_000


@dataclass(frozen=True)
class House:
    """A branch that is served, and the number of each loan's case."""

    branch: Branch
    api: Served
    cases: dict[str, int]

    def fact(self, loan: str, who: str, kind: str, on: date = DAY, **data: Any) -> None:
        """Record a fact; what nobody but the service may record comes from the shell."""
        number = self.cases[loan]
        if who == "system":
            pairs = [part for name, value in data.items() for part in ("--data", f"{name}={value}")]
            self.branch.do("case", "record", str(number), kind, "--on", on.isoformat(), "--evidence", "doc:1", *pairs)
            return
        body = {"kind": kind, "on": on.isoformat(), "evidence": "doc:1", "data": data}
        self.api.post(who, f"/cases/{number}/facts", body)

    def taken_in(self, noun: str, *rows: Mapping[str, str]) -> None:
        """Promises, holds or contacts, from a file."""
        file = self.branch.folder / f"{noun}.csv"
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        file.write_text("".join(f"{','.join(line)}\n" for line in lines), encoding="utf-8")
        assert self.branch.do(noun, "import", file, "--json").json["stored"] == len(rows)

    def fire(self, loan: str, who: str, event: str, **data: Any) -> str:
        """An event, which must happen; the state it leads to."""
        answer = self.api.post(who, f"/cases/{self.cases[loan]}/events", {"event": event, "data": data})
        return str(answer["state"])

    def asked(self, loan: str, who: str, event: str, **data: Any) -> int:
        """A request, which must be taken; its number."""
        body = {"kind": "event", "subject": f"case:{self.cases[loan]}", "what": event, "data": data}
        return int(self.api.post(who, "/requests", body)["request_id"])

    def cleared(self, loan: str, event: str, **data: Any) -> None:
        """An event under four eyes: asked for, reviewed where that is needed, approved."""
        asks, reviews, approves = FOUR_EYES[event]
        number = self.asked(loan, asks, event, **data)
        if reviews:
            self.api.post(reviews, f"/requests/{number}/review", {})
        self.api.post(approves, f"/requests/{number}/approve", {})


FOUR_EYES = {
    "place_early": ("G1", None, "B1"), "sue": ("P1", "B1", "V1"), "write_off": ("P1", "B1", "V1"),
    "undo_write_off": ("A1", "B1", "V1"), "compromise": ("A1", "B1", "V1"), "transfer": ("A1", "B1", "V1"),
    "cancel": ("P1", None, "V1"),
}  # fmt: skip
"""Who asks, who reviews and who approves."""
AGENCY = {"agency": "agency:1", "term_until": LATER}
VISIT = {"address_kind": "home", "address": "示例路1号", "visit_on": LATER}
WRITE_OFF = {"criterion": "death", "evidence": "doc:1", "principal_fen": PRINCIPAL_FEN, "interest_fen": 10}


def call(loan: str, on: date, hour: int, result: str = "no_answer") -> dict[str, str]:
    """A row of a contact file: T1 calls the debtor, whom nobody else has called at that hour."""
    return {
        "contact_ref": f"{loan}-{on}-{hour}", "staff_no": "T1", "loan_id": loan, "party": "debtor",
        "phone": "12000000001", "channel": "call", "started_at": f"{on}T{hour:02}:00:00+08:00", "result": result,
    }  # fmt: skip


def lost(house: House, loan: str, day: date = DAY) -> None:
    """Five days without an answer up to this one: the sweep for it marks the case lost."""
    house.taken_in("contact", *(call(loan, day - timedelta(days=days), at) for days in range(5) for at in (10, 15)))


def silent(house: House, loan: str, *calls: int) -> None:
    """So many calls in vain today, yesterday and so on; the case is told as the sweep tells it, which marks nothing."""
    for days, attempts in enumerate(calls):
        day = TODAY - timedelta(days=days)
        house.fact(loan, "system", "contact_day", day, attempts=attempts, connected="false")


def agency_file(house: House, loan: str) -> None:
    """An agency that is fit."""
    day = DAY.isoformat()
    house.fact(loan, "G1", "agency_file", agency="agency:1", active=True, inspected_on=day, evaluated_on=day)


def repaired(house: House, loan: str) -> None:
    """Another number of the debtor."""
    house.fact(loan, "P1", "information_repair", outcome="new_number", source="debtor", legal_basis="consent")


def for_suit(house: House, loan: str) -> None:
    """What a suit needs."""
    house.fact(loan, "P1", "disposal_form")
    house.fact(loan, "P1", "limitation_check", ends_on="2026-06-01")


def visited(house: House, loan: str) -> None:
    """On the way to the debtor."""
    house.fire(loan, "P1", "start_visit", **VISIT)


def placed(house: House, loan: str) -> None:
    """With an agency."""
    agency_file(house, loan)
    house.fire(loan, "G1", "place", **AGENCY)


def sued(house: House, loan: str) -> None:
    """Before a court."""
    for_suit(house, loan)
    house.cleared(loan, "sue", claim_fen=100)


def written_off(house: House, loan: str) -> None:
    """Off the books."""
    house.cleared(loan, "write_off", **WRITE_OFF)


def cancelled(house: House, loan: str) -> None:
    """Opened in error."""
    house.fact(loan, "P1", "opening_error")
    house.cleared(loan, "cancel", reason="opened_in_error")


_WAYS: Mapping[str, Callable[[House, str], None]] = {
    "lost_contact": lost, "home_visit": visited, "outsourced": placed, "litigation": sued, "written_off": written_off,
    "closed": cancelled,
}  # fmt: skip
"""What is done so that a case comes into the state; `settled` is what the next feed makes of a loan that left."""


def loan_row(loan: str, principal: str = "50000.00", outstanding: str | None = None) -> dict[str, str]:
    """A row of `loans`; every loan is another debtor's."""
    return {
        "loan_id": loan, "borrower_id": f"B-{loan}", "borrower_name": "甄不存", "product": "consumer",
        "channel_code": "C1", "owner_staff_no": "R1", "team": "T1", "region": "R1", "disbursed_on": "2023-01-05",
        "principal": principal, "outstanding_principal": outstanding or principal, "risk_class": "normal",
        "npl_since": "",
    }  # fmt: skip


def overdue_row(loan: str, days_past_due: int = DAYS_PAST_DUE, principal: str = "50000.00") -> dict[str, str]:
    """A row of `overdue`: so many days past due on `TODAY`."""
    return {
        "loan_id": loan, "oldest_due_date": (TODAY - timedelta(days=days_past_due)).isoformat(),
        "overdue_principal": "1000.00", "overdue_interest": "20.00", "overdue_penalty": "1.00",
        "outstanding_principal": principal,
    }  # fmt: skip


def staffed(branch: Branch) -> None:
    """Everybody of `PEOPLE`, with a token each."""
    register = branch.folder / "staff.csv"
    lines = [f"{who},员工{who},{post},T1,R1,2024-01-01" for who, post in PEOPLE.items()]
    register.write_text("\n".join(["staff_no,name,posts,team,region,joined_on", *lines]) + "\n")
    for place in (("region", "R1", "R1"), ("team", "T1", "T1", "--region", "R1")):
        branch.try_("staff", *place)
    branch.do("staff", "import", register)
    for who in PEOPLE:
        branch.tokens[who] = branch.do("staff", "token", who).out.split()[-1]


def opened(branch: Branch, loans: Mapping[str, int], principals: Mapping[str, str]) -> dict[str, int]:
    """Cases of these loans, each so many days past due, by a feed four days before `DAY`; their numbers by loan."""
    rows = [loan_row(loan, principal=principals.get(loan, "50000.00")) for loan in loans]
    arrears = [overdue_row(loan, days, principals.get(loan, "50000.00")) for loan, days in loans.items()]
    branch.feed((DAY - timedelta(days=4)).isoformat(), loans=rows, overdue=arrears)
    branch.feed(DAY.isoformat(), overdue=arrears)
    lines = branch.do("case", "list", "--all", "--json").json["items"]
    return {line["loan_id"]: line["id"] for line in lines}


def brought(house: House, states: Mapping[str, str]) -> None:
    """Bring the case of each loan into its state, as far as people and the sweep can."""
    for loan, state in states.items():
        if state in _WAYS:
            _WAYS[state](house, loan)
    house.branch.do("sweep")
