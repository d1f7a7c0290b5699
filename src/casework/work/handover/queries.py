"""Reading hand-overs: a list, one plan with its preview, its moves with their receipts. Nothing here writes."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.cases.filter import filter_malformed
from casework.work.four_eyes.tables import requests
from casework.work.handover import planning, preview
from casework.work.handover.present import MAX_ID, row_of
from casework.work.handover.tables import handover_moves, handovers

MAX_PAGE = 200
MAX_MOVES = 1_000


class Asked(msgspec.Struct):
    """The request that a plan waits for, or was approved by."""

    id: int
    state: str
    asked_by: str
    decided_by: str | None
    expires_on: date


class HandoverLine(msgspec.Struct):
    """A hand-over as lists show it; `cases` and `unplaced` are numbers of cases, `overdue_fen` is in fen."""

    id: int
    staff_no: str
    kind: str
    status: str
    effective_on: date
    planned_by: str
    planned_at: datetime
    applied_at: datetime | None
    replaced_by: int | None
    cases: int
    unplaced: int
    overdue_fen: int


class HandoverPage(msgspec.Struct):
    """Newest first; `next` is the `before` of the page that follows, none at the end."""

    items: list[HandoverLine]
    next: int | None


class Handover(msgspec.Struct):
    """One hand-over with what its approver sees. `named`: receivers chosen by hand, none if the rules chose."""

    id: int
    staff_no: str
    kind: str
    status: str
    effective_on: date
    planned_by: str
    planned_at: datetime
    applied_at: datetime | None
    replaced_by: int | None
    plan_digest: str
    named: list[str]
    team: str | None
    region: str | None
    request: Asked | None
    preview: preview.Preview


class Receipt(msgspec.Struct):
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

    items: list[Receipt]
    next: int | None


def find(conn: Connection, handover_id: int) -> Handover:
    """CallerError unknown_handover."""
    row = row_of(conn, handover_id)
    asked = None
    if row.request_id is not None:
        request = conn.execute(sa.select(requests).where(requests.c.id == row.request_id)).one_or_none()
        if request is not None:
            asked = Asked(request.id, request.state, request.asked_by, request.decided_by, request.expires_on)
    wanted = planning.options_of(row)
    return Handover(
        row.id, row.staff_no, row.kind, row.status, row.effective_on, row.planned_by, row.planned_at, row.applied_at,
        row.replaced_by, row.plan_digest, list(wanted.receivers), wanted.team, wanted.region, asked,
        preview.decoded(bytes(row.preview)),
    )  # fmt: skip


def page(
    conn: Connection, *, staff_no: str | None = None, status: str | None = None, limit: int = 50,
    before: int | None = None,
) -> HandoverPage:  # fmt: skip
    """At most `limit` (1 to 200) hand-overs with an id below `before`."""
    _check("limit", limit, MAX_PAGE)
    wanted = sa.select(handovers).order_by(handovers.c.id.desc()).limit(limit + 1)
    if staff_no is not None:
        wanted = wanted.where(handovers.c.staff_no == staff_no)
    if status is not None:
        wanted = wanted.where(handovers.c.status == status)
    if before is not None:
        _check("before", before, MAX_ID)
        wanted = wanted.where(handovers.c.id < before)
    found = [_line(row) for row in conn.execute(wanted)]
    return HandoverPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


def receipts(conn: Connection, handover_id: int, *, limit: int = MAX_MOVES, after: int = 0) -> ReceiptPage:
    """At most `limit` (1 to 1,000) moves of cases above `after`."""
    row_of(conn, handover_id)
    _check("limit", limit, MAX_MOVES)
    if not 0 <= after <= MAX_ID:
        raise filter_malformed("after", f"0–{MAX_ID}")
    columns = [handover_moves.c[name] for name in Receipt.__struct_fields__]
    wanted = sa.select(*columns).where(handover_moves.c.handover_id == handover_id, handover_moves.c.case_id > after)
    found = [Receipt(*row) for row in conn.execute(wanted.order_by(handover_moves.c.case_id).limit(limit + 1))]
    return ReceiptPage(found[:limit], found[limit - 1].case_id if len(found) > limit else None)


def _line(row: Any) -> HandoverLine:
    shown = preview.decoded(bytes(row.preview))
    return HandoverLine(
        row.id, row.staff_no, row.kind, row.status, row.effective_on, row.planned_by, row.planned_at, row.applied_at,
        row.replaced_by, shown.cases, shown.unplaced, shown.overdue_fen,
    )  # fmt: skip


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise filter_malformed(name, f"1–{most}")


def every_receipt(conn: Connection, handover_id: int) -> Iterator[Receipt]:
    """All moves of a plan, a page at a time."""
    after: int | None = 0
    while after is not None:
        found = receipts(conn, handover_id, after=after)
        yield from found.items
        after = found.next
