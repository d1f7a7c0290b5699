"""Replays every case from its entries alone and compares the fold with its row (audit.md §7, attack 13).

Each entry of a case is judged by `casework.work.cases.judge`. Runs as a keeper of `casework.log.check.verify`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.kept import Kept
from casework.lifecycle.replay import NounRows
from casework.log.check.findings import Report
from casework.log.check.heads import Tail, compare_head
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.storage import rows
from casework.work.cases.case import COLUMNS, Case, to_row
from casework.work.cases.judge import CaseJudge
from casework.work.cases.publish import cited_in
from casework.work.cases.replay_owners import OwnerRows, owners_judge
from casework.work.cases.tables import cases

PREFIX: Final = "case"
_BATCH: Final = 1_000
_SHOWN: Final = 100
_HEAD_COLUMNS = ("audit_seq", "audit_head", "last_entry_at")
_HEAD_AT = tuple(COLUMNS.index(name) for name in _HEAD_COLUMNS)
_ID_AT = COLUMNS.index("id")


class _Folded(NamedTuple):
    """A case whose stream has ended, to be compared with its rows; no case if it could not be replayed."""

    stream: str
    tail: Tail
    case: Case | None
    owners: Sequence[tuple[Any, ...]]


class CaseReplay:
    """The keeper of streams of cases: has them judged, and compares what came of it with the rows.

    `cited` hears every entry that names a request under four eyes: the keeper of requests holds them against it.
    `nouns`: those whose rows are kept; the children among them live in a case's stream.
    """

    def __init__(
        self, conn: Connection, report: Report, cited: Callable[[Entry], None] = lambda _: None, *,
        nouns: Sequence[Kept] = (),
    ) -> None:  # fmt: skip
        self._conn = conn
        self._report = report
        self._judge = CaseJudge(cited_in(conn, report), owners_judge(conn, report), report, cited)
        self._owners = OwnerRows(conn, report)
        self._children = {noun.word: NounRows(conn, report, noun, _parent_stream) for noun in nouns if noun.child}
        self._select = as_stored(cases, COLUMNS, conn.dialect.name)
        self._pending: list[_Folded] = []
        self._met = 0

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the case until enough are there to be compared in one statement."""
        case, owners, children = self._judge.end(sound=sound)
        if case is not None:
            case.audit_seq, case.audit_head = tail.seq, tail.leaf_hash or b""
            for (word, number), child in children.items():
                self._children[word].expect(stream, tail.seq, number, child)
        self._pending.append(_Folded(stream, tail, case, owners))
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for cases without a stream, if there must be any."""
        self._flush()
        self._owners.finish()
        for children in self._children.values():
            children.finish()
        if self._conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one() == self._met:
            return
        stream = sa.literal(f"{PREFIX}:").concat(sa.cast(cases.c.id, sa.String))
        orphans = sa.select(cases.c.id).where(~sa.exists().where(entries.c.stream == stream)).limit(_SHOWN)
        for number in self._conn.execute(orphans).scalars():
            self._report.find("stream_missing", f"{PREFIX}:{number}")

    # ── the rows ────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        numbers = {folded.stream: _number(folded.stream) for folded in self._pending}
        wanted = [number for number in numbers.values() if number is not None]
        found = {row[_ID_AT]: tuple(row) for row in rows.select_by_keys(self._conn, self._select, "id", wanted)}
        self._met += len(found)
        known = {numbers[folded.stream]: folded.owners if folded.case else None for folded in self._pending}
        self._owners.compare({number: owners for number, owners in known.items() if number is not None})
        for folded in self._pending:
            number = numbers[folded.stream]
            self._compare(folded, None if number is None else found.get(number))
        self._pending.clear()

    def _compare(self, folded: _Folded, row: tuple[Any, ...] | None) -> None:
        stream, tail, case, _ = folded
        if row is None:
            compare_head(self._report, stream, tail, None)
            return
        seq, leaf, at = (row[place] for place in _HEAD_AT)
        compare_head(self._report, stream, tail, (seq, leaf, at))
        if case is None:
            return
        differing = [
            name
            for name, held, replayed in zip(COLUMNS, row, _as_stored_row(case), strict=True)
            if held != replayed and name not in _HEAD_COLUMNS
        ]
        if differing:
            self._report.find("row_differs", stream, tail.seq, columns=differing)


def _parent_stream(child: Mapping[str, Any]) -> str:
    return f"{PREFIX}:{child['parent_id']}"


def _number(stream: str) -> int | None:
    text = stream.partition(":")[2]
    # Only the spelling that the service itself uses, within the database's integers.
    plain = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if plain and text == str(int(text)) else None


def _as_stored_row(case: Case) -> Iterable[Any]:
    """The row of a case as `as_stored` reads it; the head's columns are compared apart."""
    return (value.isoformat() if type(value) is date else value for value in to_row(case))
