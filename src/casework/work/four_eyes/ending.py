"""Requests that end without a decision: their time is over, they became void, or who asked has left."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.lifecycle.versions import lives_under
from casework.log.write.trail import Trail
from casework.people.staff.actor import SYSTEM_POST, Actor, system
from casework.rules.statechart.decide import Step, decide
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.four_eyes import stored
from casework.work.four_eyes.kinds import standings
from casework.work.four_eyes.recording import Moment, gathered, situation_of
from casework.work.four_eyes.stored import from_row
from casework.work.four_eyes.tables import requests
from casework.work.requests import REQUEST, Request

AT_ONCE = 500


def expire_due(conn: Connection, branch: Branch, clock: Clock = now) -> int:
    """End every open request whose days are over or which became void; how many. The sweep calls it.

    Requests are read a few hundred at a time in order of id; who holds one right now decides it then.
    """
    ended, after = 0, 0
    while True:
        page = stored.ROWS.where(requests.c.live == sa.true(), requests.c.id > after).order_by(requests.c.id)
        found = [from_row(row) for row in conn.execute(page.limit(AT_ONCE).with_for_update(skip_locked=True))]
        if not found:
            return ended
        moment = Moment(branch, clock())
        over = end_if_over(conn, moment, found)
        ended, after = ended + len(over), found[-1].id


def end_if_over(conn: Connection, moment: Moment, found: Sequence[Request]) -> list[Request]:
    """Of these open requests (locked) end those that are over or void, rows and entries written; which."""
    standing = standings(conn, moment.branch, found)
    actor, over = system("sweep"), []
    for request in found:
        if not lives_under(moment.chart, request):  # it waits for its move (decision 0038)
            continue
        void = request.id in standing and standing[request.id].void
        said = gathered(request, SYSTEM_POST, [actor.id], void=void)
        now_ = situation_of(moment, request, actor, said)
        if isinstance(decide(moment.chart, "expire", request.state, now_, frozenset({SYSTEM_POST})), Step):
            reason = "void" if moment.today <= request.expires_on else "time_over"
            moment.move(request, "expire", actor, {"given": {"reason": reason}, "gathered": said})
            over.append(request)
    if over:
        moment.write(conn)
    return over


def send_back_all_of(conn: Connection, branch: Branch, trail: Trail, staff_no: str, actor: Actor) -> list[int]:
    """Return what a leaver asked for (in person or through a deputy), and posts asked for them; which requests.

    What waits for a review or an approval waits for posts, not for people: it stays for others. The entries go into
    `trail`, which the caller writes.
    """
    of_them = (requests.c.opened_by == staff_no, requests.c.asked_for == staff_no,
              requests.c.subject == f"staff:{staff_no}")  # fmt: skip
    return _send_back(
        conn, branch, trail, sa.or_(*of_them), actor, {"given": {"reason": "proposer_left"}, "left": staff_no}
    )


def send_back_about(
    conn: Connection, branch: Branch, trail: Trail, subject: str, actor: Actor, reason: str
) -> list[int]:
    """Return what is asked for about a subject that is no more (a plan that was replaced); as `send_back_all_of`."""
    return _send_back(conn, branch, trail, requests.c.subject == subject, actor, {"given": {"reason": reason}})


def _send_back(
    conn: Connection, branch: Branch, trail: Trail, which: sa.ColumnElement[bool], actor: Actor, data: dict[str, Any]
) -> list[int]:
    wanted = stored.ROWS.where(requests.c.live == sa.true(), which).order_by(requests.c.id)
    found = [from_row(row) for row in conn.execute(wanted.with_for_update())]
    moment = Moment(branch, trail.recorded_at, trail)
    for request in found:
        moment.move(request, "return", actor, {**data, "gathered": gathered(request, SYSTEM_POST, [])})
    rows.update_many(conn, requests, "id", [REQUEST.rows.change(one) for one in found], REQUEST.rows.changing)
    return [request.id for request in found]
