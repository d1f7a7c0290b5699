"""The register as lists and pages show it, as of a day."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff import mistakes
from casework.people.staff.actor import SYSTEM_POST
from casework.people.staff.dossier import DATED, person, persons
from casework.people.staff.person import (
    ACTIVE,
    Absence,
    Certificate,
    Held,
    Home,
    Person,
    holds,
)
from casework.people.staff.roster_rows import in_force
from casework.people.staff.tables import (
    certificates,
    memberships,
    posts_held,
    staff,
)
from casework.storage import rows

MOST: Final = 1_000  # of one page
_NAMES: Final = sa.select(staff.c.staff_no, staff.c.name)


def names_of(conn: Connection, staff_nos: Iterable[str]) -> dict[str, str]:
    """What these people are called; nobody there is left out, nor is who was named by a feed alone."""
    found = rows.select_by_keys(conn, _NAMES, "staff_no", sorted(set(staff_nos)))
    return {staff_no: name for staff_no, name in found if name != staff_no}


class Member(msgspec.Struct, frozen=True):
    """One member of staff on that day.

    `shell_posts` are those of their posts that were granted at the shell, without four eyes; `away_until` and `deputy`
    are of the leave they are on; `leaves_on` is their last day, once it is known.
    """

    staff_no: str
    name: str
    posts: tuple[str, ...]
    team: str | None
    region: str | None
    status: str
    capacity: int | None
    leaves_on: date | None
    away_until: date | None
    deputy: str | None
    shell_posts: tuple[str, ...]


class StaffWanted(msgspec.Struct, frozen=True):
    """Which members: all that are given must hold. `status` is active, unverified, left or merged."""

    post: str | None = None
    team: str | None = None
    region: str | None = None
    status: str | None = None


def members(
    conn: Connection, on: date, wanted: StaffWanted | None = None, *, after: str = "", limit: int | None = None
) -> list[Member]:
    """Members as of `on`, by staff number, the first `limit` of those after `after`; a fixed number of statements."""
    statement = sa.select(staff.c.staff_no, staff.c.name).where(staff.c.staff_no > after)
    statement = statement.where(*_conditions(wanted or StaffWanted())).order_by(staff.c.staff_no)
    names: dict[str, str] = dict(conn.execute(statement.limit(limit), {"on": on}).all())
    found = _read(conn, list(names))
    return [member_of(found[staff_no], name, on) for staff_no, name in names.items() if staff_no in found]


def member(conn: Connection, staff_no: str, on: date) -> tuple[Member, Person]:
    """One member as of `on`, and everything dated of theirs. CallerError unknown_staff."""
    found = person(conn, staff_no)
    name = conn.execute(sa.select(staff.c.name).where(staff.c.staff_no == staff_no)).scalar_one_or_none()
    if name is None:
        raise mistakes.unknown_staff(staff_no)
    return member_of(found, name, on), found


def member_of(found: Person, name: str, on: date) -> Member:
    """A person as of `on`."""
    home, absence = found.home_on(on), found.absence_on(on)
    held = found.held_on(on)
    return Member(
        found.staff_no, name, tuple(one.post for one in held), home.team if home else None,
        home.region if home else None, found.status, found.capacity, found.leaves_on,
        absence.until_on if absence else None, absence.deputy if absence else None,
        tuple(one.post for one in held if one.request_id is None and one.granted_by == SYSTEM_POST),
    )  # fmt: skip


_KEYS: Final = 5_000  # in one statement


def _read(conn: Connection, numbers: Sequence[str]) -> dict[str, Person]:
    found: dict[str, Person] = {}
    for start in range(0, len(numbers), _KEYS):
        found |= persons(conn, numbers[start : start + _KEYS])
    return found


def _conditions(wanted: StaffWanted) -> list[sa.ColumnElement[bool]]:
    conditions: list[Any] = []
    if wanted.status is not None:
        conditions.append(staff.c.status == wanted.status)
    if wanted.post is not None:
        held = sa.exists().where(posts_held.c.staff_no == staff.c.staff_no, posts_held.c.post == wanted.post)
        conditions.append(held.where(in_force(posts_held)))
    for column, code in ((memberships.c.team, wanted.team), (memberships.c.region, wanted.region)):
        if code is not None:
            home = sa.exists().where(memberships.c.staff_no == staff.c.staff_no, column == code)
            conditions.append(home.where(in_force(memberships)))
    return conditions


def dated(found: Person, on: date | None = None) -> dict[str, list[dict[str, Any]]]:
    """Posts, homes, certificates and absences, as rows of plain values; with `on` those in force on that day."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for kept in DATED:
        rows = getattr(found, kept.part)
        shown[kept.part] = [row._asdict() for row in rows if on is None or _on(row, on)]
    return shown


def _on(row: Held | Home | Certificate | Absence, on: date) -> bool:
    if isinstance(row, Certificate):
        return row.issued_on <= on and (row.expires_on is None or on <= row.expires_on)
    return holds(row, on)


def particulars(found: Person) -> dict[str, Any]:
    """What a list leaves out: first and last days, into whom they were merged."""
    return {
        "joined_on": found.joined_on, "leaves_on": found.leaves_on, "left_on": found.left_on,
        "returned_on": found.returned_on, "merged_into": found.merged_into,
    }  # fmt: skip


class Expiring(msgspec.Struct, frozen=True):
    """The last certificate of its kind that somebody active has, and the day on which it ends or ended."""

    staff_no: str
    kind: str
    issued_on: date
    expires_on: date


def expiring(conn: Connection, until: date) -> list[Expiring]:
    """Certificates that end by `until` (X13) without a later one of their kind, the soonest first."""
    later = certificates.alias("later")
    renewed = sa.exists().where(
        later.c.staff_no == certificates.c.staff_no, later.c.kind == certificates.c.kind,
        sa.or_(later.c.expires_on.is_(None), later.c.expires_on > certificates.c.expires_on),
    )  # fmt: skip
    columns = [certificates.c[name] for name in Expiring.__struct_fields__]
    statement = (
        sa.select(*columns)
        .join(staff, staff.c.staff_no == certificates.c.staff_no)
        .where(staff.c.status == ACTIVE, certificates.c.expires_on <= until, ~renewed)
        .order_by(certificates.c.expires_on, certificates.c.staff_no, certificates.c.kind)
    )
    return [Expiring(*row) for row in conn.execute(statement)]
