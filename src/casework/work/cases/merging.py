"""Somebody whom only a feed named turns out to be a colleague: the cases go there through the door, then the two merge.

All in the caller's transaction, all of it or nothing (rule 1.1.1).
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Refused
from casework.log.write.trail import Trail
from casework.people.staff import dossier, register
from casework.people.staff.actor import Actor, system
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Assign
from casework.work.cases.tables import cases

REASON = "merged"


def merge(
    conn: Connection, branch: Branch, trail: Trail, actor: Actor, *, staff_no: str, into: str, clock: Clock = now
) -> int:
    """Merge the unverified `staff_no` into `into`, whose capacity is not asked; how many cases went with them.

    The service moves the cases, the entries name who asked for it. CallerErrors: unknown_staff, wrong_status,
    merged_into_himself, cases_not_moved (into whom they cannot go, and why).
    """
    people = dossier.persons(conn, {staff_no, into}, lock=True)
    register.check_merge(people, staff_no, into)
    commands = [
        Assign(
            actor=system(actor.via), id=row.id, owner=into if row.owner == staff_no else row.owner,
            handler=into if row.handler == staff_no else row.handler, reason=REASON, keep_capacity=False,
            cause={"merged": staff_no, "asked_by": actor.id},
        )
        for row in conn.execute(_HIS, {"who": staff_no})
    ]  # fmt: skip
    for outcome in advance(conn, commands, branch, clock=clock) if commands else ():
        if not isinstance(outcome, Done):
            raise _not_moved(into, outcome)
    register.merged(conn, trail, actor, staff_no=staff_no, into=into)
    return len(commands)


def _not_moved(into: str, outcome: object) -> CallerError:
    reasons = outcome.reasons if isinstance(outcome, Refused) else ()
    zh, en = "；".join(one.zh for one in reasons), "; ".join(one.en for one in reasons)
    return CallerError(
        "cases_not_moved", f"案件不能转给{into}:{zh}", f"the cases cannot go to {into}: {en}", staff_no=into,
        reasons=[{"code": one.code, "zh": one.zh, "en": one.en} for one in reasons],
    )  # fmt: skip


_HIS = (
    sa.select(cases.c.id, cases.c.owner, cases.c.handler)
    .where(cases.c.closed_as.is_(None))
    .where(sa.or_(cases.c.owner == sa.bindparam("who"), cases.c.handler == sa.bindparam("who")))
    .order_by(cases.c.id)
)
