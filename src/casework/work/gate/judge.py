"""The gate: why a contact may not be made at an instant, and from when each reason no longer holds. Pure.

The same rules judge a wish before the act and a contact after it. A reason's rule is X1 to X6, X8, the name of the hold
that stops the contact, `channel` for a case in whose state only some posts may act, or `paid` for a loan of which
nobody demands payment before a snapshot tells. Every reason is given.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec

from casework.work.contacts.contact import CALLS, CONTACT, DEBTOR, MESSAGE, ONLY_LOCATED, Contact
from casework.work.gate.limits import Limits
from casework.work.gate.seen import Course, Line
from casework.work.gate.standing import Standing

HELD_PURPOSES: Final = frozenset({"demand", "locate"})
"""What a hold stops; everything else is for the debtor's own sake or the law's."""
_OBLIGED: Final = frozenset({"co_borrower", "guarantor"})
"""Who stand for the debt themselves: whoever is on record as one may be reached on any number."""
_NO_LINE: Final = Line()
_DAY: Final = timedelta(days=1)


class Wish(msgspec.Struct, frozen=True):
    """A contact that somebody would like to make; it begins when it is asked for.

    `refused`: whoever is at that entry of the contact book refused, be it a number or an address.
    """

    loan_id: str
    party: str
    channel: str
    purpose: str
    number: bytes | None
    started_at: datetime
    refused: bool = False


class Reason(NamedTuple):
    """Why not: the rule, and from when it allows the contact, as far as is known today."""

    rule: str
    allowed_from: datetime | None = None


class Asked(NamedTuple):
    """One act, with all that its judgement needs. `posts`: those of whoever acts."""

    act: Contact | Wish
    course: Course
    lines: Mapping[bytes, Line]
    standing: Standing
    limits: Limits
    posts: frozenset[str] = frozenset()

    @property
    def line(self) -> Line:
        """What is known of the number that is called."""
        return self.lines.get(self.act.number or b"", _NO_LINE)

    @property
    def local(self) -> datetime:
        """When it begins, in branch time."""
        return self.act.started_at.astimezone(self.limits.zone)

    def may_from(self, instant: datetime) -> datetime:
        """The instant, or the first permitted hour after it."""
        local = instant.astimezone(self.limits.zone)
        if self.limits.permitted(local):
            return local
        opens_on = local.date() + (_DAY if local.hour >= self.limits.quiet_from_hour else timedelta())
        return self.midnight(opens_on) + timedelta(hours=self.limits.quiet_until_hour)

    def midnight(self, day: date) -> datetime:
        """Where that day begins for the branch."""
        return datetime.combine(day, time(), self.limits.zone)


def reasons(asked: Asked) -> list[Reason]:
    """Every reason against it, in the order of the rules; none for an inbound contact."""
    if asked.act.channel == "inbound":
        return []
    found = (_x1(asked), _x2(asked), _x3(asked), _x4(asked), _x5(asked), _x6(asked), _x8(asked), _channel(asked))
    return [*(one for one in found if one is not None), *_holds(asked), *_paid(asked)]


def _x1(asked: Asked) -> Reason | None:
    local = asked.local
    if asked.limits.permitted(local):
        return None
    if any(one.at(asked.act.started_at, local) for one in asked.standing.consents):
        return None
    return Reason("X1", asked.may_from(local))


def _x2(asked: Asked) -> Reason | None:
    act, today = asked.act, asked.local.date()
    if act.channel not in CALLS or act.party != "debtor":
        return None
    if asked.course.connected_calls_on(today) < asked.limits.connected_calls:
        return None
    return Reason("X2", asked.may_from(asked.midnight(today + _DAY)))


def _x3(asked: Asked) -> Reason | None:
    today = asked.local.date()
    if asked.act.channel not in CALLS or asked.line.unanswered_on(today) < asked.limits.unanswered_calls:
        return None
    return Reason("X3", asked.may_from(asked.midnight(today + _DAY)))


def _x4(asked: Asked) -> Reason | None:
    act = asked.act
    if act.channel in CALLS and act.number is not None and asked.course.is_wrong(act.number, asked.line):
        return Reason("X4")
    # A contact person is asked for whereabouts and nothing else, wherever contacts are entered; X5 says when.
    if act.purpose == "demand" and act.party not in {CONTACT, *asked.limits.demand_from}:
        return Reason("X4")
    if act.party == "debtor":
        return None
    known_by = act.number if act.party not in _OBLIGED else None
    return None if asked.standing.has(act.party, known_by, act.started_at) else Reason("X4")


def _x5(asked: Asked) -> Reason | None:
    if asked.act.party != CONTACT or contacts_open(asked):
        return None
    opens_on = _opens_on(asked)
    return Reason("X5", None if opens_on is None else asked.may_from(asked.midnight(opens_on)))


def contacts_open(asked: Asked) -> bool:
    """Whether a contact person may be approached then (X5), as far as the debtor's own affairs go."""
    today = asked.local.date()
    if asked.course.connected_on == today or asked.standing.arrears.on(today) < asked.limits.contacts_from_dpd:
        return False
    return any(on + asked.limits.contacts_after_days * _DAY <= today for on in _grounds(asked))


def _grounds(asked: Asked) -> list[date]:
    """The days on which what opens the gate to contact persons came true, of what is true now."""
    at, zone, course = asked.act.started_at, asked.limits.zone, asked.course
    found = []
    if len(course.failed_on) >= asked.limits.contacts_after_failures:
        found.append(course.failed_on[asked.limits.contacts_after_failures - 1])
    dead = [
        course.dead_since(number, asked.lines.get(number, _NO_LINE)) for number in asked.standing.ever_of("debtor", at)
    ]
    since = [key[0] for key in dead if key is not None]
    if since and len(since) == len(dead):
        found.append(max(since).astimezone(zone).date())
    held_since = asked.standing.held_since(asked.limits.contacts_by_holds, at)
    if held_since is not None:
        found.append(held_since.astimezone(zone).date())
    return found


def _opens_on(asked: Asked) -> date | None:
    """The first day on which it will be open if nothing else happens; none if nothing opens it."""
    grounds, today = _grounds(asked), asked.local.date()
    missing = asked.limits.contacts_from_dpd - asked.standing.arrears.on(today)
    if not grounds or missing >= asked.limits.contacts_from_dpd:
        return None
    first = max(min(grounds) + asked.limits.contacts_after_days * _DAY, today + timedelta(days=max(missing, 0)))
    return max(first, today + _DAY)


def _x6(asked: Asked) -> Reason | None:
    act = asked.act
    refused = asked.line.refused or asked.standing.refused(act.number, act.started_at)
    refused = refused or (isinstance(act, Wish) and act.refused)
    return Reason("X6") if act.party in asked.limits.refusal_binds and refused else None


def _x8(asked: Asked) -> Reason | None:
    act, course, limits, today = asked.act, asked.course, asked.limits, asked.local.date()
    caps = []
    if act.channel == MESSAGE:
        caps.append((limits.messages, course.messages_on(today)))
    if act.channel in CALLS and act.party == CONTACT:
        caps.append((limits.contact_calls, course.contact_calls_on(today)))
    reached = [cap for cap, made in caps if cap is not None and made >= cap]
    if not reached:
        return None
    return Reason("X8", asked.may_from(asked.midnight(today + _DAY)) if all(reached) else None)


def _channel(asked: Asked) -> Reason | None:
    act = asked.act
    for one in asked.standing.states:
        allowed = asked.limits.own_posts.get(one.name, asked.posts)
        if one.binds(act.loan_id) and one.at(act.started_at) and not allowed & asked.posts:
            return Reason("channel", one.ends_at)
    return None


def _holds(asked: Asked) -> list[Reason]:
    act = asked.act
    if act.purpose not in HELD_PURPOSES:
        return []
    ends: dict[str, list[datetime | None]] = {}
    for one in asked.standing.holds:
        of_the_person = one.name in asked.limits.stops_the_person
        stops = one.name in asked.limits.stops_contact and (not of_the_person or _stops_the_person(act))
        if stops and one.binds(act.loan_id) and one.at(act.started_at):
            ends.setdefault(one.name, []).append(one.ends_at)
    return [
        Reason(name, asked.may_from(max(known)) if len(known := [end for end in until if end]) == len(until) else None)
        for name, until in sorted(ends.items())
    ]


def _paid(asked: Asked) -> list[Reason]:
    """As far as is known the next snapshot is tonight's, so that it may be allowed tomorrow."""
    act = asked.act
    if act.purpose not in HELD_PURPOSES:
        return []
    spans = [one for one in asked.standing.paid if one.binds(act.loan_id) and one.at(act.started_at)]
    if not spans:
        return []
    tomorrow = asked.midnight(asked.local.date() + _DAY)
    return [Reason("paid", asked.may_from(max(one.ends_at or tomorrow for one in spans)))]


def _stops_the_person(act: Contact | Wish) -> bool:
    """The debtor's own numbers for all that a hold stops; money of who stood or stands in for them."""
    return act.party == DEBTOR or (act.party in ONLY_LOCATED and act.purpose != "locate")
