"""Replays hand-overs from their entries: plans, approvals and receipts against their rows and the cases' entries.

A keeper of the streams `handover:<id>` for `casework.log.check.verify`; the heads of these streams are checked with all
others.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.storage import rows
from casework.work.cases import fold
from casework.work.handover.folding import FOLDED, fold_handover
from casework.work.handover.moves import MOVE_COLUMNS, Move, digest_of
from casework.work.handover.tables import handover_moves, handovers

PREFIX: Final = "handover"
_BATCH: Final = 500
_SHOWN: Final = 100
_COLUMNS: Final = ("id", *FOLDED, "options", "preview")
_MOVES: Final = tuple(handover_moves.c[name] for name in (*MOVE_COLUMNS, "entry_id"))


class _Folded(NamedTuple):
    """A stream that has ended: what its row must say; none if it could not be replayed."""

    tail: Tail
    row: Mapping[str, Any] | None


class HandoverReplay:
    """The keeper of the streams of hand-overs."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._pending: dict[int, _Folded] = {}
        self._met = 0
        self._row: dict[str, Any] | None = None
        self._broken = False

    def follow(self, entry: Entry) -> None:
        """Fold one entry; after the first that cannot be, the rest of the stream is left alone."""
        if self._broken:
            return
        try:
            self._row = fold_handover(self._row, entry)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._broken = True

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep it until enough are there to be compared in one statement."""
        number = stream.partition(":")[2]
        if number.isascii() and number.isdecimal() and len(number) <= 18:
            whole = sound and not self._broken
            self._pending[int(number)] = _Folded(tail, self._row if whole else None)
        else:
            self._report.find("head_missing", stream)
        self._row, self._broken = None, False
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for rows without a stream, if there must be any."""
        self._flush()
        if self._conn.execute(sa.select(sa.func.count()).select_from(handovers)).scalar_one() == self._met:
            return
        stream = sa.literal(f"{PREFIX}:").concat(sa.cast(handovers.c.id, sa.String))
        alone = sa.select(handovers.c.id).where(~sa.exists().where(entries.c.stream == stream)).limit(_SHOWN)
        for number in self._conn.execute(alone).scalars():
            self._report.find("row_without_entries", f"{PREFIX}:{number}", table=handovers.name)

    def _flush(self) -> None:
        wanted = as_stored(handovers, _COLUMNS, self._conn.dialect.name)
        found = {row[0]: row for row in rows.select_by_keys(self._conn, wanted, "id", sorted(self._pending))}
        self._met += len(found)
        for number, folded in self._pending.items():
            stream, row = f"{PREFIX}:{number}", found.get(number)
            if row is None:
                self._report.find("head_missing", stream)
            elif folded.row is not None:
                self._compare(stream, folded.tail.seq, folded.row, row)
        self._pending.clear()

    def _compare(self, stream: str, seq: int, are: Mapping[str, Any], row: Any) -> None:
        held = dict(zip(_COLUMNS, row, strict=True))
        differing = [name for name in FOLDED if held[name] != are[name]]
        if differing:
            self._report.find("row_differs", stream, seq, table=handovers.name, columns=differing)
        try:
            moves = [tuple(move) for move in self._moves(held["id"])]
            digest = digest_of(bytes(held["options"]), bytes(held["preview"]), [Move(*move[:-1]) for move in moves])
        except Exception:  # noqa: BLE001  (SQLite holds no column to its type)
            digest, moves = "", []
        if digest != are["plan_digest"]:
            self._report.find("plan_differs", stream, seq, table=handover_moves.name)
        elif are["status"] == "applied":
            self._receipts(stream, seq, held["id"], len(moves))
        elif any(move[-1] is not None for move in moves):
            self._report.find("receipt_differs", stream, seq, status=are["status"])

    def _moves(self, number: int) -> Any:
        wanted = sa.select(*_MOVES).where(handover_moves.c.handover_id == number)
        return self._conn.execute(wanted.order_by(handover_moves.c.case_id)).all()

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
