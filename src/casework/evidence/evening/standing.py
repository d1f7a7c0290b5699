"""How a day stands at 17:00, by person: what they owed and what became of it, whether they handed it in, and when.

The figures of whoever handed in are as they were handed in; everybody else's are as the duties stand.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.evidence.evening.handing_in import HandIn, check_day, handed_in, limit_of
from casework.evidence.evening.tables import FIGURES, LEDGER, SUPPLEMENT, hand_ins
from casework.evidence.ledger.people import members_of, teams_then
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch
from casework.work.contacts.tables import contact_log
from casework.work.duties.listing import Counted, counts_on

Came = Literal["handed_in", "late", "missing", "not_yet"]
STATUSES: Final = ("due", "done", "late", "exempt", "open")
_log = contact_log.c
_CALLED: Final = (
    sa.select(_log.staff_no, sa.func.count())
    .where(_log.day == sa.bindparam("on", type_=sa.Date), _log.staff_no.is_not(None))
    .group_by(_log.staff_no)
)
_SINCE: Final = (
    sa.select(_log.staff_no, sa.func.count())
    .select_from(
        contact_log.join(
            hand_ins,
            sa.and_(hand_ins.c.day == _log.day, hand_ins.c.owed_by == _log.staff_no, hand_ins.c.part == LEDGER),
        )
    )
    .where(
        _log.day == sa.bindparam("on", type_=sa.Date),
        sa.or_(
            _log.started_at >= sa.bindparam("until", type_=_log.started_at.type),
            _log.recorded_at > hand_ins.c.handed_in_at,
        ),
    )
    .group_by(_log.staff_no)
)


class PersonDay(NamedTuple):
    """One person (or post) on a day. `came`: of the ledger; `since`: contacts for a supplement that is not there."""

    owed_by: str
    team: str | None
    due: int
    done: int
    late: int
    exempt: int
    open: int
    contacts: int
    came: Came
    ledger: HandIn | None
    supplement: HandIn | None
    since: int
    supplement_came: Came | None


class Evening(NamedTuple):
    """Everybody of a day, as of `at`; who is late or missing first. `duties`: each kind, as it stands."""

    on: date
    at: datetime
    people: Sequence[PersonDay]
    duties: Mapping[str, Counter[str]]

    @property
    def missing(self) -> list[PersonDay]:
        """Whose ledger or supplement is missing or came late."""
        return [one for one in self.people if {one.came, one.supplement_came} & {"late", "missing"}]

    def by_team(self) -> dict[str | None, Counter[str]]:
        """The figures of people, added up; `people` and `handed_in` count them."""
        teams: dict[str | None, Counter[str]] = {}
        for one in sorted(self.people, key=lambda one: (one.team is None, one.team or "")):
            counts = teams.setdefault(one.team, Counter())
            counts.update({name: getattr(one, name) for name in FIGURES})
            counts.update(people=1, handed_in=one.ledger is not None, missing=one.came == "missing")
        return teams


@seldom_collected()
def evening_of(
    conn: Connection, branch: Branch, on: date, team: str | None = None, people: Collection[str] | None = None, *,
    listed: Iterable[Counted] | None = None, clock: Clock = now,
) -> Evening:  # fmt: skip
    """Of everybody, of a team's members of that day, or of `people`; `listed`: the duties, where they are known.

    CallerErrors `unknown_team`, `day_to_come`, `day_without_feed`.
    """
    at = clock()
    today = branch.today(at)
    check_day(conn, on, today)
    if team is not None:
        of_team = members_of(conn, team, on, today)
        people = of_team if people is None else of_team & set(people)
    counts: dict[str, Counter[str]] = {}
    kinds: dict[str, Counter[str]] = {}
    for one in counts_on(conn, branch, on, people) if listed is None else listed:
        kinds.setdefault(one.duty, Counter())[one.status] += one.number
        counts.setdefault(one.owed_by, Counter()).update({one.status: one.number, "due": one.number})
    made = _CALLED if people is None else _CALLED.where(_log.staff_no.in_(sorted(people)))
    for staff_no, number in conn.execute(made, {"on": on}):
        counts.setdefault(staff_no, Counter())["contacts"] = number
    came = {(one.owed_by, one.part): one for one in handed_in(conn, on, people)}
    until = limit_of(branch, on, LEDGER)
    since = {row[0]: row[1] for row in conn.execute(_SINCE, {"on": on, "until": until})}
    teams = teams_then(conn, on, today)
    named = counts.keys() | {who for who, part in came if part == LEDGER}
    found = [
        _person(branch, on, at, who, teams.called(who), counts.get(who, Counter()), came, since.get(who, 0))
        for who in named
    ]
    return Evening(on, at, sorted(found, key=_order), kinds)


def _person(
    branch: Branch, on: date, at: datetime, who: str, team: str | None, counts: Counter[str],
    came: dict[tuple[str, str], HandIn], since: int,
) -> PersonDay:  # fmt: skip
    ledger, supplement = came.get((who, LEDGER)), came.get((who, SUPPLEMENT))
    figures = ledger.figures if ledger is not None else {name: counts[name] for name in FIGURES}
    if supplement is not None:
        figures["contacts"] += supplement.contacts
        since = 0
    owes_more = supplement is not None or since > 0
    return PersonDay(
        who, team, **figures, came=_came(branch, on, at, LEDGER, ledger), ledger=ledger, supplement=supplement,
        since=since, supplement_came=_came(branch, on, at, SUPPLEMENT, supplement) if owes_more else None,
    )  # fmt: skip


def _came(branch: Branch, on: date, at: datetime, part: str, done: HandIn | None) -> Came:
    if done is not None:
        return "late" if done.is_late else "handed_in"
    return "missing" if at > limit_of(branch, on, part) else "not_yet"


def _order(one: PersonDay) -> tuple[bool, bool, int, str]:
    return one.came != "missing", one.came != "late", -one.late, one.owed_by


def not_handed_in(branch: Branch, evening: Evening) -> Iterator[tuple[str, str, datetime, datetime | None]]:
    """Whose, which part, until when it was due, and when it came."""
    for part, name, which in ((LEDGER, "ledger", "came"), (SUPPLEMENT, "supplement", "supplement_came")):
        for one in evening.people:
            if getattr(one, which) in {"late", "missing"}:
                done: HandIn | None = getattr(one, name)
                yield one.owed_by, part, limit_of(branch, evening.on, part), done.handed_in_at if done else None
