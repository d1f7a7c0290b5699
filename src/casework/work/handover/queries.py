"""Reading hand-overs: a list, one plan with its preview, its moves with their receipts. Nothing here writes."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.gather import select_of
from casework.work import handovers as work
from casework.work.cases.filter import filter_malformed
from casework.work.four_eyes.tables import requests
from casework.work.handover import preview
from casework.work.handover.recording import MAX_ID, plan_of
from casework.work.handover.tables import HANDOVERS, handover_moves, handovers

MAX_PAGE = 200
MAX_MOVES = 1_000


class HandoverAsked(msgspec.Struct):
    """The request that a plan waits for, or was approved by."""

    id: int
    state: str
    asked_by: str
    decided_by: str | None
    expires_on: date


class _Told(msgspec.Struct):
    """What is shown of every hand-over."""

    id: int
    staff_no: str
    kind: str
    status: str
    effective_on: date
    planned_by: str
    planned_at: datetime
    applied_at: datetime | None
    replaced_by: int | None


class HandoverLine(_Told):
    """A hand-over as lists show it; `cases` and `unplaced` are numbers of cases, `overdue_fen` is in fen."""

    cases: int
    unplaced: int
    overdue_fen: int


class HandoverPage(msgspec.Struct):
    """Newest first; `next` is the `before` of the page that follows, none at the end."""

    items: list[HandoverLine]
    next: int | None


class Handover(_Told):
    """One hand-over with what its approver sees. `named`: receivers chosen by hand, none if the rules chose."""

    plan_digest: str
    named: list[str]
    team: str | None
    region: str | None
    request: HandoverAsked | None
    preview: preview.Preview


class HandoverReceipt(msgspec.Struct):
    """One case of a plan; `entry_id` is the receipt, once it has moved. `overdue_fen` as it was planned."""

    case_id: int
    state: str
    overdue_fen: int
    was_owner: bool
    was_handler: bool
    receiver: str | None
    handler: str | None
    post: str | None
    rule: str | None
    reason: str
    entry_id: str | None


class ReceiptPage(msgspec.Struct):
    """Moves by case; `next` is the `after` of the page that follows, none at the end."""

    items: list[HandoverReceipt]
    next: int | None


def find(conn: Connection, handover_id: int) -> Handover:
    """CallerError unknown_handover."""
    plan, asked = plan_of(conn, handover_id), None
    if plan.request is not None:
        request = conn.execute(sa.select(requests).where(requests.c.id == plan.request)).one_or_none()
        if request is not None:
            asked = HandoverAsked(request.id, request.state, request.opened_by, request.decided_by, request.expires_on)
    shown = conn.execute(sa.select(handovers.c.preview).where(handovers.c.id == handover_id)).scalar_one()
    return Handover(
        **_told(plan), plan_digest=plan.plan_digest, named=list(plan.named), team=plan.team, region=plan.region,
        request=asked, preview=preview.decoded(bytes(shown)),
    )  # fmt: skip


def page(
    conn: Connection, *, staff_no: str | None = None, status: str | None = None, limit: int = 50,
    before: int | None = None,
) -> HandoverPage:  # fmt: skip
    """At most `limit` (1 to 200) hand-overs with an id below `before`."""
    _check("limit", limit, MAX_PAGE)
    wanted = select_of(HANDOVERS).order_by(handovers.c.id.desc()).limit(limit + 1)
    if staff_no is not None:
        wanted = wanted.where(handovers.c.staff_no == staff_no)
    if status is not None:
        wanted = wanted.where(handovers.c.state == status)
    if before is not None:
        _check("before", before, MAX_ID)
        wanted = wanted.where(handovers.c.id < before)
    plans = [HANDOVERS.rows.read(row) for row in conn.execute(wanted)]
    found = [
        HandoverLine(**_told(one), cases=one.cases, unplaced=one.unplaced, overdue_fen=one.overdue_fen) for one in plans
    ]
    return HandoverPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


def receipts(conn: Connection, handover_id: int, *, limit: int = MAX_MOVES, after: int = 0) -> ReceiptPage:
    """At most `limit` (1 to 1,000) moves of cases above `after`."""
    plan_of(conn, handover_id)
    _check("limit", limit, MAX_MOVES)
    if not 0 <= after <= MAX_ID:
        raise filter_malformed("after", f"0–{MAX_ID}")
    wanted = _RECEIPTS.where(handover_moves.c.handover_id == handover_id, handover_moves.c.case_id > after)
    found = [HandoverReceipt(*row) for row in conn.execute(wanted.limit(limit + 1))]
    return ReceiptPage(found[:limit], found[limit - 1].case_id if len(found) > limit else None)


def _told(plan: work.Handover) -> dict[str, Any]:
    same = ("id", "staff_no", "effective_on", "planned_by", "planned_at", "applied_at", "replaced_by")
    return {"kind": plan.opened_for, "status": plan.state, **{name: getattr(plan, name) for name in same}}


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise filter_malformed(name, f"1–{most}")


def every_receipt(conn: Connection, handover_id: int) -> Iterator[HandoverReceipt]:
    """All moves of a plan, by case."""
    wanted = _RECEIPTS.where(handover_moves.c.handover_id == handover_id)
    return (HandoverReceipt(*row) for row in conn.execute(wanted))


_RECEIPTS = sa.select(*(handover_moves.c[name] for name in HandoverReceipt.__struct_fields__)).order_by(
    handover_moves.c.case_id
)
