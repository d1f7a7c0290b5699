"""A hand-over as it is kept: read, decided by its chart, and written here alone.

It shares struct, fold, judge and rows with everything that has a chart; its door is its own (decision 0039).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.lifecycle import fold
from casework.lifecycle.gather import select_of
from casework.lifecycle.versions import lives_under, not_moved
from casework.log.write.trail import Draft, Trail, locked_head
from casework.people.staff.actor import SYSTEM_POST, Actor
from casework.people.staff.register import bump
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Reason, Refusal, Step, decide
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.handover.tables import HANDOVERS, handovers
from casework.work.handovers import HANDOVER, Handover

MAX_ID: Final = 2**53 - 1
STREAM: Final = f"{HANDOVER.word}:"
_ROW: Final = ("id", *HANDOVERS.rows.columns[1:], "preview")


def plan_of(conn: Connection, handover_id: int, *, lock: bool = False) -> Handover:
    """One hand-over; `lock` holds it until the commit. CallerError unknown_handover."""
    row = None
    if 0 < handover_id <= MAX_ID:
        wanted = select_of(HANDOVERS).where(handovers.c.id == handover_id)
        row = conn.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise CallerError("unknown_handover")
    plan: Handover = HANDOVERS.rows.read(row)
    return plan


def reasons_against(branch: Branch, plan: Handover, event: str, actor: Actor, today: date) -> tuple[Reason, ...]:
    """Why this may not become of it, as its chart says; code `handover_<state>` where the state is another one."""
    chart = branch.rulebook.charts[HANDOVER.chart]
    if not lives_under(chart, plan):
        return (not_moved(chart, plan),)
    _, verdict = _decided(branch, plan, event, actor, today)
    told = [] if isinstance(verdict, Step) else list(verdict.reasons)
    if plan.state not in chart.events[event].arcs:
        state = chart.states[plan.state]
        saw, needs = {"status": state.name}, {"needs": told[0].needs["any_of_states"]}
        told = [Reason(f"{HANDOVER.word}_{state.name}", told[0].rules, saw, needs, state.zh, state.en)]
    return tuple(
        msgspec.structs.replace(one, saw={"handover": plan.id, **one.saw}, zh=f"移交计划{plan.id}：{one.zh}",
                en=f"hand-over {plan.id}: {one.en}")
        for one in told
    )  # fmt: skip


def check(branch: Branch, plan: Handover, event: str, actor: Actor, today: date) -> None:
    """CallerError with the first of `reasons_against`."""
    for reason in reasons_against(branch, plan, event, actor, today):
        raise CallerError(reason.code, reason.zh, reason.en, **{**reason.saw, **reason.needs})


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────


def begun(
    branch: Branch, trail: Trail, number: int, kind: str, actor: Actor, said: Mapping[str, Any]
) -> tuple[Handover, Draft]:
    """A plan as its first entry, which is not written yet, makes it."""
    chart, policy = _rules(branch, trail.today)
    ground = chart.openings[kind]
    data = {**said, "ground": kind, "given": {}, "business_date": trail.today.isoformat(),
            "planned_at": utc_text(trail.recorded_at), "post": _post(ground.posts, actor)}  # fmt: skip
    plan: Handover = fold.begin(HANDOVER, number, actor.id, chart, data, policy)
    draft = Draft(HANDOVER.says.opened, actor.signed, data, None, plan.state, None, ground.rules, chart.ref, policy.ref)
    return plan, draft


def insert(conn: Connection, plan: Handover, preview: bytes) -> None:
    """The row of a plan whose first entry is not written yet."""
    rows.insert_many(conn, handovers, [(*HANDOVERS.rows.row(plan), preview)], _ROW)


def put(conn: Connection, trail: Trail, plan: Handover, draft: Draft) -> str:
    """Bring the row to what the entry has made of it, and the entry into `trail`, which the caller writes; its id."""
    rows.update_many(conn, handovers, "id", [HANDOVERS.rows.change(plan)], HANDOVERS.rows.changing)
    return f"{plan.stream}:{trail.append(conn, plan.stream, draft).seq}"


def record(
    conn: Connection, branch: Branch, trail: Trail, plan: Handover, event: str, actor: Actor, said: Mapping[str, Any],
    *, given: Mapping[str, Any] | None = None, reason_code: str | None = None,
) -> str:  # fmt: skip
    """Let it happen to a plan that the caller holds; the entry's id. As `put`; RuntimeError if `check` forbids it."""
    chart, policy = _rules(branch, trail.today)
    at = utc_text(max(trail.recorded_at, locked_head(conn, plan.stream).recorded_at))
    data, verdict = _decided(branch, plan, event, actor, trail.today, given, at)
    if not isinstance(verdict, Step):
        raise RuntimeError(f"{plan.stream} is {plan.state} and was {event} unchecked")  # noqa: TRY004  # of no wrong type
    name, was = f"{HANDOVER.says.step}{event}", plan.state
    fold.apply(HANDOVER, plan, name, verdict.to, actor.id, data, chart, policy)
    if plan.state != was:
        bump(conn)  # who hands over by a day is part of the register of that day
    rules = chart.events[event].rules
    draft = Draft(name, actor.signed, {**said, **data}, was, verdict.to, reason_code, rules, chart.ref, policy.ref)
    return put(conn, trail, plan, draft)


def _rules(branch: Branch, today: date) -> tuple[Chart, Policy]:
    return branch.rulebook.charts[HANDOVER.chart], branch.rulebook.policies.at(today)


def _decided(
    branch: Branch, plan: Handover, event: str, actor: Actor, today: date, given: Mapping[str, Any] | None = None,
    at: str | None = None,
) -> tuple[dict[str, Any], Step | Refusal]:  # fmt: skip
    chart, policy = _rules(branch, today)
    posts = chart.events[event].posts
    data = {
        "given": dict(given or {}), "gathered": {"people": sorted(actor.people), "at": at},
        "business_date": today.isoformat(), "post": _post(posts, actor),
    }  # fmt: skip
    now_ = fold.situation_of(HANDOVER, plan, actor.id, data, policy)
    return data, decide(chart, event, plan.state, now_, posts)


def _post(posts: frozenset[str], actor: Actor) -> str:
    """What somebody is to the plan who does this (permissions.toml says who may)."""
    return SYSTEM_POST if actor.kind == "system" else min(posts - {SYSTEM_POST})
