"""The lines of the ledger as values and codes, as they are handed in: no name in them, labels come when they are shown.

Pure: made from a `Day`, put together from what people handed in.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from casework.evidence.ledger.gathering import Day, Visit
from casework.evidence.ledger.line import ContactLine, DutyLine, LedgerLine
from casework.work.cases.case import Case
from casework.work.contacts.contact import Contact
from casework.work.duties.judge import DONE, EXEMPT, LATE, OPEN
from casework.work.duties.listing import Listed

_DIALS: Final = frozenset({"dial", "dial_by_dpd"})
_DIAL_CONTACTS: Final = "dial_contacts"
ANSWERED: Final = frozenset({"debtor", "third_party"})
"""Outcomes of a call that somebody answered."""


class Part(msgspec.Struct, frozen=True):
    """What one person has to hand in, or has handed in; or of several, put together."""

    cases: list[LedgerLine]
    duties: list[DutyLine]
    contacts: list[ContactLine]


def part_of(day: Day, until: datetime, attempts: int) -> Part:
    """All that is in a day, in the order of its cases. `until`: the hour of handing in; `attempts`: calls a day."""
    cases = lines_of(day, attempts)
    duties = [
        DutyLine(
            case_id=line.case_id, institution=line.institution, borrower_id=line.borrower_id, loan_id=line.loan_id,
            duty=one.duty, status=one.status, exempt_by=one.exempt_by, due_on=one.due_on, owed_by=one.owed_by,
        )
        for line in cases for one in day.duties.get(line.case_id, ())
    ]  # fmt: skip
    each = sorted((one for of_them in day.contacts.values() for one in of_them), key=lambda one: one.started_at)
    return Part(cases, duties, [_contact(day, one, until) for one in each])


def lines_of(day: Day, attempts: int) -> list[LedgerLine]:
    """Of each case, in their order."""
    cases = [_case(day, one, attempts) for one in day.cases] + [_as_kept(day, one) for one in day.kept]
    return sorted(cases, key=lambda one: one.case_id)


def put_together(parts: Iterable[tuple[str, Part]]) -> Part:
    """The parts of several people as one: a case that stands in more than one is listed by whoever works on it."""
    cases: dict[int, tuple[str, LedgerLine]] = {}
    duties: dict[tuple[int, str], DutyLine] = {}
    contacts: dict[tuple[str, str], ContactLine] = {}
    for who, part in parts:
        for one in part.cases:
            teller, _ = cases.get(one.case_id, (who, one))
            if who in (one.handler, teller):
                cases[one.case_id] = who, one
        duties |= {(one.case_id, one.duty): one for one in part.duties}
        contacts |= {(one.source, one.contact_ref): one for one in part.contacts}
    return Part(
        sorted((one for _, one in cases.values()), key=lambda one: (one.loan_id, one.case_id)),
        sorted(duties.values(), key=lambda one: (one.loan_id, one.case_id)),
        sorted(contacts.values(), key=lambda one: (one.at, one.contact_ref)),
    )


def figures_of(duties: Iterable[DutyLine | Listed], contacts: int) -> dict[str, int]:
    """How many duties, what became of them, and how many contacts."""
    told = Counter(one.status for one in duties)
    return {
        "due": told.total(), **{status: told[status] for status in (DONE, LATE, EXEMPT, OPEN)}, "contacts": contacts
    }  # fmt: skip


def by_person(whole: Part, without: Collection[str] = ()) -> dict[str, Part]:
    """What is each one's of it: what they owe, the cases of that, and their contacts; `without`: of all but these.

    A case that stands there for its disposal form is its owner's too.

    A contact that nobody on the staff made (a robot's, an agency's) is of whoever works on the case.
    """
    duties, contacts, of_case, of_debtor = defaultdict(list), defaultdict(list), defaultdict(set), defaultdict(set)
    for duty in whole.duties:
        duties[duty.owed_by].append(duty)
        of_case[duty.case_id].add(duty.owed_by)
    handlers = defaultdict(set)
    for line in whole.cases:
        handlers[line.loan_id].add(line.handler)
    for contact in whole.contacts:
        for who in handlers.get(contact.loan_id, ()) if contact.staff_no is None else (contact.staff_no,):
            contacts[who].append(contact)
            of_debtor[contact.institution, contact.borrower_id].add(who)
    people = {who for who in duties.keys() | contacts.keys() if duties.get(who) or contacts.get(who)}
    for line in whole.cases:
        if line.in_papers:
            of_case[line.case_id].add(line.owner)
            people.add(line.owner)
    people -= set(without)
    parts = {who: Part([], duties.get(who, []), contacts.get(who, [])) for who in people}
    for line in whole.cases:
        for who in of_case.get(line.case_id, set()) | of_debtor.get((line.institution, line.borrower_id), set()):
            if who in parts:
                parts[who].cases.append(line)
    return parts


def _case(day: Day, case: Case, attempts: int) -> LedgerLine:
    contacts, owed = day.contacts.get(case.customer, ()), day.duties.get(case.id, ())
    facts, promised, holds = case.facts, day.promised.get(case.id), day.held.get(case.customer, ())
    visited, made = _visits(day, case), day.made.get(case.id, ())
    return LedgerLine(
        case_id=case.id, institution=case.institution, borrower_id=case.borrower_id, loan_id=case.loan_id,
        owner=case.owner, handler=case.handler, product=case.product, channel=case.channel_code,
        dpd=case.days_past_due_on(day.on), bucket=case.bucket,
        overdue_fen=case.overdue_fen, outstanding_fen=case.outstanding_principal_fen,
        due=_calls_due(owed, attempts), pay_by=promised.pay_by if promised else None,
        promised_fen=promised.amount_fen if promised else None,
        lost_on=case.state_since if case.state in day.lost else None,
        repaired_on=facts.repaired_on, repair=day.repairs.get(case.id),
        repair_over=facts.repair_good_until is not None and facts.repair_good_until < day.on,
        visits=max(len(visited), len(made), len(facts.visit_photos)), visit=_last_visit(case, [*visited, *made]),
        photos=max(len(facts.visit_photos), sum(one.photos for one in made)),
        paid_fen=day.paid_fen.get(case.loan_id), holds=tuple(sorted({one.hold for one in holds})) if holds else (),
        review_by=min((one.review_by for one in holds if one.review_by), default=None) if holds else None,
        disposal_on=facts.disposal_form_on, disposal=facts.disposal_form, in_papers=case.id in day.papers,
        wish=next((one.wish for one in holds if one.wish), None) if holds else None,
        agreed_fen=facts.agreed_fen, agreed_on=facts.agreed_on,
        exempt=tuple(sorted({one.exempt_by for one in owed if one.exempt_by is not None})),
        follow_up=day.to_call.get(case.id), strategy=day.strategies.get(case.id),
        **_of_contacts(day, case.handler, contacts),
    )  # fmt: skip


def _calls_due(owed: Iterable[Listed], attempts: int) -> int:
    """As many as make enough dialling, and one to contact persons; none that something exempts from."""
    due = {one.duty for one in owed if one.exempt_by is None}
    return attempts * bool(due & _DIALS) + (_DIAL_CONTACTS in due)


def _visits(day: Day, case: Case) -> list[Visit]:
    return [one for one in day.visits.get(case.customer, ()) if one.on >= case.opened_on]


def _last_visit(case: Case, visited: Sequence[Visit]) -> str | None:
    """What came of the last visit: by the contact, or by the report."""
    facts = case.facts
    if not (visited or facts.found_on or facts.failed_visits or facts.last_failed_visit):
        return None
    failed = [one.on for one in (*facts.failed_visits, facts.last_failed_visit) if one is not None]
    known = [(facts.found_on, "found")] if facts.found_on else []
    known += [(on, "not_found") for on in failed]
    known += [(one.on, one.result) for one in visited if one.result is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def _contact(day: Day, one: Contact, until: datetime) -> ContactLine:
    return ContactLine(
        source=one.source, contact_ref=one.contact_ref, institution=one.institution, borrower_id=one.borrower_id,
        loan_id=one.loan_id, at=one.started_at, party=one.party, channel=one.channel, result=one.result,
        staff_no=one.staff_no, agency=one.agency, is_recorded=one.recording, next_action=one.next_action,
        rules=tuple(day.breaches.get((one.source, one.contact_ref), ())),
        entered_late=one.started_at < until < one.recorded_at,
    )  # fmt: skip


def _as_kept(day: Day, kept: LedgerLine) -> LedgerLine:
    """The case as it stood; what is of contacts as it is known now, late rows and all."""
    told = _of_contacts(day, kept.handler, day.contacts.get(kept.customer, ()))
    return msgspec.structs.replace(kept, **told)


_UNTRIED: Final[Mapping[str, Any]] = {
    "dialled": 0, "connected": 0, "debtor_connected": 0, "result": None, "next_action": None, "unrecorded": 0,
    "breaches": 0,
}  # fmt: skip


def _of_contacts(day: Day, handler: str, contacts: Sequence[Contact]) -> dict[str, Any]:
    if not contacts:  # most of a branch's cases: their lines are made at every close
        return {"collector": handler, **_UNTRIED}
    calls, last = [one for one in contacts if one.is_call], contacts[-1]
    return {
        "collector": last.staff_no or handler, "dialled": len(calls),
        "connected": sum(one.outcome in ANSWERED for one in calls),
        "debtor_connected": sum(one.connected for one in contacts), "result": last.result,
        "next_action": next((one.next_action for one in reversed(contacts) if one.next_action), None),
        "unrecorded": sum(one.is_call and not one.recording for one in contacts),
        "breaches": sum((one.source, one.contact_ref) in day.breaches for one in contacts),
    }  # fmt: skip


def unrepaired(part: Part) -> Iterator[LedgerLine]:
    """Customers who could not be repaired, a line for each of their cases."""
    return (one for one in part.cases if one.is_unrepaired)


_encode: Any = msgspec.json.Encoder(order="deterministic").encode
decode_part = msgspec.json.Decoder(Part).decode


def encode_part(part: Part) -> bytes:
    """The one encoding of it: canonical, defaults left out."""
    encoded: bytes = _encode(part)
    return encoded
