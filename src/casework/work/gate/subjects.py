"""The contacts that go to review, each with all its reasons: rules of the gate that it broke, and what it lacks.

A review is of these very reasons. Breaches are found by judging; what a contact lacks says the contact itself
(`contacts.registered`), so the database finds those without.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.cases.branch import Branch
from casework.work.contacts.contact import RECORDED, WRITTEN, Contact
from casework.work.contacts.registered import Registered, on_every_list, registered_on
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.breaches import Breach
from casework.work.gate.found import PastArrears, found, judged

_log: Final = contact_log.c
_UNRECORDED: Final = sa.and_(_log.channel.in_(sorted(RECORDED)), _log.recording == sa.false())
_NO_TEMPLATE: Final = sa.and_(_log.channel.in_(sorted(WRITTEN)), _log.template.is_(None))


class Subject(NamedTuple):
    """One contact; `rules` of the gate, sorted, and what else it goes to review for."""

    contact: Contact
    rules: tuple[str, ...]
    lacks: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """All of them; none: there is nothing to review."""
        return self.rules + self.lacks


class Subjects(NamedTuple):
    """Those of some days; `more`: there are others."""

    items: list[Subject]
    more: bool


def lacking(branch: Branch) -> Callable[[Any], tuple[str, ...]]:
    """Says of a contact (or a row of the log) what it goes to review for beside the gate, by the policy of its day."""
    policies, known = branch.rulebook.policies, dict[str, Registered]()

    def lacks(one: Any) -> tuple[str, ...]:
        policy = policies.at(branch.today(one.started_at))
        if policy.name not in known:
            known[policy.name] = registered_on(policy)
        return known[policy.name].reasons(one.channel, one.line, one.template, recorded=one.recording)

    return lacks


def of_breaches(branch: Branch, breaches: Iterable[Breach]) -> Iterator[Subject]:
    """The same contacts with all their reasons."""
    lacks = lacking(branch)
    for contact, rules in breaches:
        yield Subject(contact, rules, lacks(contact))


def subjects_of(
    conn: Connection, branch: Branch, arrears: PastArrears, contacts: Sequence[Contact]
) -> dict[tuple[str, str], Subject]:
    """These contacts with the reasons that they have now, by source and reference."""
    found_ = judged(conn, branch, arrears, contacts)
    broken = {(one.contact.source, one.contact.contact_ref): one.rules for one in found_}
    lacks = lacking(branch)
    return {
        (one.source, one.contact_ref): Subject(one, broken.get((one.source, one.contact_ref), ()), lacks(one))
        for one in contacts
    }


def subjects(
    conn: Connection, branch: Branch, arrears: PastArrears, first: date, last: date, at_most: int | None = None
) -> Subjects:
    """All breaches of contacts that began on these days, then at most so many others; each part as they began."""
    broken = list(of_breaches(branch, found(conn, branch, arrears, first, last)))
    known = {(one.contact.source, one.contact.contact_ref) for one in broken}
    others = unasked(conn, branch, first, last, None if at_most is None else at_most + len(broken) + 1)
    left = [one for one in others if (one.contact.source, one.contact.contact_ref) not in known]
    more = at_most is not None and len(left) > at_most
    return Subjects([*broken, *left[:at_most]], more)


def unasked(conn: Connection, branch: Branch, first: date, last: date, at_most: int | None = None) -> list[Subject]:
    """Contacts that lack something, as they began; whether they are breaches too is not asked."""
    lacks = lacking(branch)
    asked = CONTACTS.where(_log.day.between(first, last), _may_lack(branch, first, last))
    ordered = asked.order_by(_log.started_at, _log.id).limit(at_most)
    each = (contact_of(row) for row in conn.execute(ordered))
    return [Subject(one, (), why) for one in each if (why := lacks(one))]


def _may_lack(branch: Branch, first: date, last: date) -> sa.ColumnElement[bool]:
    """True of every contact that lacks something on one of these days, and of few others."""
    policies = branch.rulebook.policies
    in_force = [policies.at(first), *(one for one in policies.all if first < one.effective_on <= last)]
    known = [registered_on(policy) for policy in in_force]
    beyond = on_every_list(known)
    conditions = [_UNRECORDED, _NO_TEMPLATE]
    if any(one.lines for one in known):
        conditions.append(_log.line.is_not(None) & _log.line.not_in(sorted(beyond.lines)))
    if any(one.templates for one in known):
        conditions.append(_log.template.is_not(None) & _log.template.not_in(sorted(beyond.templates)))
    return sa.or_(*conditions)
