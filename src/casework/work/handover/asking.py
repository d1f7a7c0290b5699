"""How a plan asks for its approval (four eyes, kind `handover`), and how that request ends with it."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.four_eyes import ending
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.recording import Asked
from casework.work.handover.recording import STREAM
from casework.work.handovers import HANDOVER, Handover

NAME: Final = HANDOVER.word
_RETURNED_FOR = {"cases_changed": "case_changed"}  # a reason of the chart of requests; else `other`


def asked_with(plan: Handover, planner: str | None) -> dict[str, Any]:
    """What a request for approval carries; `planner` where another than he asks."""
    asked = {"digest": plan.plan_digest}
    return asked if planner is None else asked | {"planner": planner}


def ask_for_approval(
    conn: Connection, branch: Branch, asker: Actor, plan: Handover, data: Mapping[str, Any], clock: Clock
) -> int:
    """Ask that the plan be approved as it was shown; the request's id. CallerError with every reason why not."""
    asked = four_eyes.ask(
        conn, branch, actor=asker, kind=NAME, subject=plan.stream, what=plan.opened_for, data=data, clock=clock
    )
    if isinstance(asked, Asked):
        return asked.request_id
    reasons = [
        {"code": one.code, "saw": dict(one.saw), "needs": dict(one.needs), "zh": one.zh, "en": one.en}
        for one in asked.reasons
    ]
    first = asked.reasons[0]
    raise CallerError(first.code, first.zh, first.en, reasons=reasons)


def close_request(
    conn: Connection, branch: Branch, trail: Trail, handover_id: int, actor: Actor, why: str
) -> list[int]:
    """Return what is still asked for about a plan that is no more; the requests' ids. The caller writes `trail`."""
    reason = _RETURNED_FOR.get(why, "other")
    return ending.send_back_about(conn, branch, trail, f"{STREAM}{handover_id}", actor, reason)
