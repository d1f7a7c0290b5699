"""Red flags of requests: what speaks against, and forbids nothing; told to who asks, reviews and approves.

The chart names them (`flags` of an event; decision 0029). They are judged on the subject as it is now and the data
asked with; the door writes them into the entries of the asking and of the step (`casework.lifecycle.door`).
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from casework.rules.statechart.decide import Reason, unmet
from casework.work.cases.gather import business_dates
from casework.work.four_eyes import stored
from casework.work.four_eyes.events import event_of
from casework.work.four_eyes.kinds import Standing
from casework.work.four_eyes.recording import Moment
from casework.work.requests import EVENT, Request


def flags_of(
    conn: Connection, moment: Moment, asked: Sequence[Request], standing: Mapping[int, Standing]
) -> dict[int, tuple[Reason, ...]]:
    """By request id, of the open ones that have any; two statements for all of them."""
    branch = moment.branch
    specs = {one.id: event_of(branch, one.subject, one.what) for one in asked if one.live and one.kind == EVENT}
    flagging = [one for one in asked if (spec := specs.get(one.id)) is not None and spec.flags]
    if not flagging:
        return {}
    dates, data = business_dates(conn), stored.opened_all(conn, branch, flagging)
    found = {}
    for request in flagging:
        here, spec = standing[request.id], specs[request.id]
        today = dates.get(here.subject.institution, moment.today)
        parent, policy = here.whose[0] if here.noun.child else None, branch.rulebook.policies.at(today)
        now = here.noun.situation(
            here.subject, today, policy, request.opened_by, data[request.id], {}, None, parent
        )  # fmt: skip
        if spec is not None and (flags := unmet(spec.flags, now)):
            found[request.id] = flags
    return found
