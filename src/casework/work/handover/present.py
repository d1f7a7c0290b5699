"""A plan beside the present: its row and moves as they are stored, and what differs from the world by now."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.cases.branch import Branch
from casework.work.handover import mistakes, planning, standing
from casework.work.handover.comparing import Differences, compare, receivers_by_choice
from casework.work.handover.moves import MOVE_COLUMNS, TRANSFER, Move
from casework.work.handover.tables import handover_moves, handovers

MAX_ID = 2**53 - 1
_MOVE = tuple(handover_moves.c[name] for name in MOVE_COLUMNS)


def row_of(conn: Connection, handover_id: int, *, lock: bool = False) -> Any:
    """The row of a hand-over; `lock` holds it until the commit. CallerError unknown_handover."""
    row = None
    if 0 < handover_id <= MAX_ID:
        wanted = sa.select(handovers).where(handovers.c.id == handover_id)
        row = conn.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise mistakes.unknown_handover()
    return row


def moves_of(conn: Connection, handover_id: int) -> list[Move]:
    """Every move of a plan, by case."""
    wanted = sa.select(*_MOVE).where(handover_moves.c.handover_id == handover_id)
    return [Move(*row) for row in conn.execute(wanted.order_by(handover_moves.c.case_id))]


def differences(
    conn: Connection, branch: Branch, row: Any, moves: Sequence[Move], *, today: date, lock: bool
) -> Differences:
    """What has changed since the plan was made. `lock`: his cases and he himself are held until the commit.

    With `lock` the material versions of a departure's cases are left to the door, which reads the cases anyway.
    """
    wanted = planning.options_of(row)
    on = max(today, row.effective_on)
    among = planning.candidates(conn, branch, row.staff_no, (), on, today, by_hand=False)
    held = standing.held_now(conn, row.staff_no) if lock else {}
    versions = None
    if not lock or row.kind == TRANSFER:
        found = standing.cases_of(conn, row.staff_no)
        moving = planning.moving_of(found, row.staff_no, row.kind, wanted, among, branch)
        held = standing.held_of(moving, row.staff_no)
        versions = {case.id: case.facts.material_version for case in moving}
    unfit = {
        receiver: code for receiver in receivers_by_choice(moves)
        if (code := planning.unfit(receiver, row.staff_no, among.roster, among.without, among.rules.posts)) is not None
    }  # fmt: skip
    return compare(moves, held, unfit, versions)
