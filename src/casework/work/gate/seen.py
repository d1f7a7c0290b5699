"""What the contacts that began before an instant say of one that begins then. Pure.

Contacts are ordered by when they began, ties by their reference (`key_of`), whenever they were recorded. Everything is
counted per debtor, over loans, staff, agencies and robots; what a number was told is its own, whoever was called there.
"""

from datetime import date, datetime, tzinfo
from typing import Final

import msgspec

from casework.work.contacts.contact import CALLS, CONTACT, MESSAGE, Contact
from casework.work.contacts.results import SUSPENDED

Key = tuple[datetime, str, str]
_FAILURES_KEPT: Final = 30


class Line(msgspec.Struct):
    """One number, for everybody: the calls of `day` that nobody answered, when it was invalid, whether it refused."""

    day: date | None = None
    unanswered: int = 0
    invalid: list[Key] = msgspec.field(default_factory=list)
    refused: bool = False

    def unanswered_on(self, day: date) -> int:
        """The outbound calls to it on that day which went unanswered or found no such number."""
        return self.unanswered if self.day == day else 0


class Told(msgspec.Struct):
    """What the calls for one debtor said of a number: the latest of each, and since when it has been wrong."""

    valid: Key | None = None
    wrong: Key | None = None
    wrong_since: Key | None = None


NOTHING: Final = Told()


class Course(msgspec.Struct):
    """One debtor: when last connected, of a day the calls that connected, messages, calls to others; attempts since."""

    connected_on: date | None = None
    calls_on: date | None = None
    connected_calls: int = 0
    written_on: date | None = None
    messages: int = 0
    asked_on: date | None = None
    contact_calls: int = 0
    failed_on: list[date] = msgspec.field(default_factory=list)
    told: dict[bytes, Told] = msgspec.field(default_factory=dict)

    def connected_calls_on(self, day: date) -> int:
        """The outbound calls of that day in which the debtor was reached."""
        return self.connected_calls if self.calls_on == day else 0

    def messages_on(self, day: date) -> int:
        """The messages of that day, to whomever, whatever became of them."""
        return self.messages if self.written_on == day else 0

    def contact_calls_on(self, day: date) -> int:
        """The calls of that day to contact persons."""
        return self.contact_calls if self.asked_on == day else 0

    def count(self, party: str, channel: str, day: date, *, connected: bool = False) -> None:
        """Count what goes by the day (X2, X8): a call that connected, a call to a contact person, a message."""
        if channel == MESSAGE:
            self.messages, self.written_on = self.messages_on(day) + 1, day
        if channel in CALLS and party == CONTACT:
            self.contact_calls, self.asked_on = self.contact_calls_on(day) + 1, day
        if channel in CALLS and connected:
            self.connected_calls, self.calls_on = self.connected_calls_on(day) + 1, day

    def is_wrong(self, number: bytes, line: Line) -> bool:
        """Whether the latest that was said of the number is that it is not the debtor's."""
        told = self.told.get(number, NOTHING)
        if told.wrong is None or (told.valid is not None and told.valid > told.wrong):
            return False
        return not line.invalid or line.invalid[-1] < told.wrong

    def dead_since(self, number: bytes, line: Line) -> Key | None:
        """Since when the number has been invalid or wrong without a break; none if it is neither."""
        told = self.told.get(number, NOTHING)
        found = [key for key in line.invalid if told.valid is None or key > told.valid][:1]
        if told.wrong_since is not None:
            found.append(told.wrong_since)
        return min(found, default=None)


def key_of(contact: Contact) -> Key:
    """The place of a contact among all others."""
    return contact.started_at, contact.contact_ref, contact.source


def see(contact: Contact, course: Course, line: Line, zone: tzinfo, said: str | None) -> None:
    """Count one contact, after all that began before it.

    `line` is of its number (a new one where it has none), `said` what its result says of that number: valid, wrong,
    invalid, refused, or none.
    """
    day = contact.started_at.astimezone(zone).date()
    course.count(contact.party, contact.channel, day, connected=contact.connected)
    advance(course, day, connected=contact.connected, attempt=contact.is_attempt)
    if contact.is_call and contact.outcome in {"unanswered", "invalid_number"}:
        line.unanswered = line.unanswered_on(day) + 1
        line.day = day
    if contact.number is not None and said is not None:
        hear(key_of(contact), course, contact.number, line, said)


def advance(course: Course, day: date, *, connected: bool, attempt: bool) -> None:
    """Whether the debtor was reached that day, by whatever channel, or an attempt failed."""
    if connected:
        course.connected_on = day
        course.failed_on.clear()
    elif attempt and len(course.failed_on) < _FAILURES_KEPT:
        course.failed_on.append(day)


def hear(key: Key, course: Course, number: bytes, line: Line, said: str) -> None:
    """What a result said of a number: `valid`, `wrong`, `invalid` or `refused`; `suspended` changes nothing."""
    if said == SUSPENDED:
        return
    if said == "invalid":
        line.invalid.append(key)
    elif said == "refused":
        line.refused = True
    elif said == "valid":
        course.told[number] = Told(valid=key)
    else:
        told = course.told.setdefault(number, Told())
        told.wrong, told.wrong_since = key, told.wrong_since or key
