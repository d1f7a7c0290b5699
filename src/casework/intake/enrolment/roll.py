"""Bringing the register to what a file of staff says: all of it or nothing, every fault told, nothing done twice."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.intake.enrolment import grants
from casework.intake.enrolment.grants import (
    PostsGranted,
    at_the_shell,
    enrol,
    grant,
)
from casework.intake.enrolment.sheet import MOST_BYTES, PeopleSheet, SheetLine, post_names, read_sheet, staff_columns
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.fault import Fault, check_few
from casework.intake.sheets.mending import placed
from casework.intake.sheets.taken import Difference, FileTaken
from casework.log.write.trail import Trail
from casework.people.staff import (
    conflicts,
    mistakes,
    places,
    register,
)
from casework.people.staff.actor import Actor
from casework.people.staff.dossier import persons
from casework.people.staff.person import (
    ACTIVE,
    UNVERIFIED,
    Person,
    day_before,
)
from casework.people.staff.posts import post_labels
from casework.people.staff.tables import staff
from casework.storage import rows
from casework.work.cases.branch import Branch

_COLUMN_OF: Final = {
    "unknown_team": "team", "unknown_region": "region", "region_differs": "region", "posts_conflict": "posts",
    "unknown_post": "posts", "post_held_already": "posts", "request_open_already": "posts",
    "shell_grants_off": "posts", "post_not_permitted": "posts",
}  # fmt: skip
_UNREAD: Final = "未知"
"""The name of who has none that can be read, until all of it is undone."""
_NAMES = sa.select(staff.c.staff_no, staff.c.name)
_LOCKED_AT_A_TIME: Final = 5_000


@dataclass(slots=True)
class Outcome:
    """What was done, or would have been. With a fault, or in a dry run, nothing has changed."""

    rows: int
    applied: bool = False
    unchanged: int = 0
    differences: list[Difference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    first_hidden: bool = False


def take_staff_list(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """`import_staff` as every file of rows is taken: new are people, changed those of whom something is another.

    CallerErrors of `import_staff`, `file_too_large`.
    """
    if len(content) > MOST_BYTES:
        most = MOST_BYTES >> 20
        raise CallerError("file_too_large", f"{name}超过{most} MiB", f"{name} has more than {most} MiB")
    outcome = import_staff(conn, branch, content, name, actor=actor, progress=progress)
    joined = {one.line for one in outcome.differences if one.field == "status"}
    others = {one.line for one in outcome.differences} - joined
    taken = FileTaken(
        outcome.rows, stored=len(joined), changed=len(others), repeated=outcome.unchanged,
        set_aside=outcome.faults, differences=outcome.differences,
    )  # fmt: skip
    return taken if outcome.applied else taken.undone()


def import_staff(
    conn: Connection, branch: Branch, content: bytes, name: str, *, actor: Actor, dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:  # fmt: skip
    """`bring` the register to what a file says; every fault with its cell, and what is expected there.

    CallerErrors of `read_rows` and `read_sheet`.
    """
    labels, lines = post_labels(branch.rulebook.chart), read_rows(content, name)
    sheet = read_sheet(lines, post_names(labels))
    outcome = bring(conn, branch, sheet, actor=actor, dry_run=dry_run, progress=progress)
    outcome.faults, outcome.first_hidden = (
        placed(outcome.faults, content, name, staff_columns(labels)),
        lines.first_hidden,
    )
    return outcome


def bring(
    conn: Connection, branch: Branch, sheet: PeopleSheet, *, actor: Actor, dry_run: bool = False, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:  # fmt: skip
    """Compare the lines with the register and carry out every difference; `dry_run` only tells them.

    Whoever is not in the file stays as they are. A post that the file names is granted or asked for as by `grants`, one
    it no longer names ends at once. The caller commits.
    """
    outcome = Outcome(len(sheet.lines), faults=list(sheet.faults), unread=sheet.unread)
    trail = branch.trail(clock())
    lines = sorted((*sheet.lines, *sheet.faulty), key=lambda line: line.line)
    numbers = sorted({line.staff_no for line in lines})
    names = {row[0]: row[1] for row in rows.select_by_keys(conn, _NAMES, "staff_no", numbers)}
    people: dict[str, Person] = {}
    for start in range(0, len(numbers), _LOCKED_AT_A_TIME):
        people |= persons(conn, numbers[start : start + _LOCKED_AT_A_TIME], lock=True)
    asked = grants.asked_for(conn)
    tried = conn.begin_nested()
    for number, line in enumerate(lines):
        progress(number)
        before = people.get(line.staff_no)
        roll = _Roll(conn, branch, trail, actor, clock, line, outcome, asked)
        found = [*roll.differences(before, names.get(line.staff_no))]
        if any(fault.line == line.line for fault in outcome.faults[-1:]) or line in sheet.faulty:
            continue
        outcome.differences += found
        outcome.unchanged += not found
    outcome.faults.sort(key=lambda fault: fault.line)
    check_few("file", outcome.faults)
    if outcome.faults or dry_run:
        tried.rollback()
        return outcome
    tried.commit()
    trail.write(conn)
    outcome.applied = True
    return outcome


@dataclass(frozen=True, slots=True)
class _Roll:
    """One line being carried out."""

    conn: Connection
    branch: Branch
    trail: Trail
    actor: Actor
    clock: Clock
    line: SheetLine
    outcome: Outcome
    asked: Mapping[str, frozenset[str]]  # posts that requests ask for already

    def differences(self, before: Person | None, name: str | None) -> Iterator[Difference]:
        """Carry out the line, one difference after the other; whatever cannot be is told, each thing by itself."""
        if before is None or before.status == UNVERIFIED:
            yield from self._as_far(partial(self._joins, before))
            if self.actor.kind != "system":
                yield from self._as_far(lambda line: self._asks(line, set(line.posts)))
        elif before.status != ACTIVE:
            wrong = mistakes.wrong_status(before.staff_no, before.status, ACTIVE)
            self.outcome.faults.append(_fault(self.line, wrong))
        else:
            for step in (partial(self._particulars, before, name), partial(self._home, before)):
                yield from self._as_far(step)
            yield from self._as_far(partial(self._posts, before))

    def _as_far(self, step: Callable[[SheetLine], Iterator[Difference]]) -> Iterator[Difference]:
        """What a step does, without the cells for which it cannot be done: each is a fault. It decides, then writes."""
        line: SheetLine | None = self.line
        while line is not None:
            try:
                yield from [*step(line)]
                return
            except CallerError as mistake:
                found = _fault(line, mistake)
                self.outcome.faults.append(found)
                line = line.without(found.column)

    def _joins(self, before: Person | None, line: SheetLine) -> Iterator[Difference]:
        _, granted = enrol(
            self.conn, self.branch, self.trail, self.actor, staff_no=line.staff_no, name=line.name or _UNREAD,
            posts=line.posts if self.actor.kind == "system" else (), team=line.team, region=line.region,
            capacity=line.capacity, joined_on=line.joined_on, leaves_on=line.leaves_on, clock=self.clock,
        )  # fmt: skip
        yield self._difference("status", before.status if before else None, ACTIVE)
        yield self._difference("name", None, line.name)
        for column in ("team", "region", "capacity", "joined_on", "leaves_on"):
            value = getattr(line, column)
            if value is not None:
                yield self._difference(column, None, value)
        yield from self._granted(granted)

    def _particulars(self, before: Person, name: str | None, line: SheetLine) -> Iterator[Difference]:
        figures: dict[str, Any] = {
            column: getattr(line, column) for column in ("capacity", "leaves_on")
            if column in line.says and getattr(line, column) != getattr(before, column)
        }  # fmt: skip
        renamed = None if line.name in ("", name) else line.name
        joined_on = None if line.joined_on == before.joined_on else line.joined_on
        if not figures and renamed is None and joined_on is None:
            return
        register.change(
            self.conn, self.trail, self.actor, staff_no=line.staff_no, name=renamed, joined_on=joined_on,
            figures=figures,
        )  # fmt: skip
        if renamed is not None:
            yield self._difference("name", name, renamed)
        if joined_on is not None:
            yield self._difference("joined_on", before.joined_on, joined_on)
        for column, value in figures.items():
            yield self._difference(column, getattr(before, column), value)

    def _home(self, before: Person, line: SheetLine) -> Iterator[Difference]:
        home = before.home_on(self.trail.today)
        team, region = (home.team, home.region) if home else (None, None)
        wanted = line.team if "team" in line.says else team
        in_region = line.region if "region" in line.says else self._region(wanted, region)
        if (wanted, in_region) == (team, region):
            return
        register.move(
            self.conn, self.trail, self.actor, staff_no=line.staff_no, team=wanted, region=in_region,
            from_on=self.trail.today, cause={},
        )  # fmt: skip
        if wanted != team:
            yield self._difference("team", team, wanted)
        if in_region != region:
            yield self._difference("region", region, in_region)

    def _region(self, team: str | None, was: str | None) -> str | None:
        """Where the file names a team only: the team's region, or as it was if the team has none."""
        return next((one.region for one in places.all_teams(self.conn) if one.code == team and one.region), was)

    def _posts(self, before: Person, line: SheetLine) -> Iterator[Difference]:
        if "posts" not in line.says:
            return
        today = self.trail.today
        held = {one.post for one in before.posts if one.until_on is None or one.until_on >= today}  # some begin later
        wanted = set(line.posts)
        conflicts.check_posts(self.branch.rulebook.permissions, wanted)
        for post in sorted(held - wanted):
            register.end_post(
                self.conn, self.trail, self.actor, staff_no=line.staff_no, post=post, on=day_before(today)
            )  # fmt: skip
            yield self._difference("post", post, None)
        yield from self._asks(line, wanted - held)

    def _asks(self, line: SheetLine, posts: AbstractSet[str]) -> Iterator[Difference]:
        """Grant these posts, or ask for them where nobody has yet."""
        today = self.trail.today
        conflicts.check_posts(self.branch.rulebook.permissions, line.posts)
        missing = sorted(posts - self.asked.get(line.staff_no, frozenset()))
        if missing:
            at_the_shell(self.branch, self.actor, today)
        yield from self._granted([
            grant(
                self.conn, self.branch, self.trail, self.actor, staff_no=line.staff_no, post=post, from_on=today,
                clock=self.clock,
            )
            for post in missing
        ])  # fmt: skip

    def _granted(self, granted: Sequence[PostsGranted]) -> Iterator[Difference]:
        for one in granted:
            for reason in one.reasons:
                self.outcome.faults.append(Fault(self.line.line, "posts", reason.code, reason.zh, reason.en))
            if not one.reasons:
                yield self._difference("post", None, one.post, one.request)

    def _difference(self, field_: str, before: Any, after: Any, request: int | None = None) -> Difference:
        return Difference(self.line.line, self.line.staff_no, field_, _text(before), _text(after), request)


def _text(value: Any) -> str | None:
    return None if value is None else value.isoformat() if isinstance(value, date) else str(value)


def _fault(line: SheetLine, mistake: CallerError) -> Fault:
    """The register's mistake, at the column that it is about."""
    column = mistake.facts.get("field") or _COLUMN_OF.get(mistake.code)
    return Fault(line.line, column if isinstance(column, str) else None, mistake.code, mistake.zh, str(mistake))
