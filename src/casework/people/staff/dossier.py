"""The rows of a person: read under lock, and brought to what an entry made of them. The rows are the entries' fold."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff import mistakes
from casework.people.staff.person import (
    Absence,
    Certificate,
    Held,
    Home,
    Person,
)
from casework.people.staff.tables import (
    absences,
    certificates,
    memberships,
    posts_held,
    staff,
)
from casework.storage.database import insert_or_not
from casework.storage.driver_errors import is_reference_broken


class KeptDossier(NamedTuple):
    """Where one kind of dated rows lies: the table, its columns (after the staff number), those of its key."""

    table: sa.Table
    row: type[Held | Home | Certificate | Absence]
    part: str  # of Person
    key: tuple[str, ...]


DATED: Final = (
    KeptDossier(posts_held, Held, "posts", ("post", "from_on")),
    KeptDossier(memberships, Home, "homes", ("from_on",)),
    KeptDossier(certificates, Certificate, "certificates", ("kind", "issued_on")),
    KeptDossier(absences, Absence, "absences", ("from_on",)),
)
COLUMNS: Final = (
    "staff_no", "added_at", "status", "capacity", "joined_on", "leaves_on", "left_on", "returned_on", "merged_into",
)  # fmt: skip
"""Of `staff`: what the fold says; the name beside them is committed."""

_WHO: Final[sa.BindParameter[Any]] = sa.bindparam("who", expanding=True)
# FOR NO KEY UPDATE: two changes of one person wait for each other; events of their cases, which hold their key, do not.
_LOCKED: Final = (
    sa.select(*(staff.c[name] for name in COLUMNS))
    .where(staff.c.staff_no.in_(_WHO))
    .order_by(staff.c.staff_no)
    .with_for_update(key_share=True)
)
_READ: Final = sa.select(*(staff.c[name] for name in COLUMNS)).where(staff.c.staff_no.in_(_WHO))
_ROWS: Final = {
    kept.table: sa.select(kept.table.c.staff_no, *(kept.table.c[name] for name in kept.row._fields))
    .where(kept.table.c.staff_no.in_(_WHO))
    .order_by(kept.table.c.staff_no, *(kept.table.c[name] for name in kept.key))
    for kept in DATED
}


def persons(conn: Connection, who: Collection[str], *, lock: bool = False) -> dict[str, Person]:
    """These people as their rows have them; unknown ones are left out. `lock` holds them until the commit."""
    wanted = {"who": sorted(who)}
    rows = conn.execute(_LOCKED if lock else _READ, wanted).all()
    parts: dict[str, dict[str, Any]] = {row.staff_no: {kept.part: () for kept in DATED} for row in rows}
    for kept in DATED:
        for staff_no, *values in conn.execute(_ROWS[kept.table], wanted):
            if staff_no in parts:  # who came between the two questions is not there yet
                parts[staff_no][kept.part] += (kept.row(*values),)
    return {row.staff_no: Person(*row, **parts[row.staff_no]) for row in rows}


def person(conn: Connection, staff_no: str, *, lock: bool = False) -> Person:
    """One of them; CallerError unknown_staff."""
    found = persons(conn, [staff_no], lock=lock).get(staff_no)
    if found is None:
        raise mistakes.unknown_staff(staff_no)
    return found


def write(conn: Connection, before: Person | None, after: Person, name: str | None) -> None:
    """Bring the rows from `before` to `after`; `name` is the new one, none leaves it.

    CallerErrors: staff_exists if another transaction added them meanwhile; owns_open_cases if they are to go while
    the database knows open cases of theirs.
    """
    values = {
        column: getattr(after, column)
        for column in COLUMNS if before is None or getattr(before, column) != getattr(after, column)
    } | ({} if name is None else {"name": name})  # fmt: skip
    if before is None:
        _insert(conn, after.staff_no, values)
    elif values:
        _update(conn, after.staff_no, values)
    for kept in DATED:
        were: Sequence[Any] = getattr(before, kept.part) if before is not None else ()
        are: Sequence[Any] = getattr(after, kept.part)
        for row in were:
            if row not in are:
                conn.execute(kept.table.delete().where(*_same(kept, after.staff_no, row._asdict())))
        fresh = [{"staff_no": after.staff_no, **row._asdict()} for row in are if row not in were]
        if fresh:
            conn.execute(kept.table.insert(), fresh)


def _insert(conn: Connection, staff_no: str, values: Mapping[str, Any]) -> None:
    insert: Any = insert_or_not(conn, staff).values(values).on_conflict_do_nothing()
    if conn.execute(insert.returning(staff.c.staff_no)).one_or_none() is None:
        raise mistakes.staff_exists(staff_no)


def _update(conn: Connection, staff_no: str, values: Mapping[str, Any]) -> None:
    try:
        conn.execute(staff.update().where(staff.c.staff_no == staff_no).values(values))
    except sa.exc.IntegrityError as error:
        if is_reference_broken(error):
            raise mistakes.owns_open_cases(staff_no) from error
        raise


def _same(kept: KeptDossier, staff_no: str, row: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [kept.table.c.staff_no == staff_no, *(kept.table.c[name] == row[name] for name in kept.key)]
