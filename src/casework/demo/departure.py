"""A business rep leaves the invented branch: planned by one, approved by another, carried out, a receipt per case."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from casework.clock import Clock
from casework.demo.steps import APPROVER, REP, RISK
from casework.demo.visiting import pair
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.handover.applying import Applied, apply
from casework.work.handover.approving import Approved, approve
from casework.work.handover.planning import plan


def depart(started: Started, cast: Mapping[str, Sequence[Actor]], clock: Clock) -> int:
    """The rep with the most open cases leaves today; the number of the hand-over. The two who visit stay."""
    engine, branch = started.engine, started.branch
    planner, approver = cast[RISK.post][0], cast[APPROVER.post][0]
    reps = [actor.id for actor in cast[REP.post] if actor not in pair(cast[REP.post])]
    busiest = (
        sa.select(cases.c.owner)
        .where(cases.c.live == sa.true(), cases.c.owner.in_(reps))
        .group_by(cases.c.owner)
        .order_by(sa.func.count().desc(), cases.c.owner)
        .limit(1)
    )
    with reading(engine) as conn:
        leaver = str(conn.execute(busiest).scalar_one())
    with writing(engine) as conn:
        handover = plan(conn, branch, actor=planner, staff_no=leaver, clock=clock)
    with writing(engine) as conn:
        approved = approve(conn, branch, handover, actor=approver, clock=clock)
    if not isinstance(approved, Approved):
        raise TypeError(f"the departure of {leaver} was not approved: {approved}")
    with writing(engine) as conn:
        applied = apply(conn, branch, handover, actor=planner, clock=clock)
    if not isinstance(applied, Applied):
        raise TypeError(f"the departure of {leaver} was not applied: {applied}")
    return handover
