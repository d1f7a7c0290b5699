"""Breaches: the recorded contacts that the gate would have forbidden when they began. Pure.

Judged against all contacts that began before, whenever they were recorded: so a row that comes late may turn later ones
into breaches, and a correction may clear them. What had a permit is none, but counts like any other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from casework.customer import Customer
from casework.work.contacts.contact import Contact
from casework.work.gate.judge import Asked, reasons
from casework.work.gate.limits import Limits
from casework.work.gate.seen import Course, Line, key_of, see
from casework.work.gate.standing import Standing

_NOWHERE = Standing()


class Breach(NamedTuple):
    """One contact and the rules that it broke, sorted."""

    contact: Contact
    rules: tuple[str, ...]


def breaches(
    contacts: Iterable[Contact],
    standings: Mapping[Customer, Standing],
    limits: Callable[[Contact], Limits],
    said: Callable[[str], str | None],
    posts: Callable[[Contact], frozenset[str]] = lambda _: frozenset(),
    wanted: Callable[[Contact], bool] = lambda _: True,
) -> Iterator[Breach]:
    """In the order in which the contacts began. They are all that are on record of these debtors and numbers.

    `said`: what a result says of the number, by its code; `wanted`: which are judged, though all of them count.
    """
    courses: dict[Customer, Course] = {}
    lines: dict[bytes, Line] = {}
    for contact in sorted(contacts, key=key_of):
        whose = contact.customer
        course = courses.get(whose)
        if course is None:
            course = courses[whose] = Course()
        number = contact.number
        line = lines.get(number) if number is not None else None
        if line is None:
            line = Line()
            if number is not None:
                lines[number] = line
        held_to = limits(contact)
        if contact.permit_id is None and contact.outbound and wanted(contact):
            act = contact if contact.party == contact.sought else structs.replace(contact, party=contact.sought)
            asked = Asked(act, course, lines, standings.get(whose, _NOWHERE), held_to, posts(contact))
            if broken := reasons(asked):
                yield Breach(contact, tuple(sorted(reason.rule for reason in broken)))
        see(contact, course, line, held_to.zone, said(contact.result))
