"""Replays hand-overs from their entries: the engine judges them and compares their rows; here, moves and receipts.

A follower of the streams `handover:<id>` for `casework.log.check.verify`; their heads are checked with all others.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.replay import NounRows
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.log.tables import entries
from casework.work.cases import fold
from casework.work.cases.publish import cited_in
from casework.work.handover.judging import handover_judge
from casework.work.handover.moves import MOVE_COLUMNS, Move, digest_of
from casework.work.handover.planning import encoded, options_of
from casework.work.handover.recording import STREAM
from casework.work.handover.tables import HANDOVERS, handover_moves, handovers
from casework.work.handovers import HANDOVER, Handover

PREFIX: Final = HANDOVER.word
_SHOWN: Final = 100
_MOVES: Final = tuple(handover_moves.c[name] for name in (*MOVE_COLUMNS, "entry_id"))


class HandoverReplay:
    """The keeper of the streams of hand-overs."""

    def __init__(self, conn: Connection, report: Report, asked: Callable[[Entry], None]) -> None:
        self._conn = conn
        self._report = report
        self._judge = handover_judge(cited_in(conn, report), report, asked)
        self._rows = NounRows(conn, report, HANDOVERS, lambda row: f"{STREAM}{row['id']}")

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: its row is compared, and the moves of the plan with its digest and receipts."""
        plan: Handover | None = self._judge.end(sound=sound)
        if plan is not None:
            self._rows.expect(stream, tail.seq, plan.id, plan)
            self._compare(stream, tail.seq, plan)

    def finish(self) -> None:
        """Compare the rest."""
        self._rows.finish()

    def _compare(self, stream: str, seq: int, plan: Handover) -> None:
        try:
            shown = self._conn.execute(sa.select(handovers.c.preview).where(handovers.c.id == plan.id)).scalar_one()
            wanted = sa.select(*_MOVES).where(handover_moves.c.handover_id == plan.id)
            moves = [tuple(move) for move in self._conn.execute(wanted.order_by(handover_moves.c.case_id))]
            digest = digest_of(encoded(options_of(plan)), bytes(shown), [Move(*move[:-1]) for move in moves])
        except Exception:  # noqa: BLE001  (SQLite holds no column to its type)
            digest, moves = "", []
        if digest != plan.plan_digest:
            self._report.find("plan_differs", stream, seq, table=handover_moves.name)
        elif plan.applied_at is not None:
            self._receipts(stream, seq, plan.id, len(moves))
        elif any(move[-1] is not None for move in moves):
            self._report.find("receipt_differs", stream, seq, state=plan.state)

    def _receipts(self, stream: str, seq: int, number: int, count: int) -> None:
        """Every move has the entry that it names: the case was assigned as planned, by this hand-over."""
        wrong, met = [], 0
        for row in self._conn.execute(_RECEIPTS, {"number": number}, execution_options={"yield_per": 1_000}):
            met += 1
            if not _is_receipt(row, number):
                wrong.append(row.case_id)
        if wrong or met != count:
            self._report.find("receipt_differs", stream, seq, cases=sorted(wrong)[:_SHOWN], wrong=len(wrong))


_STREAM = sa.literal("case:").concat(sa.cast(handover_moves.c.case_id, sa.String))
_NUMBERED = entries.c.stream.concat(":").concat(sa.cast(entries.c.stream_seq, sa.String))
_RECEIPTS = (
    sa.select(handover_moves.c.case_id, handover_moves.c.receiver, handover_moves.c.handler, entries.c.event,
              entries.c.body)
    .outerjoin(entries, sa.and_(entries.c.stream == _STREAM, handover_moves.c.entry_id == _NUMBERED))
    .where(handover_moves.c.handover_id == sa.bindparam("number"))
)  # fmt: skip


def _is_receipt(row: Any, number: int) -> bool:
    if row.event != fold.ASSIGNED:
        return False
    try:
        data = json.loads(bytes(row.body))["data"]
    except (ValueError, KeyError, TypeError):
        return False
    return (data.get("handover"), data.get("owner"), data.get("handler")) == (number, row.receiver, row.handler)
