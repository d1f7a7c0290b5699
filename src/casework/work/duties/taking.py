"""Duties are taken when a day is closed: every case that is owed something, in one pass, rows and an entry.

What was taken stays: rows that come later change counters and breaches, not what was known.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.log.write.trail import Draft
from casework.people.days.loading import is_outage, read_calendar
from casework.people.shifts.answering import answers_on
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.database import UtcDateTime
from casework.storage.rare import rare
from casework.work.cases.branch import Branch
from casework.work.cases.case import PROMISE, Case, Facts, Spoilt, from_row
from casework.work.cases.duty_rules import DISPOSAL_FORM, HeldTo
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.lifecycles import DISPOSALS, REMITTANCES, VISITS
from casework.work.cases.tables import cases
from casework.work.disposals import RETURNED
from casework.work.duties.called import ITS, THEIRS, Reader
from casework.work.duties.debtor import DebtorDay, forbidden
from casework.work.duties.judge import CaseDay, Day, VisitMade, duties_of
from casework.work.duties.owing import Owing
from casework.work.duties.tables import COLUMNS, case_strategies, duties, duty_days
from casework.work.gate.limits import limits_by_product

PREFIX: Final = "duties"
TAKEN: Final = "duties.taken"
_NOT_PLACED_BEFORE: Final = sa.or_(
    cases.c.state.not_in(sa.bindparam("placed", expanding=True)),
    cases.c.state_since == sa.bindparam("on", type_=sa.Date),
)
_LIVE_CASES: Final = (
    sa.select(
        cases.c.id, cases.c.loan_id, cases.c.borrower_id, cases.c.state, cases.c.state_since, cases.c.oldest_due_date,
        cases.c.opened_on, cases.c.principal_at_opening_fen, cases.c.owner, cases.c.handler, cases.c.facts,
        cases.c.product, cases.c.region,
    )
    .where(
        cases.c.institution == sa.bindparam("institution", type_=sa.String), cases.c.live, _NOT_PLACED_BEFORE,
    )
    .order_by(cases.c.id)
)  # fmt: skip
_IN_STATES: Final = cases.c.state.in_(sa.bindparam("states", expanding=True))
CASES: Final = _LIVE_CASES.where(_IN_STATES, cases.c.oldest_due_date < sa.bindparam("on", type_=sa.Date))
ALL_CASES: Final = _LIVE_CASES.where(rare(_IN_STATES))
"""They are found by their state: what is over may be many times as much. Whether they are due is looked at afterwards,
for nearly all are: by that PostgreSQL would read another index whole."""
WHOLE_CASES: Final = ALL_CASES.with_only_columns(*CASE_ROWS.selected_columns)
_CASE: Final = sa.bindparam("case_id", type_=sa.BigInteger)
_visits: Final = VISITS.table.c
_VISITS: Final = sa.select(
    _visits.parent_id, _visits.visitor, _visits.checked_out_at, _visits.reported_at
).where(
    _visits.institution == sa.bindparam("institution", type_=sa.String),
    _visits.checked_out_at < sa.bindparam("midnight_after", type_=UtcDateTime),
    rare(_visits.reported_at.is_(None)) | rare(_visits.reported_at >= sa.bindparam("midnight", type_=UtcDateTime)),
).order_by(_visits.id)  # fmt: skip
"""Visits of which a report is owed on a day, or came on it."""
_VISITS_OF_CASE: Final = _VISITS.where(_visits.parent_id == _CASE)
_CASES_OF: Final = CASES.where(sa.or_(THEIRS, cases.c.id.in_(sa.bindparam("visited_by_them", expanding=True))))
_ONE_CASE: Final = CASES.where(ITS)

_paid: Final = REMITTANCES.table.c
_PAID: Final = sa.select(_paid.parent_id).where(
    _paid.institution == sa.bindparam("institution", type_=sa.String),
    _paid.begins_at <= sa.bindparam("midnight", type_=UtcDateTime),
    rare(_paid.ended_on.is_(None)) | rare(_paid.ended_on >= sa.bindparam("on", type_=sa.Date)),
)  # fmt: skip
"""Cases of which nobody might demand payment, all day: the gate forbade it (docs/gate.md)."""
_PAID_OF: Final = _PAID.where(_paid.parent_id.in_(sa.select(cases.c.id).where(THEIRS)))
_PAID_OF_CASE: Final = _PAID.where(_paid.parent_id == _CASE)
_FORMS_ASKED: Final = sa.select(case_strategies.c.case_id).where(
    case_strategies.c.day == sa.bindparam("on", type_=sa.Date),
    case_strategies.c.strategy.in_(sa.bindparam("strategies", expanding=True)),
)

_FORMS_ASKED_OF_CASE: Final = _FORMS_ASKED.where(case_strategies.c.case_id == _CASE)

Row = tuple[date, int, str, str, str, str | None, date, str, str]
"""One row of `duties`, in the order of its columns."""

_FILED: Final = sa.select(*DISPOSALS.table.c["parent_id", "id", "filed_at"])


class _Facts(msgspec.Struct, gc=False):
    """What duties need of a case's facts."""

    spoilt: list[Spoilt] = []
    visit_photos: list[str] = []
    visit_stated: bool = False
    repaired_on: date | None = None
    repair_good_until: date | None = None
    exception_until: date | None = None
    exception_on: date | None = None
    recalled_on: date | None = None
    matter_ended_on: date | None = None
    disposal_form_on: date | None = None
    disposal_form: str | None = None


_facts: Final = msgspec.json.Decoder(_Facts).decode
_AT_ONCE: Final = 10_000
_NO_HOLDS: Final[frozenset[str]] = frozenset()


class Taken(NamedTuple):
    """The duties of a day that was closed, by case and name, and the cases of which they are, as they stood then."""

    duties: Sequence[Row]
    cases: Sequence[Case]


def take(conn: Connection, branch: Branch, institution: str, on: date, *, clock: Clock = now) -> Taken | None:
    """Take the duties of a day that is closed now, in the caller's transaction; none if that was done."""
    if taken(conn, institution, on):
        return None
    owed = list[Case]()
    found = list(reckon(conn, branch, institution, on, closed=True, owed=owed))
    trail, rulebook = branch.trail(clock()), branch.rulebook
    digest = digest_of(found)
    said = {
        "on": on.isoformat(), "duties": len(found), "digest": digest.hex(), "counts": counts_of(found),
        "rulebook": f"{rulebook.duties.title}#{rulebook.duties.digest}",
    }  # fmt: skip
    draft = Draft(TAKEN, system("sweep").signed, said, policy=rulebook.policies.at(on).ref)
    trail.append(conn, f"{PREFIX}:{institution}", draft)
    trail.write(conn)
    rows.insert_many(conn, duties, found, COLUMNS)
    conn.execute(duty_days.insert().values(institution=institution, day=on, duties=len(found), digest=digest))
    return Taken(found, owed)


def taken(conn: Connection, institution: str, on: date) -> bool:
    """Whether the duties of that day were taken."""
    wanted = sa.select(duty_days.c.day).where(duty_days.c.institution == institution, duty_days.c.day == on)
    return conn.execute(wanted).scalar_one_or_none() is not None


def reckon(
    conn: Connection, branch: Branch, institution: str, on: date, *, closed: bool,
    people: tuple[str, ...] | None = None, case_id: int | None = None, owed: list[Case] | None = None,
) -> Iterator[Row]:  # fmt: skip
    """The duties of a day as they stand now, by case and name; `closed`: nothing more can be done on it.

    For whom is off on it, whoever answers in their place owes them (`casework.people.shifts.answering`). `people`: of
    cases that one of them, or somebody in whose place they answer, owns or works on; `case_id`: of one case. `owed`:
    where the cases of all are wanted too, is given those that are owed something.
    """
    policy, rulebook = branch.rulebook.policies.at(on), branch.rulebook
    held_to, limits = rulebook.duties.held_to(policy), limits_by_product(policy)
    answers = answers_on(conn, rulebook.shifts, policy, on)
    if people is not None:
        people = (*people, *(who for who, by in answers.who_of_all().items() if by.staff_no in people))
    debtors = {
        product: Reader(conn, institution, on, held_to, of_product, rulebook.results, people, case_id).read()
        for product, of_product in limits.items()
    }
    quiet = {product: DebtorDay(forbidden=forbidden(of_product)) for product, of_product in limits.items()}
    day = Day.of(on, read_calendar(conn), held_to, closed=closed, outage=is_outage(conn, on))
    owed_by = {name: Owing.of(rule, rulebook) for name, rule in rulebook.duties.by_name.items()}
    asked = {
        "institution": institution, "on": on, "states": sorted(held_to.by_state), "placed": sorted(held_to.placed)
    }  # fmt: skip
    zone = limits[None].zone
    midnight = datetime.combine(on, time(), zone)
    paid = _paid_of(conn, {"institution": institution, "on": on, "midnight": midnight}, people, case_id)
    visits = _visits_of(conn, institution, midnight, zone, case_id)
    forms = _forms_asked(conn, branch, on, zone, case_id)
    for row in _cases(conn, asked, people, case_id, visits, whole=owed is not None):
        case: Any = row if owed is None else from_row(row)
        facts = _facts(row.facts) if owed is None else case.facts
        product = case.product if case.product in limits else None
        found = duties_of(
            _case(case, facts, on, held_to, visits.get(case.id, ()), paid=case.id in paid, forms=forms),
            debtors[product].get(case.borrower_id, quiet[product]),
            day,
            held_to,
        )
        if owed is not None and found:
            owed.append(case)
        for duty, status, due_on, exempt_by in sorted(found):
            who = owed_by[duty].who(answers, case, visits.get(case.id, ()))
            yield on, case.id, duty, case.loan_id, status, exempt_by, due_on, who, institution


def _cases(
    conn: Connection, asked: dict[str, Any], people: tuple[str, ...] | None, case_id: int | None,
    visits: Mapping[int, Sequence[VisitMade]], *, whole: bool,
) -> Iterator[Any]:  # fmt: skip
    """The cases that may be owed something: one, those of people, or all; of all `whole` rows, if they are wanted."""
    if case_id is not None:
        result = conn.execute(_ONE_CASE, {**asked, "case_id": case_id})
    elif people is not None:
        visited = [number for number, made in visits.items() if any(one.visitor in people for one in made)]
        result = conn.execute(_CASES_OF, {**asked, "people": people, "visited_by_them": visited})
    else:
        result = conn.execute(WHOLE_CASES if whole else ALL_CASES, asked)
    found = chain.from_iterable(result.partitions(_AT_ONCE))  # one by one the driver takes as long as the rest
    return (row for row in found if row.oldest_due_date is not None and row.oldest_due_date < asked["on"])


def _paid_of(
    conn: Connection, asked: dict[str, Any], people: tuple[str, ...] | None, case_id: int | None
) -> set[int]:  # fmt: skip
    """The cases of `_PAID`: of people or of one case, what the branch has beside them is not read."""
    if case_id is not None:
        return set(conn.execute(_PAID_OF_CASE, {**asked, "case_id": case_id}).scalars())
    if people is not None:
        return set(conn.execute(_PAID_OF, {**asked, "people": people}).scalars())
    return set(conn.execute(_PAID, asked).scalars())


def _forms_asked(
    conn: Connection, branch: Branch, on: date, zone: ZoneInfo, case_id: int | None
) -> dict[int, datetime | None]:  # fmt: skip
    """The cases whose strategy of the day asks for a disposal form, with when the last one was filed, if any was."""
    asking = [code for code, one in branch.rulebook.tasks.strategies.items() if one.owes == DISPOSAL_FORM]
    asked = {"on": on, "strategies": asking}
    found = (
        conn.execute(_FORMS_ASKED, asked) if case_id is None
        else conn.execute(_FORMS_ASKED_OF_CASE, {**asked, "case_id": case_id})
    )  # fmt: skip
    numbers = list(found.scalars())
    if not numbers:
        return {}
    filed = rows.select_by_keys(conn, _FILED, "parent_id", sorted(numbers))
    at = {row.parent_id: row.filed_at for row in sorted(filed, key=lambda row: row.id)}
    return {number: at[number].astimezone(zone) if number in at else None for number in numbers}


def _visits_of(
    conn: Connection, institution: str, midnight: datetime, zone: ZoneInfo, case_id: int | None
) -> dict[int, tuple[VisitMade, ...]]:  # fmt: skip
    """By case, the visits of which a report is owed on the day that begins then, or came on it."""
    made: dict[int, tuple[VisitMade, ...]] = {}
    asked: dict[str, Any] = {"institution": institution, "midnight": midnight, "case_id": case_id}
    asked["midnight_after"] = midnight + timedelta(days=1)
    for parent_id, visitor, ended_at, reported_at in conn.execute(
        _VISITS if case_id is None else _VISITS_OF_CASE, asked
    ):
        reported = reported_at.astimezone(zone) if reported_at else None
        made[parent_id] = (*made.get(parent_id, ()), VisitMade(ended_at.astimezone(zone), visitor, reported))
    return made


def _case(
    case: Any, facts: _Facts | Facts, on: date, held_to: HeldTo, visits: tuple[VisitMade, ...], *, paid: bool,
    forms: Mapping[int, datetime | None],
) -> CaseDay:  # fmt: skip
    state, since = case.state, case.state_since
    holds, promised = _NO_HOLDS, False
    if facts.spoilt:
        by = {one.by for one in facts.spoilt if one.first <= on and (one.last is None or one.last >= on)}
        holds = frozenset(name for name in by if not name.startswith(PROMISE))
        promised = len(holds) < len(by)
    return CaseDay(
        state, case.oldest_due_date, case.opened_on, case.principal_at_opening_fen,
        lost_on=since if state in held_to.lost else None,
        back_on=max((day for day in (facts.recalled_on, facts.matter_ended_on) if day is not None), default=None),
        visit_reported=bool(facts.visit_photos) or facts.visit_stated,
        repaired_on=facts.repaired_on, repair_good_until=facts.repair_good_until,
        placed_on=since if state in held_to.placed else None,
        excepted=facts.exception_until is not None and facts.exception_until >= on,
        excepted_on=facts.exception_on,
        holds=holds, promised=promised, paid=paid, visits=visits, form_asked=case.id in forms,
        form_stands=facts.disposal_form_on is not None and facts.disposal_form != RETURNED,
        form_filed_at=forms.get(case.id) if facts.disposal_form is not None else None,
    )  # fmt: skip


def counts_of(found: Iterable[Row]) -> dict[str, dict[str, int]]:
    """By duty: how many done, late, open, and exempt by what, in small letters."""
    counts: dict[str, dict[str, int]] = {}
    for (duty, what), number in sorted(Counter((row[2], (row[5] or row[4]).lower()) for row in found).items()):
        counts.setdefault(duty, {})[what] = number
    return counts


def digest_of(found: Iterable[Sequence[Any]]) -> bytes:
    """SHA-256 over rows in the order of case and duty."""
    digest = hashlib.sha256()
    for _, case_id, duty, loan_id, status, exempt_by, due_on, owed_by, _ in found:
        digest.update(f"{case_id} {duty} {loan_id} {status} {exempt_by} {due_on} {owed_by}\n".encode())
    return digest.digest()
