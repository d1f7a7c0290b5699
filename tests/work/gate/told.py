"""Contacts of one invented debtor in a line each, for the tests of the gate."""

from datetime import date, datetime, timedelta
from typing import Any

from casework.customer import Customer
from casework.rules.statechart.policy import load_policies
from casework.settings import shipped
from casework.work.contacts.contact import Contact
from casework.work.contacts.results import load_results
from casework.work.gate.breaches import breaches
from casework.work.gate.limits import Limits, limits_of
from casework.work.gate.standing import Arrears, OnRecord, Span, Standing

WHO = Customer("one", "B1")
LIMITS = limits_of(load_policies(shipped("statecharts")).all[0])
RESULTS = load_results(shipped("statecharts"))
ZONE = LIMITS.zone
MON = date(2024, 4, 1)
OWN, SECOND, FRIEND, STRANGER = b"own", b"second", b"friend", b"stranger"


def at(text: str) -> datetime:
    """`3 18:00` is the third day at that time in branch time, `3` its 00:00; the first is a Monday."""
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"{MON + timedelta(days=int(day) - 1)}T{time or '00:00'}").replace(tzinfo=ZONE)


def contact(ref: str, when: str, result: str = "no_answer", **other: Any) -> Contact:
    """A call to the debtor on the own number, unless more is said."""
    fields: dict[str, Any] = {
        "institution": WHO.institution, "source": "file", "loan_id": "L1", "borrower_id": WHO.borrower_id,
        "party": "debtor", "channel": "call", "number": OWN, "recorded_at": at(when),
    }  # fmt: skip
    fields |= other
    outcome = RESULTS.by_code[result].outcome_with(fields["party"])
    return Contact(contact_ref=ref, started_at=at(when), result=result, outcome=outcome, **fields)


def standing(*holds: Span, dpd: int = 10, **other: Any) -> Standing:
    """One number of the debtor and one of a friend, in arrears by `dpd` days in a snapshot of each day."""
    days = [MON + timedelta(days=number) for number in range(-1, 20)]
    on_record = (OnRecord("debtor", OWN, at("0")), OnRecord("contact", FRIEND, at("0")))
    fields: dict[str, Any] = {
        "on_record": on_record, "holds": holds, "arrears": Arrears(days, dict.fromkeys(days, dpd)),
    }  # fmt: skip
    return Standing(**(fields | other))


def broken(contacts: list[Contact], standings: Standing | None = None, limits: Limits = LIMITS) -> dict[str, str]:
    """The rules that each contact in breach broke, in one text."""
    said = {code: one.number for code, one in RESULTS.by_code.items()}.get
    found = breaches(contacts, {WHO: standings or standing()}, lambda _: limits, said)
    return {one.contact.contact_ref: " ".join(one.rules) for one in found}
