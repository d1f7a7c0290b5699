"""What came of permitted contacts, some at a time: recorded as any other, and the permits are used by them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import sqlalchemy as sa
from msgspec import Meta
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.dialler.entering import enter
from casework.intake.dialler.recording import API, New, Not, Recorded
from casework.intake.dialler.typed import NOT_DONE, Told, acting_for, texts_of_kind
from casework.intake.feed.borrowers import cell_of_contact
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.contacts.contact import NEXT_ACTIONS, Contact
from casework.work.contacts.tables import contacts
from casework.work.gate.permits import bounds_of, permits_of, settle, why_not_of

_WHOSE: Final = sa.select(*cases.c["id", "owner", "handler", "team", "region", "product"])
_TEXTS: Final = ("address", "recording", "note")


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of it: a code of the results, when it began; recording, note and address are sealed.

    Without a `recording` the contact is unrecorded, which goes to review.
    """

    result: Annotated[str, Meta(max_length=32)]
    started_at: Annotated[datetime, Meta(tz=True)]
    ended_at: Annotated[datetime, Meta(tz=True)] | None = None
    seconds: Annotated[int, Meta(ge=0, le=999_999)] | None = None
    line: Annotated[str, Meta(max_length=64)] | None = None
    template: Annotated[str, Meta(max_length=64)] | None = None
    address: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    recording: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    note: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    next_action: Annotated[str, Meta(max_length=16)] | None = None


class PermitOutcome(Outcome, frozen=True, kw_only=True):
    """The permit, and what came of it."""

    permit_id: int


def record_outcomes(
    conn: Connection, branch: Branch, reported: Sequence[tuple[int, Outcome]], actor: Actor, at: datetime, *,
    atomic: bool,
) -> list[Told]:  # fmt: skip
    """What came of permits, by their numbers, in the caller's transaction; what became of each, in order.

    Each is recorded in the debtor's log and uses its permit, and the cases are told. `atomic`: one at fault, and none
    is recorded.
    """
    permits = permits_of(conn, [permit_id for permit_id, _ in reported], actor.id)
    verdicts, used = list[Contact | Not](), set[int]()
    for permit_id, outcome in reported:
        verdict = _judged(branch, permits.get(permit_id), outcome, actor, at)
        verdicts.append(
            Not("permit_used", "permit_id") if permit_id in used and isinstance(verdict, Contact) else verdict
        )
        used |= {permit_id} if isinstance(verdict, Contact) else set()
    stopped = atomic and any(isinstance(one, Not) for one in verdicts)
    came = [] if stopped else [
        (verdict, outcome) for verdict, (_, outcome) in zip(verdicts, reported, strict=True)
        if isinstance(verdict, Contact)
    ]  # fmt: skip
    settle(conn, [contact for contact, _ in came], at)
    phones = _phones(conn, branch, permits, [contact for contact, _ in came])
    whose = _whose(conn, branch, permits, actor, at)
    new = [
        New(
            contact, _texts(outcome, phones.get(contact.permit_id)),
            branch.vault.fingerprint(contact.contact_ref.encode()), whose.get(contact.permit_id),
        )
        for contact, outcome in came
    ]  # fmt: skip
    recorded = enter(conn, branch, new, actor, at)
    done = iter(recorded)
    return [
        Told(_ref(permit_id), verdict if isinstance(verdict, Not) else next(done, NOT_DONE))
        for verdict, (permit_id, _) in zip(verdicts, reported, strict=True)
    ]


def record_outcome(
    conn: Connection, branch: Branch, permit_id: int, outcome: Outcome, actor: Actor, at: datetime
) -> Recorded:
    """One alone. CallerErrors: why it is not recorded (`permits.why_not_of`, `unknown_permit`, `unknown_result`, …)."""
    ((_, became),) = record_outcomes(conn, branch, [(permit_id, outcome)], actor, at, atomic=True)
    if isinstance(became, Not):
        facts: dict[str, Any] = {"field": became.column} if became.column else {}
        if became.kind.startswith("permit_"):
            facts |= bounds_of(permits_of(conn, [permit_id], actor.id)[permit_id])
        raise CallerError(became.kind, *texts_of_kind(became.kind), permit_id=permit_id, **facts)
    return became


def _judged(branch: Branch, permit: Any, outcome: Outcome, actor: Actor, at: datetime) -> Contact | Not:
    if permit is None:
        return Not("unknown_permit", "permit_id")
    result = branch.rulebook.results.of(outcome.result)
    if result is None:
        return Not("unknown_result", "result")
    if permit.channel not in result.on:
        return Not("result_not_of_channel", "result")
    if outcome.next_action not in (None, *NEXT_ACTIONS):
        return Not("unknown_next_action", "next_action")
    if outcome.started_at > at:
        return Not("in_the_future", "started_at")
    if outcome.ended_at is not None and outcome.ended_at < outcome.started_at:
        return Not("ended_before_started", "ended_at")
    contact = Contact(
        institution=permit.institution, source=API, contact_ref=_ref(permit.id), loan_id=permit.loan_id,
        borrower_id=permit.borrower_id, party=permit.party, channel=permit.channel, purpose=permit.purpose,
        started_at=outcome.started_at, ended_at=outcome.ended_at, result=result.code,
        outcome=result.outcome_with(permit.party), recorded_at=at, staff_no=actor.id,
        number=None if permit.number is None else bytes(permit.number), has_address=outcome.address is not None,
        recording=outcome.recording is not None, permit_id=permit.id,
        line=outcome.line, seconds=outcome.seconds, template=outcome.template, next_action=outcome.next_action,
    )  # fmt: skip
    why_not = why_not_of(permit, contact, at)
    return contact if why_not is None else Not(why_not, "started_at" if why_not == "permit_foreign" else "permit_id")


def _ref(permit_id: int) -> str:
    return f"permit-{permit_id}"


def _whose(
    conn: Connection, branch: Branch, permits: Mapping[int, Any], actor: Actor, at: datetime
) -> dict[int | None, str | None]:
    """By permit for whom the actor records, where that is not themselves."""
    if not actor.principals:
        return {}
    case_ids = sorted({permit.case_id for permit in permits.values()})
    found = {case.id: case for case in rows.select_by_keys(conn, _WHOSE, "id", case_ids)}
    today = branch.today(at)
    return {
        number: acting_for(branch, actor, today, [found[permit.case_id]] if permit.case_id in found else [])
        for number, permit in permits.items()
    }


def _texts(outcome: Outcome, phone: str | None) -> dict[str, str]:
    texts = {name: text for name in _TEXTS if (text := getattr(outcome, name))}
    return texts if phone is None else texts | {"phone": phone}


def _phones(
    conn: Connection, branch: Branch, permits: Mapping[int, Any], contacts_: Sequence[Contact]
) -> dict[int | None, str]:
    """By permit the number of a contact on record, to be sealed with the entry; none where the caller gave it."""
    of = {one.permit_id: permits[one.permit_id or 0].contact_id for one in contacts_}
    wanted = sorted({contact_id for contact_id in of.values() if contact_id is not None})
    found = {row.id: row for row in rows.select_by_keys(conn, contacts, "id", wanted)}
    return {
        permit_id: branch.vault.open(cell_of_contact(row, "phone"), bytes(row.phone_sealed))
        for permit_id, contact_id in of.items()
        if (row := found.get(contact_id)) is not None and row.phone_sealed is not None
    }
