"""What the contacts of one debtor came to by the close of a day, for the duties of all their cases. Pure.

What was typed in late proves no duty, but counts for the gate.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from casework.work.contacts.contact import Contact
from casework.work.gate.judge import Asked, contacts_open
from casework.work.gate.limits import Limits
from casework.work.gate.seen import Line, key_of

_NO_LINE = Line()


class DebtorDay(msgspec.Struct, frozen=True, gc=False):
    """One debtor's day.

    `attempts`: calls to them, `connected`: whether they were spoken to, as far as it proves a duty; `reached`: at all.
    `forbidden`: the rule that forbade every call to them that day. `contacts_owed`: contact persons were to be called
    from 00:00 on, `contacts_called`: one of those was. `visited_on`: the last visit on record.
    """

    attempts: int = 0
    connected: bool = False
    reached: bool = False
    forbidden: str | None = None
    contacts_owed: bool = False
    contacts_called: bool = False
    visited_on: date | None = None


def counted(times: Iterable[datetime], apart: timedelta) -> int:
    """How many attempts these are, in order: each that begins as long as `apart` after the last that counted."""
    number, last = 0, None
    for at in times:
        if last is None or at - last >= apart:
            number, last = number + 1, at
    return number


def contacts_duty(
    on: date, contacts: Sequence[Contact], at_midnight: Asked, live_since: date, rest_days: int
) -> tuple[bool, bool]:  # fmt: skip
    """Whether contact persons were to be called that day, and whether one of those was.

    Of the contacts only connections and those with contact persons matter.
    """
    midnight = at_midnight.act.started_at
    before = [one for one in contacts if one.started_at < midnight]
    if not contacts_open(at_midnight) or _answered(before, on, rest_days, at_midnight):
        return False, False
    owed = _still_to_be_called(before, at_midnight, live_since)
    called = (one for one in contacts if one.started_at >= midnight and _to_contact(one) and not one.late)
    return bool(owed), any(one.number in owed for one in called)


def forbidden(limits: Limits) -> str | None:
    """The rule that forbids every call to a debtor on any day: no permitted hour."""
    return "X1" if limits.quiet_from_hour <= limits.quiet_until_hour else None


def _to_contact(one: Contact) -> bool:
    return one.is_call and one.party == "contact"


def _answered(before: Collection[Contact], on: date, rest_days: int, asked: Asked) -> bool:
    """Whether a contact person answered, by whatever channel, within the days before."""
    first = asked.midnight(on - timedelta(days=rest_days))
    return any(one.started_at >= first and one.party == "contact" and one.outcome == "third_party" for one in before)


def _still_to_be_called(before: Sequence[Contact], asked: Asked, live_since: date) -> set[bytes]:
    """Usable numbers of contact persons, not called since the debtor was last connected, or since the first case."""
    connected = [key_of(one) for one in before if one.connected]
    since = connected[-1] if connected else (asked.midnight(live_since), "", "")
    called = {one.number for one in before if _to_contact(one) and key_of(one) > since}
    return {
        number for number in asked.standing.numbers_of("contact", asked.act.started_at)
        if number not in called and _usable(number, asked)
    }  # fmt: skip


def _usable(number: bytes, asked: Asked) -> bool:
    """Neither refused nor, by what was last said of it, invalid or wrong."""
    line = asked.lines.get(number, _NO_LINE)
    refused = line.refused or asked.standing.refused(number, asked.act.started_at)
    return not refused and asked.course.dead_since(number, line) is None
