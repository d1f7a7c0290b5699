"""Giving out a morning's cases: planned, carried out a thousand at a time, told alike at shell, API and page."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from typing import Final

import msgspec
from sqlalchemy.engine import Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.distribution import Distribution, plan
from casework.work.cases.gather import closed_through

AT_ONCE: Final = 1_000


class MoveTold(msgspec.Struct):
    """A case that goes to another handler: by which rule, for which post (none: to its owner)."""

    case_id: int
    loan_id: str
    owner: str
    from_handler: str
    handler: str
    rule: str
    post: str | None


class UnplacedTold(msgspec.Struct):
    """A case that nobody of the post may have, so that its owner works on it: no_holder, no_capacity, all_full."""

    case_id: int
    loan_id: str
    post: str
    code: str


class HandlerTold(msgspec.Struct):
    """How many live cases somebody handles before and after, of how many at most."""

    staff_no: str
    before: int
    after: int
    capacity: int | None


class AnsweredFor(msgspec.Struct):
    """Who answers that day in the place of a handler who is off, and by what (`casework.people.shifts.answering`)."""

    staff_no: str
    answers: str
    why: str


class Distributed(msgspec.Struct):
    """What a morning's distribution did, or (`dry_run`) would do; `refused`: cases that changed meanwhile."""

    on: date
    dry_run: bool
    cases: int
    kept_by_hand: int
    moves: list[MoveTold]
    unplaced: list[UnplacedTold]
    handlers: list[HandlerTold]
    answers: list[AnsweredFor]
    refused: list[int]


def distribute(
    engine: Engine, branch: Branch, on: date, *, actor: Actor, dry_run: bool = False, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> Distributed:  # fmt: skip
    """Plan the morning of a day and, unless it is a dry run, carry it out: a thousand cases to a transaction.

    Broken off and run again it moves what is left. `progress` gets how many were moved so far. CallerErrors, unless it
    is a dry run: `day_to_come` for a day after tomorrow, `day_given_out` for one before the last that was closed.
    """
    if not dry_run and on > branch.today(clock()) + timedelta(days=1):
        raise CallerError(
            "day_to_come", f"{on}晚于明天，只可预览", f"{on} is after tomorrow: it can only be tried", day=str(on)
        )
    with reading(engine, snapshot=True) as conn:
        closed = closed_through(conn)
        if not dry_run and closed is not None and on < closed:
            raise CallerError("day_given_out", day=str(on), closed=str(closed))
        made = plan(conn, branch, on, clock=clock)
    refused: list[int] = []
    commands, done = iter(() if dry_run else made.commands(actor)), 0
    while part := list(islice(commands, AT_ONCE)):
        progress(done)
        with writing(engine) as conn:
            outcomes = advance(conn, part, branch, clock=clock)
        refused += [command.id for command, one in zip(part, outcomes, strict=True) if not isinstance(one, Done)]
        done += len(part)
    progress(done)
    return _told(made, refused, dry_run=dry_run)


def _told(made: Distribution, refused: list[int], *, dry_run: bool) -> Distributed:
    return Distributed(
        made.on, dry_run, made.cases, len(made.by_hand),
        [
            MoveTold(
                one.case.id, one.case.loan_id, one.case.owner, one.case.handler, one.handler, one.rule.name, one.post
            )
            for one in made.moves
        ],
        [UnplacedTold(one.case.id, one.case.loan_id, one.post, one.code) for one in made.unplaced],
        [
            HandlerTold(who, made.before.get(who, 0), number, made.capacity.get(who))
            for who, number in sorted(made.after.items())
        ],
        [AnsweredFor(who, one.staff_no, one.why) for who, one in made.answers.items()],
        refused,
    )  # fmt: skip
