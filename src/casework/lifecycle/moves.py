"""Moving the living to the next version of their chart: what would go where, and batch after batch of it.

The row of a subject says under which version it lives: who was moved is not moved again, and a run that was broken off
goes on where it was. What is over for good stays with the version under which it ended.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.lifecycle.advance import House, advance
from casework.lifecycle.commands import Done, Mistaken, Move
from casework.lifecycle.kept import Kept
from casework.lifecycle.versions import MOVED_ALREADY, NO_MOVE, title_before, version_of, why_not
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import Chart

AT_ONCE = 1_000
MOVED = "chart.moved"
STAYS = "over_for_good"
REASONS: Mapping[str, tuple[str, str]] = {
    MOVED_ALREADY: ("已属此版本或更新版本", "it lives under this version already, or under a later one"),
    STAYS: ("已了结，留在原版本", "it is over for good and stays with the version under which it ended"),
    "other_version": ("须先迁移至前一版本", "it must be moved to the version before this one first"),
    NO_MOVE: ("本版[moves]未规定其状态的去向", "the [moves] of this version do not say where its state goes"),
    "would_end": ("迁移不得使其了结", "a move would end it, which only an event may"),
    "would_revive": ("迁移不得使其恢复", "a move would revive it, which only an event may"),
}


class Group(msgspec.Struct, frozen=True):
    """So many subjects in one state of one version: where they go (`to`), or why they do not."""

    chart: str
    state: str
    to: str | None
    why: str | None
    why_zh: str | None
    why_en: str | None
    count: int


class Plan(msgspec.Struct, frozen=True):
    """What a move to a version (`chart`) finds: how many would move, stay for good or as they are, and cannot go."""

    chart: str
    digest: str
    moving: int
    staying: int
    cannot: int
    groups: list[Group]


class Line(msgspec.Struct, frozen=True):
    """One subject that would move (`to`) or cannot, and why."""

    id: int
    chart: str
    state: str
    to: str | None
    why: str | None


class Way(msgspec.Struct, frozen=True):
    """So many were moved from one state to another, or the same."""

    state: str
    to: str
    count: int


@dataclass(slots=True)
class Batch:
    """What one batch did: how many went from where to where, and how many did not and why; `after`: its last number."""

    after: int | None = None
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_moved: Counter[str] = field(default_factory=Counter)


def ways_of(moved: Counter[tuple[str, str]]) -> list[Way]:
    """In the order of the states."""
    return [Way(state, to, count) for (state, to), count in sorted(moved.items())]


def stream_of(chart: str) -> str:
    """The stream in which the moves of a chart are approved and reported."""
    return f"chart:{chart}"


def plan(conn: Connection, noun: Kept, chart: Chart, before: Chart | None) -> Plan:
    """Count by version and state; `before` is the version that `chart` moves from."""
    columns = noun.table.c
    by = (columns.chart, columns.state, columns.live)
    counted = conn.execute(sa.select(*by, sa.func.count()).group_by(*by).order_by(*by)).all()
    groups = [_group(chart, before, *row) for row in counted]
    kinds: Counter[str] = Counter()
    for group in groups:
        kinds["moving" if group.why is None else "staying" if group.why in STAYING else "cannot"] += group.count
    return Plan(chart.title, chart.digest, kinds["moving"], kinds["staying"], kinds["cannot"], groups)


STAYING = (MOVED_ALREADY, STAYS)


def lines(
    conn: Connection, noun: Kept, chart: Chart, before: Chart | None, *, after: int = 0, limit: int | None = None
) -> list[Line]:
    """Those that would move or cannot, in the order of their numbers; those that stay are left out."""
    columns = noun.table.c
    wanted = sa.select(columns.id, columns.chart, columns.state, columns.live).where(
        columns.id > after, columns.chart != chart.title
    )
    found: list[Line] = []
    for number, title, state, live in conn.execute(wanted.order_by(columns.id), execution_options={"yield_per": 1_000}):
        why = _why(chart, before, title, state, live=live)
        if why not in STAYING:
            found.append(Line(number, title, state, chart.moves[state] if why is None else None, why))
        if limit is not None and len(found) >= limit:
            break
    return found


def _group(chart: Chart, before: Chart | None, title: str, state: str, live: bool, count: int) -> Group:
    why = _why(chart, before, title, state, live=live)
    zh, en = (None, None) if why is None else REASONS[why]
    return Group(title, state, chart.moves[state] if why is None else None, why, zh, en, count)


def _why(chart: Chart, before: Chart | None, title: str, state: str, *, live: bool) -> str | None:
    if version_of(title) > chart.version:
        return MOVED_ALREADY
    why = why_not(chart, state, title, live=live)
    if why == NO_MOVE and before is not None and state in before.states and before.states[state].final:
        return STAYS
    return why


def move_batch(
    conn: Connection, house: House, noun: Kept, chart: Chart, request: int, *, actor: Actor, after: int = 0,
    at_once: int = AT_ONCE, clock: Clock = now,
) -> Batch:  # fmt: skip
    """Move the next few with numbers above `after`, each with its entry, and write down how many; the caller commits.

    The service moves, `actor` had it run. `after` of the outcome is none when there were no more.
    """
    columns, batch = noun.table.c, Batch()
    wanted = sa.select(columns.id, columns.state).where(
        columns.chart == title_before(chart), columns.state.in_(sorted(chart.moves)), columns.id > after
    )
    numbers = [row.id for row in conn.execute(wanted.order_by(columns.id).limit(at_once))]
    if not numbers:
        return batch
    batch.after = numbers[-1]
    commands = [
        Move(actor=system("move"), id=number, noun=noun.chart, chart=chart, request=request) for number in numbers
    ]
    for outcome in advance(conn, commands, house, clock=clock):
        if isinstance(outcome, Done):
            batch.moved[str(outcome.from_state), outcome.state] += 1
        elif isinstance(outcome, Mistaken) and outcome.code != MOVED_ALREADY:  # another run was here meanwhile
            batch.not_moved[outcome.code] += 1
    if batch.moved:
        trail = house.trail(clock())
        said = {
            "chart": chart.ref, "request": request, "from_id": numbers[0], "to_id": numbers[-1],
            "moved": [msgspec.to_builtins(way) for way in ways_of(batch.moved)],
            "not_moved": dict(sorted(batch.not_moved.items())),
        }  # fmt: skip
        trail.append(conn, stream_of(chart.name), Draft(MOVED, actor.signed, said, chart=chart.ref))
        trail.write(conn)
    return batch
