"""A contact file into the log: what is new goes in, what was there changes nothing, bad rows are set aside.

All of the file or, where it cannot be read to its end, nothing of it; rows pass through in slices, so that memory does
not grow with the file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import ids
from casework.clock import Clock, now
from casework.errors import CallerError
from casework.intake.dialler.called_back import close_call_backs
from casework.intake.dialler.checked import checks_of
from casework.intake.dialler.learning import learn_at_once
from casework.intake.dialler.recording import REPEATED, Not, Recorded, record
from casework.intake.dialler.row import Aside, Given, Reader, contact_columns, fault_of
from casework.intake.feed.books import booked
from casework.intake.feed.sheet import UNPACKED_LIMIT, read_rows
from casework.intake.feed.write import name_staff
from casework.intake.sheets.fault import check_few, in_order
from casework.intake.sheets.mending import placed
from casework.intake.sheets.taken import FileTaken
from casework.people.staff.actor import Actor, system
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.tasks.checks import Check, add_checks

_SLICE: Final = 5_000  # rows
_WAIT: Final = "10min"
_WAITING: Final = sa.text("SELECT set_config('lock_timeout', :length, true)")


@dataclass(slots=True)
class Taken(FileTaken):
    """The same of contacts.

    `late`: of a day before the business date. `reached`: how many cases were taken back because their debtor was.
    """

    late: int = 0
    reached: int = 0

    def undone(self) -> Self:
        """The same where nothing of it was stored."""
        return replace(FileTaken.undone(self), late=0, reached=0)  # by name: a class with slots is made twice


def read_bounded(path: Path, most: int = UNPACKED_LIMIT) -> bytes:
    """The bytes of a file, at most so many; CallerErrors `file_too_large`, `file_unreadable`."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CallerError(
            "file_unreadable", f"{path.name} 无法读取", f"{path.name} cannot be read: {error.strerror}", file=path.name
        ) from None
    if len(content) > most:
        raise CallerError(
            "file_too_large", f"{path.name} 过大，上限 {most >> 20} MiB",
            f"{path.name} is too large: at most {most >> 20} MiB", file=path.name, limit_bytes=most,
        )  # fmt: skip
    return content


@seldom_collected()
def import_contacts(
    conn: Connection, branch: Branch, content: bytes, name: str, source: str, actor: Actor, *,
    clock: Clock = now, progress: Callable[[int], None] = lambda _: None,
) -> Taken:  # fmt: skip
    """Take in a contact file in the caller's transaction; `source` is a code of `recording`, `name` is for errors.

    One file at a time: of two with the same rows the second finds them recorded.
    CallerErrors of `read_rows` and `Reader`; `too_many_set_aside`.
    """
    _wait_for_others(conn)
    taken, lines, at = Taken(), read_rows(content, name), clock()
    numbered = iter(lines)
    header = next(numbered, (0, ()))[1]
    reader = Reader(header, branch.rulebook.results, at, errors=lines.errors)
    days = business_dates(conn)
    read, checks = _read(reader, numbered), list[Check]()
    while part := list(islice(read, _SLICE)):
        good = [one for one in part if isinstance(one, Given)]
        taken.rows += len(part)
        _not_read(conn, taken, [one for one in part if isinstance(one, Aside)])
        outcome = record(conn, branch, good, source, actor, at)
        recorded = [(row, one) for row, one in zip(good, outcome, strict=True) if isinstance(one, Recorded)]
        _not_recorded(taken, zip(good, outcome, strict=True))
        _name(conn, branch, taken, [row for row, _ in recorded], actor)
        taken.stored += len(recorded)
        taken.late += sum(_is_late(branch, one, days) for _, one in recorded)
        close_call_backs(conn, branch, [one for _, one in recorded], via=actor.via, clock=clock)
        connected = [one.contact for _, one in recorded if one.contact.connected]
        taken.reached += learn_at_once(conn, branch, connected, via=actor.via, clock=clock).get("reached", 0)
        checks += checks_of(branch, (one for _, one in recorded))
        check_few(name, taken.set_aside)
        progress(taken.rows)
    add_checks(conn, branch, checks, system(actor.via), at)  # last: until the end the lists are others' to act on
    columns = contact_columns(branch.rulebook.results)
    taken.set_aside = placed(in_order(taken.set_aside), content, name, columns)
    taken.warnings = placed(in_order(taken.warnings), content, name, columns)
    return taken


def _wait_for_others(conn: Connection) -> None:
    """Until other files are in, however long they are; on SQLite whoever writes holds the database."""
    if conn.dialect.name == "sqlite":
        return
    usual = conn.execute(sa.text("SELECT current_setting('lock_timeout')")).scalar_one()
    conn.execute(_WAITING, {"length": _WAIT})
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dialler/contact-file'))"))
    conn.execute(_WAITING, {"length": usual})


def _read(reader: Reader, rows: Iterable[tuple[int, list[str]]]) -> Iterator[Given | Aside]:
    return (reader.read(line, cells) for line, cells in rows)


def _not_read(conn: Connection, taken: Taken, aside: Sequence[Aside]) -> None:
    """Everything that is wrong with them, a loan that nobody knows too."""
    named = {one.loan_id for one in aside if one.loan_id is not None and ids.fault_of(one.loan_id) is None}
    known = booked(conn, sorted(named)).keys() if named else set[str]()
    for one in aside:
        taken.set_aside += one.faults
        if one.loan_id in named - known:
            taken.set_aside.append(fault_of(one.line, one.contact_ref, "loan_id", "unknown_loan"))


def _not_recorded(taken: Taken, told: Iterable[tuple[Given, Recorded | Not]]) -> None:
    for row, one in told:
        if one is REPEATED:
            taken.repeated += 1
        elif isinstance(one, Not):
            taken.set_aside.append(fault_of(row.line, row.contact_ref, one.column, one.kind))


def _name(conn: Connection, branch: Branch, taken: Taken, recorded: list[Given], actor: Actor) -> None:
    named = {row.staff_no for row in recorded if row.staff_no is not None}
    unknown = set(name_staff(conn, branch, named, actor)) if named else set()
    first = {row.staff_no: row for row in reversed(recorded) if row.staff_no in unknown}
    taken.warnings += [fault_of(row.line, row.contact_ref, "staff_no", "unknown_staff") for row in first.values()]


def _is_late(branch: Branch, one: Recorded, days: dict[str, date]) -> bool:
    """Whether it is of a day before the business date."""
    day = days.get(one.contact.institution)
    return day is not None and branch.today(one.contact.started_at) < day
