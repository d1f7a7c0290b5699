"""The days of a folder of contact files over feeds, for the pure judge of duties: no database, no import.

Lost contact and judgements of promises are taken from the independent figures; everything else from the files.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from casework.customer import Customer
from casework.rules.calendar import Calendar
from casework.work.cases.duty_rules import HeldTo
from casework.work.cases.rulebook import Rulebook
from casework.work.contacts.contact import Contact
from casework.work.contacts.results import Results
from casework.work.duties.debtor import DebtorDay, contacts_duty, counted, forbidden
from casework.work.duties.judge import CaseDay, Day, Duty, duties_of
from casework.work.gate.judge import Asked, Wish
from casework.work.gate.limits import Limits, limits_of
from casework.work.gate.seen import Course, Line, key_of, see
from casework.work.gate.standing import Standing
from tests.work.gate.files import ZONE, Files, read, rows

_DAY = timedelta(days=1)
_NOWHERE = Standing()


class Overdue(NamedTuple):
    """A loan in the snapshot of a day, and since when, with how much, its case is open."""

    due_on: date
    opened_on: date
    principal_fen: int


class _By(NamedTuple):
    """What contacts and duties are judged by."""

    limits: Limits
    held_to: HeldTo
    results: Results


class Told(NamedTuple):
    """The duties of a day by loan; and how many loans the snapshot has."""

    on: date
    in_house: int
    duties: dict[str, list[Duty]]


def day_of(
    on: date, contacts: Sequence[Contact], at_midnight: Asked, live_since: date, rest_days: int,
    apart: timedelta = timedelta(),
) -> DebtorDay:  # fmt: skip
    """The day `on`, from the debtor's contacts that are known at its close, in order, none of a later day.

    `at_midnight`: gate and numbers at 00:00 (`act` is a wish at that time). `live_since`: when the first of the cases
    that are live now was opened.
    """
    midnight, zone = at_midnight.act.started_at, at_midnight.limits.zone
    today = [one for one in contacts if one.started_at >= midnight]
    proving = [one for one in today if not one.late]
    visits = [one.started_at.astimezone(zone).date() for one in contacts if one.channel == "visit"]
    owed, called = contacts_duty(on, contacts, at_midnight, live_since, rest_days)
    return DebtorDay(
        attempts=counted((one.started_at for one in proving if one.is_attempt), apart),
        connected=any(one.connected for one in proving),
        reached=any(one.connected for one in today),
        forbidden=forbidden(at_midnight.limits),
        contacts_owed=owed,
        contacts_called=called,
        visited_on=max(visits, default=None),
    )


def days(folder: Path, feeds: Path, rulebook: Rulebook) -> tuple[dict[str, Any], list[Told]]:
    """What is expected, and the days of the files in order."""
    policy, results = rulebook.policies.all[0], rulebook.results
    files, by = read(folder, feeds, results), _By(limits_of(policy), rulebook.duties.held_to(policy), results)
    promises, found = _promises(folder, files), []
    for on, snapshot in _snapshots(feeds):
        known = [one for one in files.contacts if _day(one.recorded_at) <= on and _day(one.started_at) <= on]
        debtors = _debtors(on, known, files, snapshot, by)
        day, duties = Day.of(on, Calendar(), by.held_to), {}
        for loan, overdue in snapshot.items():
            case = _case(loan, overdue, on, files, promises.get(loan, ()))
            duties[loan] = duties_of(case, debtors.get(files.debtor_of[loan], DebtorDay()), day, by.held_to)
        found.append(Told(on, len(snapshot), duties))
    return files.expected, found


def _snapshots(feeds: Path) -> Iterator[tuple[date, dict[str, Overdue]]]:
    before: dict[str, Overdue] = {}
    principal: dict[str, str] = {}
    for folder in sorted(feeds.iterdir()):
        on, found = date.fromisoformat(folder.name), {}
        principal |= {row["loan_id"]: row["outstanding_principal"] for row in rows(folder, "loans-*.csv")}
        for row in rows(folder, "overdue-*.csv"):
            loan, due_on = row["loan_id"], date.fromisoformat(row["oldest_due_date"])
            yuan = row.get("outstanding_principal") or principal[loan]
            opened = before.get(loan, Overdue(due_on, on, round(float(yuan) * 100)))
            found[loan] = opened._replace(due_on=due_on)
        yield on, found
        before = found


def _debtors(
    on: date, known: list[Contact], files: Files, snapshot: dict[str, Overdue], by: _By
) -> dict[str, DebtorDay]:  # fmt: skip
    midnight = datetime.combine(on, time(), ZONE)
    courses: dict[str, Course] = defaultdict(Course)
    lines: dict[bytes, Line] = defaultdict(Line)
    of_debtor: dict[str, list[Contact]] = defaultdict(list)
    since: dict[str, date] = {}
    for loan, overdue in snapshot.items():
        debtor = files.debtor_of[loan]
        since[debtor] = min(overdue.opened_on, since.get(debtor, date.max))
    for one in sorted(known, key=key_of):
        of_debtor[one.borrower_id].append(one)
        if one.started_at < midnight:
            line = lines[one.number] if one.number is not None else Line()
            see(one, courses[one.borrower_id], line, ZONE, by.results.by_code[one.result].number)
    found = {}
    for debtor in {*of_debtor, *(who.borrower_id for who in files.standings)}:
        wish = Wish("", "contact", "call", "locate", None, midnight)
        standing = files.standings.get(Customer("one", debtor), _NOWHERE)
        asked = Asked(wish, courses[debtor], lines, standing, by.limits)
        found[debtor] = day_of(on, of_debtor[debtor], asked, since.get(debtor, on), by.held_to.contacts_rest_days)
    return found


def _case(loan: str, overdue: Overdue, on: date, files: Files, promises: tuple[tuple[date, date], ...]) -> CaseDay:
    debtor = files.debtor_of[loan]
    lost_on = _lost_on(loan, on, files)
    return CaseDay(
        state="phone_collection" if lost_on is None else "lost_contact",
        due_on=overdue.due_on,
        opened_on=overdue.opened_on,
        principal_fen=overdue.principal_fen,
        lost_on=lost_on,
        holds=_holds(loan, on, files.standings.get(Customer("one", debtor), _NOWHERE)),
        promised=any(made_on <= on <= judged_on for made_on, judged_on in promises),
    )


def _lost_on(loan: str, on: date, files: Files) -> date | None:
    """Since when it is lost, unless the debtor was heard of since or the case is another one."""
    expected = files.expected["loans"].get(loan)
    marked = [date.fromisoformat(day) for day in expected["lost"]] if expected else []
    lost_on = max((day for day in marked if day <= on), default=None)
    if lost_on is None:
        return None
    opened_on = max(day for day in map(date.fromisoformat, expected["opened"]) if day <= on)
    heard = [one for one in files.contacts if one.connected and one.borrower_id == files.debtor_of[loan]]
    if lost_on < opened_on or any(lost_on < _day(one.recorded_at) <= on for one in heard):
        return None
    return lost_on


def _holds(loan: str, on: date, standing: Standing) -> frozenset[str]:
    begins, ends = datetime.combine(on, time(), ZONE), datetime.combine(on + _DAY, time(), ZONE)
    return frozenset(
        one.name for one in standing.holds
        if one.binds(loan) and one.begins_at < ends and (one.ends_at is None or one.ends_at > begins)
    )  # fmt: skip


def _promises(folder: Path, files: Files) -> dict[str, tuple[tuple[date, date], ...]]:
    """When each promise was made, and first judged, by loan."""
    found: dict[str, tuple[tuple[date, date], ...]] = {}
    for row in rows(folder, "promises.csv"):
        told = files.expected["promises"][row["ref"]]
        first = [*told.get("before", ()), told][0].get("judged_on")
        span = date.fromisoformat(row["made_on"]), date.fromisoformat(first) if first else date.max
        found[row["loan_id"]] = (*found.get(row["loan_id"], ()), span)
    return found


def _day(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()
