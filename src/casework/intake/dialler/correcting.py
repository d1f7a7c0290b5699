"""Wrong outcomes put right: an entry of its own in the debtor's stream, which counts from now on wherever it counts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.intake.dialler.checked import ask_for_checks
from casework.intake.dialler.learning import learn_at_once
from casework.intake.dialler.recording import CORRECTED, REPEATED, Not, Recorded
from casework.intake.dialler.typed import NOT_DONE, Sight, Told
from casework.log.write.trail import Draft, locked_heads, put_heads
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import OF_VISITS, Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of

_BY: Final = ("contact_ref", "source")
_CHANGED: Final = ("party", "result", "outcome", "stream_seq")


class Correction(NamedTuple):
    """Which contact, and the result (code or Chinese) that is right; no source: the only one with that reference."""

    contact_ref: str
    result: str
    source: str | None = None
    reason: str | None = None


def correct_contacts(
    conn: Connection, branch: Branch, asked: Sequence[Correction], actor: Actor, at: datetime, *, atomic: bool
) -> list[Told]:
    """Put right what may be, in the caller's transaction, and tell the cases; what became of each, in order.

    People put right their own contacts; whoever reaches every case, all. What a visit's report says is put right in
    the report (`put_right`), or the two would differ. `atomic`: one at fault, and none is put right. The reason is
    sealed.
    """
    known = _found(conn, [one.contact_ref for one in asked])
    streams = {of.customer: stream_of(branch.vault, of.customer) for named in known.values() for of in named}
    heads = locked_heads(conn, streams.values())
    known = _found(conn, list(known))  # as they are now that nobody else writes there
    sight = Sight(conn, branch, {of.loan_id for named in known.values() for of in named}, actor, at)
    trail, now = branch.trail(at), {_key(of): of for named in known.values() for of in named}
    told, changed = list[Recorded | Not](), dict[tuple[str, str], tuple[str, str, str, int]]()
    chosen = [_chosen(known.get(one.contact_ref, ()), one.source) for one in asked]
    faults = [_fault(branch, one, of, sight) for one, of in zip(asked, chosen, strict=True)]
    for one, of, fault in zip(asked, chosen, faults, strict=True):
        if isinstance(of, Not) or fault is not None or (atomic and any(faults)):
            told.append(fault or NOT_DONE)
            continue
        before = now[_key(of)]
        after = _after(branch, before, one.result)
        if after == before:
            told.append(REPEATED)
            continue
        stream = streams[of.customer]
        draft = Draft(
            CORRECTED, actor.signed, _said(before, after), texts={"remark": one.reason} if one.reason else {},
            subject=stream,
        )  # fmt: skip
        heads[stream] = trail.add(stream, heads[stream], draft)
        now[_key(of)], changed[_key(of)] = after, (after.party, after.result, after.outcome, heads[stream].seq)
        told.append(Recorded(after, f"{stream}:{heads[stream].seq}"))
    trail.write(conn)
    rows.update_many(conn, contact_log, _BY, [(*key, *values) for key, values in changed.items()], _CHANGED)
    put_heads(conn, heads)
    learn_at_once(conn, branch, [now[key] for key in changed], via=actor.via, clock=lambda: at)
    ask_for_checks(conn, branch, [one for one in told if isinstance(one, Recorded)], via=actor.via, at=at)
    return [Told(one.contact_ref, became) for one, became in zip(asked, told, strict=True)]


def put_right(conn: Connection, branch: Branch, after: Contact, actor: Actor, at: datetime) -> None:
    """Of a contact that is known, who was met and what came of it; the caller has seen to it that they may.

    As any correction, in the caller's transaction; nothing where it says so already.
    """
    stream = stream_of(branch.vault, after.customer)
    heads = locked_heads(conn, [stream])
    before = next(one for one in _found(conn, [after.contact_ref])[after.contact_ref] if _key(one) == _key(after))
    if (before.party, before.result, before.outcome) == (after.party, after.result, after.outcome):
        return
    trail = branch.trail(at)
    draft = Draft(CORRECTED, actor.signed, _said(before, after), subject=stream)
    heads[stream] = trail.add(stream, heads[stream], draft)
    trail.write(conn)
    changed = (*_key(after), after.party, after.result, after.outcome, heads[stream].seq)
    rows.update_many(conn, contact_log, _BY, [changed], _CHANGED)
    put_heads(conn, heads)
    learn_at_once(conn, branch, [after], via=actor.via, clock=lambda: at)


def _found(conn: Connection, contact_refs: Sequence[str]) -> Mapping[str, list[Contact]]:
    found: dict[str, list[Contact]] = {}
    for row in rows.select_by_keys(conn, CONTACTS, "contact_ref", sorted(set(contact_refs))):
        found.setdefault(row.contact_ref, []).append(contact_of(row))
    return found


def _chosen(named: Sequence[Contact], source: str | None) -> Contact | Not:
    meant = [one for one in named if source in (None, one.source)]
    if not meant:
        return Not("unknown_contact_ref", "contact_ref")
    return meant[0] if len(meant) == 1 else Not("source_needed", "source")


def _fault(branch: Branch, one: Correction, of: Contact | Not, sight: Sight) -> Not | None:
    """Of a contact that they do not see it is said that there is none."""
    if isinstance(of, Not):
        return of
    if (fault := sight.fault_of(of)) is not None:
        return Not("unknown_contact_ref", "contact_ref") if fault.kind == "unknown_loan" else fault
    if of.source == OF_VISITS:
        return Not("contact_of_a_visit", "contact_ref")
    result = branch.rulebook.results.of(one.result)
    if result is None:
        return Not("unknown_result", "result")
    return None if of.channel in result.on else Not("result_not_of_channel", "result")


def _after(branch: Branch, before: Contact, words: str) -> Contact:
    result = branch.rulebook.results.of(words)
    assert result is not None  # noqa: S101  (`_fault` has asked)
    return msgspec.structs.replace(before, result=result.code, outcome=result.outcome_with(before.party))


def _said(before: Contact, after: Contact) -> dict[str, str]:
    named = {"contact_ref": after.contact_ref, "source": after.source}
    party = {} if after.party == before.party else {"party": after.party, "party_was": before.party}
    return named | {"result": after.result, "outcome": after.outcome, "was": before.result} | party


def _key(of: Contact) -> tuple[str, str]:
    return of.contact_ref, of.source
