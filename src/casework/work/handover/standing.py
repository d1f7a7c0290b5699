"""What somebody has at this moment: cases, what these carry, requests, access. The only reads of planning.

Set-wise: a handful of statements, however many cases they have.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.carried import carried
from casework.lifecycle.kept import Kept
from casework.lifecycle.noun import Thing
from casework.people.identity.programs import program_keys
from casework.people.identity.tables import sessions
from casework.people.staff.tables import absences, posts_held, staff, tokens
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import REQUESTS, requests
from casework.work.handover.comparing import HeldThen
from casework.work.handover.preview import OF_CASES, Ending, Kinds, OpenRequest, own_of
from casework.work.handover.tables import handovers
from casework.work.handovers import DEPARTURE


def theirs(staff_no: str) -> sa.ColumnElement[bool]:
    """The cases, not finally closed, that they own or handle; settled ones are among them: those may come back."""
    return sa.and_(sa.or_(cases.c.owner == staff_no, cases.c.handler == staff_no), cases.c.closed_as.is_(None))


def cases_of(conn: Connection, staff_no: str) -> list[Case]:
    """Their cases, by id."""
    return [from_row(row) for row in conn.execute(CASE_ROWS.where(theirs(staff_no)).order_by(cases.c.id))]


def held_now(conn: Connection, staff_no: str) -> dict[int, HeldThen]:
    """Their cases, locked until the commit, and then their own row, so that nobody can give them another one.

    First the cases in order of their ids, as every batch locks them, then the person, whom whoever gives them a case
    holds by its foreign key: in the other order two transactions could wait for each other.
    """
    _lock_cases(conn, staff_no)
    conn.execute(sa.select(staff.c.staff_no).where(staff.c.staff_no == staff_no).with_for_update())
    return _lock_cases(conn, staff_no)  # with what was given to them in between


def _lock_cases(conn: Connection, staff_no: str) -> dict[int, HeldThen]:
    wanted = sa.select(cases.c.id, cases.c.owner, cases.c.handler, cases.c.state).where(theirs(staff_no))
    found = conn.execute(wanted.order_by(cases.c.id).with_for_update())
    return {row[0]: HeldThen(row[1] == staff_no, row[2] == staff_no, row[3]) for row in found}


def held_of(found: Iterable[Case], staff_no: str) -> dict[int, HeldThen]:
    """Cases that were read, as a plan compares them."""
    return {case.id: HeldThen(case.owner == staff_no, case.handler == staff_no, case.state) for case in found}


def are_going(conn: Connection, until: date) -> set[str]:
    """Who gets no cases any more: their last day is known and not after `until`, or their departure is planned."""
    known = sa.select(staff.c.staff_no).where(staff.c.leaves_on <= until, staff.c.present == sa.true())
    planned = sa.select(handovers.c.staff_no).where(handovers.c.live == sa.true(), handovers.c.opened_for == DEPARTURE)
    return set(conn.execute(sa.union(known, planned)).scalars())


def handing_over(conn: Connection, on: date) -> list[str]:
    """Whose departure is approved for `on` or an earlier day: a new case would make another plan of it."""
    return list(conn.execute(_HANDING_OVER, {"on": on}).scalars())


_HANDING_OVER = sa.select(handovers.c.staff_no).where(
    handovers.c.due_on <= sa.bindparam("on", type_=sa.Date), handovers.c.opened_for == DEPARTURE
)  # fmt: skip


# ── what cases carry ────────────────────────────────────────────────────────────────────────────────────────


def kinds_of(branch: Branch) -> Kinds:
    """Every noun beside the case by its chart's name, and the case's own days."""
    charts = [(noun.word, branch.rulebook.charts[noun.chart]) for noun in _nouns(branch)]
    return {**{word: (chart.zh, chart.en) for word, chart in charts}, **OF_CASES}


def carried_by(conn: Connection, branch: Branch, found: Sequence[Case]) -> dict[int, list[Thing]]:
    """What each case carries; cases that carry nothing are left out."""
    things = carried(conn, _nouns(branch), branch.rulebook.charts, found)
    for case in found:
        for thing in own_of(case):
            things.setdefault(case.id, []).append(thing)
    return things


def _nouns(branch: Branch) -> Sequence[Kept]:
    return (*branch.nouns[1:], REQUESTS)


# ── what ends with them ─────────────────────────────────────────────────────────────────────────────────────


_PENDING = sa.select(requests.c.subject, requests.c.opened_by).where(requests.c.live == sa.true())


def ending_of(conn: Connection, staff_no: str, found: Sequence[Case], *, today: date) -> Ending:
    """What ends or changes beside the cases when they go."""
    proposals = sa.select(requests).where(requests.c.opened_by == staff_no, requests.c.live == sa.true())
    principals = sa.select(absences.c.staff_no).where(absences.c.deputy == staff_no, absences.c.until_on >= today)
    deputies = sa.select(absences.c.deputy).where(
        absences.c.staff_no == staff_no, absences.c.until_on >= today, absences.c.deputy.is_not(None)
    )
    posts = sa.select(posts_held.c.post).where(
        posts_held.c.staff_no == staff_no, sa.or_(posts_held.c.until_on.is_(None), posts_held.c.until_on >= today)
    )
    return Ending(
        [
            OpenRequest(row.id, row.subject, row.what, row.state, row.expires_on)
            for row in conn.execute(proposals.order_by(requests.c.id))
        ],
        sum(row.opened_by != staff_no for row in rows.select_by_keys(
            conn, _PENDING, "subject", sorted(case.stream for case in found))),
        sorted(set(conn.execute(principals).scalars())), sorted(set(conn.execute(deputies).scalars())),
        _number(conn, tokens, tokens.c.staff_no == staff_no, tokens.c.revoked_at.is_(None)),
        _number(conn, sessions, sessions.c.staff_no == staff_no, sessions.c.ended_at.is_(None)),
        sorted(set(conn.execute(posts).scalars())),
        sorted({key.program for key in program_keys(conn, datetime.combine(today, time.min, UTC), staff_no)}),
    )  # fmt: skip


def _number(conn: Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one())
