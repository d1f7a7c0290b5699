"""Red flags of requests: what speaks against, and forbids nothing; told to who asks, reviews and approves.

The chart names them (`flags` of an event; decision 0029). They are judged on the case as it is now and the data asked
with; the door writes them into the entries of the asking and of the step (`casework.work.cases.door`).
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from casework.rules.statechart.decide import Reason, unmet
from casework.work.cases.gather import business_dates
from casework.work.cases.options import situation_of
from casework.work.four_eyes import stored
from casework.work.four_eyes.case_events import NAME as EVENT
from casework.work.four_eyes.kinds import Standing
from casework.work.four_eyes.recording import Moment
from casework.work.requests import Request


def flags_of(
    conn: Connection, moment: Moment, asked: Sequence[Request], standing: Mapping[int, Standing]
) -> dict[int, tuple[Reason, ...]]:
    """By request id, of the open ones that have any; two statements for all of them."""
    branch, events = moment.branch, moment.branch.rulebook.chart.events
    flagging = [
        one for one in asked if one.live and one.kind == EVENT and one.what in events and events[one.what].flags
    ]
    if not flagging:
        return {}
    dates, data = business_dates(conn), stored.opened_all(conn, branch, flagging)
    found = {}
    for request in flagging:
        case = standing[request.id].case
        today = dates.get(case.institution, moment.today)
        now = situation_of(case, branch, today, request.opened_by, {}, data[request.id])
        if flags := unmet(events[request.what].flags, now):
            found[request.id] = flags
    return found
