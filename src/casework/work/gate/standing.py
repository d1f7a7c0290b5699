"""What else is on record when a contact is judged: numbers, holds, consents, arrears, suits. Pure."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import msgspec


class OnRecord(msgspec.Struct, frozen=True):
    """A way to reach somebody around the debtor, on record from `since` to `until` (none: still).

    `number` none where it is an address.
    """

    role: str
    number: bytes | None
    since: datetime
    until: datetime | None = None

    def at(self, instant: datetime) -> bool:
        """Whether it is on record then."""
        return self.since <= instant and (self.until is None or instant < self.until)


class Span(msgspec.Struct, frozen=True):
    """Something in force from `begins_at` until `ends_at`, not included; none: until further notice.

    `loan_id` none: for everything of the debtor.
    """

    name: str
    begins_at: datetime
    ends_at: datetime | None = None
    loan_id: str | None = None

    def at(self, instant: datetime) -> bool:
        """Whether it is in force then."""
        return self.begins_at <= instant and (self.ends_at is None or instant < self.ends_at)

    def binds(self, loan_id: str) -> bool:
        """Whether it is about that loan."""
        return self.loan_id is None or self.loan_id == loan_id


class Consent(msgspec.Struct, frozen=True):
    """The debtor agreed to be contacted outside the hours, from `from_hour` to `until_hour` of the branch's day.

    An hour that is not before the other runs past midnight.
    """

    begins_at: datetime
    ends_at: datetime
    from_hour: int
    until_hour: int

    def at(self, instant: datetime, local: datetime) -> bool:
        """Whether it is in force then; `local` is the same instant in branch time."""
        if not self.begins_at <= instant < self.ends_at:
            return False
        if self.from_hour < self.until_hour:
            return self.from_hour <= local.hour < self.until_hour
        return local.hour >= self.from_hour or local.hour < self.until_hour


class Arrears(msgspec.Struct, frozen=True):
    """The highest DPD of the debtor's loans by snapshot, and the days of all snapshots, oldest first."""

    days: Sequence[date] = ()
    dpd: Mapping[date, int] = {}

    def on(self, day: date) -> int:
        """The DPD in the newest snapshot of that day or before; whoever is not in it has 0."""
        place = bisect_right(self.days, day)
        return self.dpd.get(self.days[place - 1], 0) if place else 0


class Standing(msgspec.Struct, frozen=True):
    """One debtor. `states` are those of the cases in which not everybody may act, by name of the state.

    `paid`: when demand was stopped for money that came, or is said to have been sent.
    `refusals`: since when numbers are marked as refused in a contact book, anybody's.
    """

    on_record: Sequence[OnRecord] = ()
    holds: Sequence[Span] = ()
    consents: Sequence[Consent] = ()
    arrears: Arrears = Arrears()
    states: Sequence[Span] = ()
    paid: Sequence[Span] = ()
    refusals: Mapping[bytes, datetime] = {}

    def numbers_of(self, role: str, instant: datetime) -> list[bytes]:
        """The numbers of that role that are on record at the instant."""
        return [one.number for one in self.on_record if one.role == role and one.number is not None and one.at(instant)]

    def ever_of(self, role: str, instant: datetime) -> list[bytes]:
        """The same with those that were ended: taking a number out of the book opens nothing (X5)."""
        return [
            one.number for one in self.on_record if one.role == role and one.number is not None and one.since <= instant
        ]

    def refused(self, number: bytes | None, instant: datetime) -> bool:
        """Whether the book says of the number that whoever is there refused by then; for ever, whoever is called."""
        return number is not None and number in self.refusals and self.refusals[number] <= instant

    def has(self, role: str, number: bytes | None, instant: datetime) -> bool:
        """Whether there is somebody of that role on record, by that number where one is given."""
        return any(
            one.role == role and one.at(instant) and (number is None or one.number == number) for one in self.on_record
        )

    def held_since(self, names: Collection[str], instant: datetime) -> datetime | None:
        """Since when holds of these names have been in force without a gap; none if none is in force."""
        since = until = None
        for one in sorted((one for one in self.holds if one.name in names), key=lambda one: one.begins_at):
            if one.begins_at > instant:
                break
            if since is None or (until is not None and until < one.begins_at):
                since, until = one.begins_at, one.ends_at
            else:
                until = None if until is None or one.ends_at is None else max(until, one.ends_at)
        return since if until is None or instant < until else None
