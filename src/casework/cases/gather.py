"""The only reads of the door: everything its decisions need, for the whole batch, one statement each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.cases.case import COLUMNS, Case, from_row
from casework.cases.commands import Command, OpenCase
from casework.cases.tables import cases, institutions
from casework.staff.tables import register_version

CASE_ROWS = sa.select(*(cases.c[name] for name in COLUMNS))
_SIBLINGS = sa.select(cases.c.loan_id, cases.c.id, cases.c.live)


@dataclass(slots=True)
class Gathered:
    """The cases asked for (locked), the business date per institution, and every loan's cases in order of opening."""

    cases: dict[int, Case]
    business_dates: dict[str, date]
    siblings: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    register_version: int = 0
    new_ids: Iterator[int] = field(default_factory=lambda: iter(()))


def gather(conn: Connection, commands: Sequence[Command], *, lock: rows.Lock) -> Gathered:
    """Lock and read what `commands` are about. A case that is missing was not found, or (`skip`) is held elsewhere."""
    wanted = {command.id for command in commands if not isinstance(command, OpenCase)}
    with rows.together(conn):
        found_rows = rows.ask_by_keys(conn, CASE_ROWS, "id", sorted(wanted), lock=lock)
        date_rows = rows.ask_all(conn, institutions)
        version_rows = rows.ask_all(conn, register_version)
    found = {row[0]: from_row(row) for row in found_rows()}
    dates: dict[str, date] = dict(date_rows())
    gathered = Gathered(found, dates, register_version=version_rows()[0][1])
    openings = [command for command in commands if isinstance(command, OpenCase)]
    loans = {str(command.loan["loan_id"]) for command in openings}
    loans |= {case.loan_id for case in found.values() if not case.live}
    for loan_id, case_id, live in rows.select_by_keys(conn, _SIBLINGS, "loan_id", sorted(loans)):
        gathered.siblings.setdefault(loan_id, []).append((case_id, live))
    for known in gathered.siblings.values():
        known.sort()
    gathered.new_ids = iter(rows.next_ids(conn, "cases_id_seq", cases, len(openings)))
    return gathered


def open_cases(conn: Connection, people: Sequence[str]) -> dict[str, int]:
    """How many open cases each of these people owns: an index range each, bounded by what one person can have."""
    counted = sa.select(cases.c.owner, sa.func.count()).where(
        cases.c.owner.in_(sorted(people)), cases.c.live == sa.true()
    )
    return {row[0]: row[1] for row in conn.execute(counted.group_by(cases.c.owner))}


def business_dates(conn: Connection) -> dict[str, Any]:
    """The business date of every institution: `as_of` of its last applied feed."""
    return {row.institution: row.business_date for row in conn.execute(sa.select(institutions))}
