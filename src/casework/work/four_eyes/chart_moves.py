"""A chart's next version takes over the living: looked at, asked for, approved by somebody else, carried out, reported.

The kind `chart_move` of four eyes: its subject is `chart:<name>`, `what` the version (`overdue_loan@2`), its data the
plan as it was shown. Approval lets the run begin; the run is batches of their own (`lifecycle.moves`), each committed,
so that it can be broken off at any moment and goes on when it is started again.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.lifecycle import moves
from casework.lifecycle.kept import Kept
from casework.lifecycle.moves import Plan, Way, ways_of
from casework.lifecycle.versions import title_before
from casework.log.tables import entries
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Reason
from casework.storage.database import writing
from casework.work.cases.branch import Branch
from casework.work.cases.publish import version_published
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.kinds import Carried
from casework.work.four_eyes.recording import Asked, Refused
from casework.work.four_eyes.tables import requests
from casework.work.requests import MOVE, Request

NAME: Final = MOVE
PREFIX: Final = "chart:"
APPROVED: Final = "chart.move_approved"
PINNED: Final = 1  # a published version never changes, and who lives in which state is asked again batch by batch
RULES: Final = ("1.1.4", "5.4")


class Progress(msgspec.Struct):
    """How far a move is: the plan as it would be now, the last request about it, and what has been moved."""

    plan: Plan
    request: int | None = None
    request_state: str | None = None
    moved: int = 0
    batches: int = 0
    ways: list[Way] = []
    not_moved: dict[str, int] = {}
    first_at: str | None = None
    last_at: str | None = None


def named(conn: Connection, branch: Branch, name: str, version: int | None = None) -> tuple[Kept, Chart, Chart | None]:
    """The noun, the version of its chart (none: the one in force) and the one before it, as they are published.

    CallerErrors `unknown_chart`, `unknown_version`, `no_version_before`.
    """
    movable = {one.chart: one for one in (*branch.nouns, *branch.above.apart)}
    noun = movable.get(name)
    if noun is None:
        known = ", ".join(sorted(movable))
        raise CallerError(
            "unknown_chart", f"没有这样的状态图，可选：{known}", f"there is no such chart; known: {known}"
        )
    title = branch.rulebook.charts[name].title if version is None else f"{name}@{version}"
    chart = version_published(conn, title)
    if chart is None or chart.version > branch.rulebook.charts[name].version:
        raise CallerError(
            "unknown_version", f"未发布过 {title[:80]}，或尚未启用",
            f"{title[:80]} was never published here, or is not in force yet",
        )  # fmt: skip
    if chart.version == 1:
        raise CallerError("no_version_before", "第一版之前没有版本可迁移", "there is no version before the first")
    return noun, chart, version_published(conn, title_before(chart))


def look(conn: Connection, branch: Branch, name: str, version: int | None = None) -> Progress:
    """The plan of a move and how far it is; CallerErrors of `named`."""
    noun, chart, before = named(conn, branch, name, version)
    told = Progress(moves.plan(conn, noun, chart, before))
    asked = conn.execute(_LAST, {"subject": f"{PREFIX}{name}", "what": chart.title}).first()
    if asked is not None:
        told.request, told.request_state = asked.id, asked.state
    by_way: Counter[tuple[str, str]] = Counter()
    not_moved: Counter[str] = Counter()
    for (body,) in conn.execute(_BATCHES, {"stream": moves.stream_of(name)}):
        entry = msgspec.json.decode(body)
        if entry["data"]["chart"] != chart.ref:
            continue
        told.batches += 1
        told.first_at, told.last_at = told.first_at or entry["recorded_at"], entry["recorded_at"]
        by_way.update({(way["state"], way["to"]): way["count"] for way in entry["data"]["moved"]})
        not_moved.update(entry["data"]["not_moved"])
    told.moved, told.ways, told.not_moved = by_way.total(), ways_of(by_way), dict(not_moved)
    return told


_LAST = (
    sa.select(requests.c.id, requests.c.state)
    .where(requests.c.kind == NAME, requests.c.subject == sa.bindparam("subject"),
           requests.c.what == sa.bindparam("what"))
    .order_by((requests.c.state == "approved").desc(), requests.c.id.desc())
)  # fmt: skip
_BATCHES = (
    sa.select(entries.c.body)
    .where(entries.c.stream == sa.bindparam("stream"), entries.c.event == moves.MOVED)
    .order_by(entries.c.stream_seq)
)


def ask(
    conn: Connection, branch: Branch, name: str, *, actor: Actor, version: int | None = None, clock: Clock = now
) -> Asked | Refused:
    """Ask that the living be moved to a version of their chart, as the plan shows it now."""
    noun, chart, before = named(conn, branch, name, version)
    return four_eyes.ask(
        conn, branch, actor=actor, kind=NAME, subject=f"{PREFIX}{name}", what=chart.title,
        data=_data(moves.plan(conn, noun, chart, before)), clock=clock,
    )  # fmt: skip


def _data(plan: Plan) -> dict[str, Any]:
    """What the approver is shown."""
    ways = [
        {"chart": one.chart, "state": one.state, "to": one.to, "why": one.why, "count": one.count}
        for one in plan.groups if one.why not in moves.STAYING
    ]  # fmt: skip
    return {"digest": plan.digest, "moving": plan.moving, "staying": plan.staying, "cannot": plan.cannot, "ways": ways}


def run_batch(
    conn: Connection, branch: Branch, name: str, *, actor: Actor, version: int | None = None, after: int = 0,
    at_once: int = moves.AT_ONCE, clock: Clock = now,
) -> moves.Batch:  # fmt: skip
    """Move the next few of what was approved; the caller commits. CallerErrors of `named`, and `move_not_approved`."""
    noun, chart, _ = named(conn, branch, name, version)
    asked = conn.execute(_LAST, {"subject": f"{PREFIX}{name}", "what": chart.title}).first()
    if asked is None or asked.state != "approved":
        raise CallerError(
            "move_not_approved", f"迁移至{chart.title}尚未经他人批准",
            f"nobody has approved the move to {chart.title}", chart=chart.title,
        )  # fmt: skip
    house = branch if noun in branch.nouns else replace(branch, look_nouns=lambda: (noun,))
    return moves.move_batch(conn, house, noun, chart, asked.id, actor=actor, after=after, at_once=at_once, clock=clock)


def run(
    engine: Engine, branch: Branch, name: str, *, actor: Actor, version: int | None = None,
    at_once: int = moves.AT_ONCE, clock: Clock = now, progress: Callable[[int], None] = lambda _: None,
) -> int:  # fmt: skip
    """Move all that was approved, each batch in a transaction of its own; how many. `progress` hears of each batch."""
    moved, after = 0, 0
    while True:
        with writing(engine) as conn:
            batch = run_batch(
                conn, branch, name, actor=actor, version=version, after=after, at_once=at_once, clock=clock
            )
        if batch.after is None:
            return moved
        after = batch.after
        moved += batch.moved.total()
        progress(batch.moved.total())


class ChartMoves:
    """Moves to a version of a chart, under four eyes."""

    name = NAME

    def topic(self, branch: Branch, subject: str, what: str) -> str:
        """CallerError `unknown_version`."""
        del subject
        if what.partition("@")[0] not in branch.rulebook.charts:
            raise CallerError("unknown_version", "没有这样的状态图版本", "there is no such version of a chart")
        return NAME

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """Always the same."""
        del conn, branch, subject, what, data
        return PINNED

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...]:  # fmt: skip
        """Only with the plan as it is now, and only if anything moves."""
        del request_id, actor, clock
        _, shown = _planned(conn, branch, subject, what)
        if dict(data) != _data(shown):
            raise CallerError("faulty_data", "须按当前计划提出", "a move is asked for with its plan as it is now")
        if not shown.moving:
            zh, en = "没有可迁移的", "nothing would move"
            return (Reason("nothing_to_move", RULES, {"moving": 0}, {"moving_at_least": 1}, zh, en),)
        return ()

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """The run may begin."""
        chart, shown = _planned(conn, branch, request.subject, request.what)
        trail, stream = branch.trail(clock()), moves.stream_of(chart.name)
        said = {
            "chart": chart.ref,
            "request": request.id,
            "moving": shown.moving,
            "moving_as_shown": data.get("moving"),
        }
        head = trail.append(conn, stream, Draft(APPROVED, actor.signed, said, rules=RULES, chart=chart.ref))
        trail.write(conn)
        return Carried(f"{stream}:{head.seq}")


def _planned(conn: Connection, branch: Branch, subject: str, what: str) -> tuple[Chart, Plan]:
    name, _, version = what.partition("@")
    if subject != f"{PREFIX}{name}" or not (version.isascii() and version.isdecimal() and len(version) <= 9):
        raise CallerError("unknown_version", "没有这样的状态图版本", "there is no such version of a chart")
    noun, chart, before = named(conn, branch, name, int(version))
    return chart, moves.plan(conn, noun, chart, before)
