"""From what a caller asks for to a wish that the gate can judge: whose case, which number, what for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.codes import texts_of
from casework.customer import Customer
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.phone import written_phone
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen
from casework.work.contacts.contact import CALLS, CHANNELS, LOCATED, PARTIES, PURPOSES
from casework.work.contacts.tables import contacts
from casework.work.gate.gather import Asking
from casework.work.gate.judge import Wish
from casework.work.gate.permits import Permit, ask

COMMAND: Final = "contact.permit"
OUTBOUND: Final = tuple(one for one in CHANNELS if one != "inbound")
_BY_NUMBER: Final = CALLS | {"message"}
_CASES: Final = sa.select(
    cases.c.id, cases.c.institution, cases.c.borrower_id, cases.c.loan_id, cases.c.product, cases.c.state,
    cases.c.owner, cases.c.handler, cases.c.team, cases.c.region,
)  # fmt: skip
_CONTACTS: Final = sa.select(
    contacts.c.id, contacts.c.institution, contacts.c.borrower_id, contacts.c.role, contacts.c.phone_index,
    contacts.c.ended_at, contacts.c.refused_at,
)  # fmt: skip


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for: a known way to reach somebody (`contact_id`), or a number that nobody has on record yet."""

    case_id: int
    party: str
    channel: str
    purpose: str | None = None
    contact_id: int | None = None
    phone: str | None = None


def askings_of(
    conn: Connection, branch: Branch, wanted: Sequence[tuple[Actor, Wanted]], now: datetime
) -> list[Asking | CallerError]:
    """A wish each, at this moment; or what is wrong with it, for the caller to raise.

    `unknown_case`, `out_of_reach`, `unknown_contact` (another debtor's too), `contact_ended`, `party_differs`,
    `number_needed`, `contact_or_phone`, `malformed_phone`, `unknown_party`, `unknown_channel`, `unknown_purpose`,
    `purpose_not_for_contact`.
    """
    case_ids = sorted({one.case_id for _, one in wanted})
    named = sorted({one.contact_id for _, one in wanted if one.contact_id is not None})
    with rows.together(conn):
        its_case, its_way = (
            rows.ask_by_keys(conn, asked, "id", ids) for asked, ids in ((_CASES, case_ids), (_CONTACTS, named))
        )
    of_case, ways = {row.id: row for row in its_case()}, {row.id: row for row in its_way()}
    found: list[Asking | CallerError] = []
    for actor, one in wanted:
        try:
            found.append(_asking(branch, actor, one, of_case.get(one.case_id), ways, now))
        except CallerError as mistake:
            found.append(mistake)
    return found


def decide(conn: Connection, branch: Branch, actor: Actor, wanted: Wanted, now: datetime) -> Permit:
    """One alone, decided and reserved; the caller commits at once. CallerErrors of `askings_of`."""
    (asking,) = askings_of(conn, branch, [(actor, wanted)], now)
    if isinstance(asking, CallerError):
        raise asking
    (permit,) = ask(conn, branch, [asking], now)
    return permit


def _asking(branch: Branch, actor: Actor, one: Wanted, case: Any, ways: dict[int, Any], now: datetime) -> Asking:
    permissions, policy = branch.rulebook.permissions, branch.rulebook.policies.at(branch.today(now))
    if case is None or not permissions.may_see(actor, case, policy):
        raise unseen("unknown_case", case_id=one.case_id)
    if not permissions.may_see(actor, case, policy, COMMAND):
        raise CallerError(
            "out_of_reach", "该案件不在您的管辖范围内",
            "this case is not yours, nor of the team, region or product you work for", case_id=case.id,
        )  # fmt: skip
    customer = Customer(case.institution, case.borrower_id)
    purpose = one.purpose or ("locate" if one.party in LOCATED else "demand")
    _check(one, purpose)
    number = _number(branch, one, customer, ways)
    if number is None and one.channel in _BY_NUMBER:
        raise CallerError(
            "number_needed",
            "须提供 contact_id 或 phone",
            "name a number: a contact_id that has one, or a phone",
            field="contact_id",
        )
    posts = actor.posts.union(*(principal.posts for principal in actor.principals))
    way = ways.get(one.contact_id or 0)
    refused = way is not None and way.refused_at is not None
    wish = Wish(case.loan_id, one.party, one.channel, purpose, number, now, refused)
    return Asking(wish, customer, posts, case.state, case.product, case.id, actor.id, one.contact_id)


def _check(wanted: Wanted, purpose: str) -> None:
    for what, said, known in (
        ("party", wanted.party, PARTIES), ("channel", wanted.channel, OUTBOUND), ("purpose", purpose, PURPOSES),
    ):  # fmt: skip
        if said not in known:
            raise CallerError(f"unknown_{what}", *texts_of(f"unknown_{what}"), known=list(known), field=what)
    if wanted.party == "contact" and purpose != "locate":
        raise CallerError(
            "purpose_not_for_contact", "对联系人只能以了解本人行踪为目的",
            "a contact person is asked for the debtor's whereabouts and nothing else (X5)",
            field="purpose", purpose=purpose,
        )  # fmt: skip


def _number(
    branch: Branch, wanted: Wanted, customer: Customer, ways: dict[int, sa.Row[*tuple[object, ...]]]
) -> bytes | None:
    if (wanted.contact_id is None) == (wanted.phone is None):
        if wanted.contact_id is None and wanted.channel not in _BY_NUMBER:
            return None
        raise CallerError(
            "contact_or_phone",
            "须提供 contact_id 或 phone 之一",
            "give either a contact_id or a phone",
            field="contact_id",
        )
    if wanted.phone is not None:
        written = written_phone(wanted.phone)
        if written is None:
            raise CallerError("malformed_phone", *texts_of("malformed_phone"), field="phone")
        return branch.vault.blind("phone", written)
    way = ways.get(wanted.contact_id or 0)
    if way is None or Customer(way.institution, way.borrower_id) != customer:
        raise CallerError(
            "unknown_contact",
            "该借款人没有这个联系人",
            "this borrower has no such contact",
            field="contact_id",
            contact_id=wanted.contact_id,
        )
    if way.ended_at is not None:
        raise CallerError("contact_ended", *texts_of("contact_ended"), field="contact_id", contact_id=wanted.contact_id)
    if way.role != wanted.party:
        raise CallerError(
            "party_differs", "该联系方式登记的身份与所选不同", "this contact is on record as somebody else's",
            field="party", contact_id=wanted.contact_id, role=way.role,
        )  # fmt: skip
    return None if way.phone_index is None else bytes(way.phone_index)
