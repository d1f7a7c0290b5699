"""A member of staff as the entries of `staff:<no>` make them: status, dated posts, homes, certificates, leave. Pure.

Dated rows are in force from `from_on` through `until_on`, both days included; none means without end. What is over
stays: "who was it on day X" has an answer. Entries of the same stream about tokens and sessions change nothing here.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from casework import ids

# Of the ids' alphabet (`casework.ids`) what a stream of the log can be named by, and no number from a spreadsheet.
STAFF_NO: Final = re.compile(
    r"(?=.*[0-9])(?!.*\.0+\Z)(?!\d+\.\d{0,2}\Z)(?!\d+\.\d*[eE]-?\d+\Z)[A-Za-z0-9._-]{1,32}", re.ASCII
)
LONGEST_NAME: Final = 64
LONGEST_CODE: Final = 64  # of a team or region: some branches write its whole name
RESERVED: Final = frozenset({
    "system", "service", "feed", "sweep", "cli", "api", "sealer", "heads", "witness",
    "anonymous", "everybody", "nobody", "none", "null", "unknown",
})  # fmt: skip
"""What the service calls itself and its parts in the log, or means nobody by: no door takes one for a staff number."""
MOST_CASES: Final = 100_000  # that a capacity may name

ACTIVE, UNVERIFIED, LEFT, MERGED = "active", "unverified", "left", "merged"

NAMED, ADDED, CONFIRMED, MERGED_INTO = "staff.named_by_feed", "staff.added", "staff.confirmed", "staff.merged"
CHANGED, CERTIFIED = "staff.changed", "staff.certified"
POST_GRANTED, POST_ENDED, MOVED = "staff.post_granted", "staff.post_ended", "staff.moved"
ABSENT, ABSENCE_ENDED, DEPUTY_ENDED = "staff.absent", "staff.absence_ended", "staff.deputy_ended"
LEFT_US, RETURNED = "staff.left", "staff.returned"
FOLDED: Final = frozenset({
    NAMED, ADDED, CONFIRMED, MERGED_INTO, CHANGED, CERTIFIED, POST_GRANTED, POST_ENDED, MOVED, ABSENT, ABSENCE_ENDED,
    DEPUTY_ENDED, LEFT_US, RETURNED,
})  # fmt: skip
"""The events that make up a person; all others of the stream are about how they come in."""


def folded(code: str | None) -> str | None:
    """A team or region as it is compared: full width becomes plain (NFKC), in the feed and in the register alike."""
    return None if code is None else unicodedata.normalize("NFKC", code)


def fault_of_staff_no(folded: str) -> str | None:
    """Why a folded text is no staff number: a code of `ids.TEXTS`, malformed_staff_no or reserved_staff_no; else none.

    A reserved name is one in small letters and in capitals.
    """
    if folded.casefold() in RESERVED:
        return "reserved_staff_no"
    fault = ids.fault_of(folded)
    if fault is None and STAFF_NO.fullmatch(folded) is not None:
        return None
    return "malformed_staff_no" if fault in {None, "id_character", "text_too_long"} else fault


class Held(NamedTuple):
    """A post they hold; `granted_by` carried the grant out (`system` at the shell), a request asked for it."""

    post: str
    from_on: date
    until_on: date | None
    granted_by: str
    request_id: int | None


class Home(NamedTuple):
    """The team and region they belong to; never two at a time."""

    from_on: date
    until_on: date | None
    team: str | None
    region: str | None


class Certificate(NamedTuple):
    """A training certificate (X13)."""

    kind: str
    issued_on: date
    expires_on: date | None


class Absence(NamedTuple):
    """A leave; never two at a time."""

    from_on: date
    until_on: date
    reason: str
    deputy: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """One member of staff. Their name is personal: entries commit it, the row holds it, the fold does without."""

    staff_no: str
    added_at: datetime
    status: str
    capacity: int | None = None
    joined_on: date | None = None
    leaves_on: date | None = None
    left_on: date | None = None
    returned_on: date | None = None
    merged_into: str | None = None
    posts: tuple[Held, ...] = ()
    homes: tuple[Home, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    absences: tuple[Absence, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether they may own cases: they have neither left nor been merged into somebody."""
        return self.status in (ACTIVE, UNVERIFIED)

    def held_on(self, day: date) -> tuple[Held, ...]:
        """The posts in force on a day, by code."""
        return tuple(held for held in self.posts if holds(held, day))

    def home_on(self, day: date) -> Home | None:
        """Where they belong on a day."""
        return next((home for home in self.homes if holds(home, day)), None)

    def absence_on(self, day: date) -> Absence | None:
        """Their leave of a day."""
        return next((absence for absence in self.absences if holds(absence, day)), None)


class Dated(Protocol):
    """A dated row."""

    @property
    def from_on(self) -> date:
        """Its first day."""

    @property
    def until_on(self) -> date | None:
        """Its last day, none without end."""


_Row = TypeVar("_Row", Held, Home, Certificate, Absence)
_Ending = TypeVar("_Ending", Held, Home, Absence)


def holds(row: Dated, day: date) -> bool:
    """Whether the row holds on that day."""
    return row.from_on <= day and (row.until_on is None or day <= row.until_on)


def overlapping(row: Dated, from_on: date, until_on: date | None) -> bool:
    """Whether the row holds on any day from `from_on` through `until_on`."""
    return (until_on is None or row.from_on <= until_on) and (row.until_on is None or from_on <= row.until_on)


def day_before(day: date) -> date:
    """The last day of what ends when something begins on `day`."""
    return day - timedelta(days=1)


def apply(
    person: Person | None, event: str, data: Mapping[str, Any], *, by: str, recorded_at: datetime
) -> Person | None:
    """The person after an entry of their stream; the first one makes them. `by` is the entry's actor.

    KeyError, ValueError for data that no version of the service wrote.
    """
    if event not in FOLDED:
        return person
    if person is None:
        if event not in (NAMED, ADDED):
            raise ValueError(f"{event} cannot be the first")
        person = Person(data["staff_no"], recorded_at, UNVERIFIED)
    return _STEPS[event](person, data, by) if event in _STEPS else person


def _added(person: Person, data: Mapping[str, Any], by: str) -> Person:
    from_on = _must(data, "from_on")
    posts = tuple(Held(post, from_on, None, by, None) for post in data.get("posts", ()))
    return replace(
        person, status=ACTIVE, capacity=data.get("capacity"), joined_on=_must(data, "joined_on"),
        leaves_on=_day(data, "leaves_on"), posts=_sorted((*person.posts, *posts)),
        homes=_sorted((*person.homes, *_home(data, from_on))),
    )  # fmt: skip


def _merged(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    return replace(person, status=MERGED, merged_into=data["into"])


def _changed(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    changes: dict[str, Any] = {name: _day(data, name) for name in ("joined_on", "leaves_on") if name in data}
    if "capacity" in data:
        changes["capacity"] = data["capacity"]
    return replace(person, **changes)


def _certified(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    fresh = Certificate(data["kind"], _must(data, "issued_on"), _day(data, "expires_on"))
    return replace(person, certificates=_sorted((*person.certificates, fresh)))


def _granted(person: Person, data: Mapping[str, Any], by: str) -> Person:
    fresh = Held(data["post"], _must(data, "from_on"), _day(data, "until_on"), by, data["request"])
    return replace(person, posts=_sorted((*person.posts, fresh)))


def _post_ended(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    ending = [held for held in person.posts if held.post == data["post"]]
    others = [held for held in person.posts if held.post != data["post"]]
    return replace(person, posts=_sorted((*others, *_cut(ending, _must(data, "on")))))


def _moved(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    from_on = _must(data, "from_on")
    return replace(person, homes=_sorted((*_cut(person.homes, day_before(from_on)), *_home(data, from_on))))


def _absent(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    fresh = Absence(_must(data, "from_on"), _must(data, "until_on"), data["reason"], data.get("deputy"))
    return replace(person, absences=_sorted((*person.absences, fresh)))


def _absence_ended(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    ending, others = _absence(person, data)
    return replace(person, absences=_sorted((*others, *_cut([ending], _must(data, "on")))))


def _deputy_ended(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    """They stay away, but from the day after `on` nobody deputises for them."""
    ending, others = _absence(person, data)
    on = _must(data, "on")
    rest = ending._replace(from_on=max(ending.from_on, on + timedelta(days=1)), deputy=None)
    return replace(person, absences=_sorted((*others, *_cut([ending], on), *([rest] if rest.until_on > on else []))))


def _absence(person: Person, data: Mapping[str, Any]) -> tuple[Absence, list[Absence]]:
    from_on = _must(data, "from_on")
    ending = next(absence for absence in person.absences if absence.from_on == from_on)
    return ending, [absence for absence in person.absences if absence is not ending]


def _left(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    on = _must(data, "on")
    return replace(
        person, status=LEFT, left_on=on, leaves_on=None, posts=_cut(person.posts, on), homes=_cut(person.homes, on),
        absences=_cut(person.absences, on),
    )  # fmt: skip


def _returned(person: Person, data: Mapping[str, Any], _by: str) -> Person:
    """They may be back on the very day they left: then they belong to where they came back."""
    on = _must(data, "on")
    homes = (*_cut(person.homes, day_before(on)), *_home(data, on))
    return replace(person, status=ACTIVE, returned_on=on, leaves_on=None, homes=_sorted(homes))


_STEPS: Final = {
    ADDED: _added, CONFIRMED: _added, MERGED_INTO: _merged, CHANGED: _changed, CERTIFIED: _certified,
    POST_GRANTED: _granted, POST_ENDED: _post_ended, MOVED: _moved, ABSENT: _absent, ABSENCE_ENDED: _absence_ended,
    DEPUTY_ENDED: _deputy_ended, LEFT_US: _left, RETURNED: _returned,
}  # fmt: skip


def _home(data: Mapping[str, Any], from_on: date) -> tuple[Home, ...]:
    team, region = data.get("team"), data.get("region")
    return () if team is None and region is None else (Home(from_on, None, team, region),)


def _cut(rows: Iterable[_Ending], on: date) -> tuple[_Ending, ...]:
    """The rows as they are when nothing holds after `on`: what would have begun later is gone."""
    begun = [row for row in rows if row.from_on <= on]
    return tuple(row._replace(until_on=on) if holds(row, on) else row for row in begun)


def _sorted(rows: Iterable[_Row]) -> tuple[_Row, ...]:
    """In order of post or kind and first day, which no two rows of a kind share."""
    return tuple(sorted(rows))


def _must(data: Mapping[str, Any], name: str) -> date:
    return date.fromisoformat(data[name])


def _day(data: Mapping[str, Any], name: str) -> date | None:
    text = data.get(name)
    return None if text is None else date.fromisoformat(text)
