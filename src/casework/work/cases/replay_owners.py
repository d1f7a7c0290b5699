"""The history of owners as its rows have it, against what the entries said (`casework.work.cases.owners_judge`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.stored import as_stored
from casework.log.tables import entries, texts
from casework.storage import rows
from casework.work.cases.owners_judge import OwnersJudge
from casework.work.cases.publish import STREAM
from casework.work.cases.rules_in_force import RulesInForce
from casework.work.cases.tables import cases, owner_history

_HISTORY = ("case_id", "stream_seq", "since_on", "since_at", "owner", "handler", "post", "reason", "rule")
_SHOWN: Final = 100


def owners_judge(conn: Connection, report: Report) -> OwnersJudge:
    """The judge, by the tables that this database holds as published."""
    held = conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest, texts.c.body)).all()
    bodies = {(row[0], row[1], row[2]): bytes(row[3]) for row in held if isinstance(row[3], (bytes, memoryview))}
    announced = []
    wanted = sa.select(entries.c.body).where(entries.c.stream == STREAM).order_by(entries.c.stream_seq)
    for body in conn.execute(wanted).scalars():
        try:
            announced.append(decode_strict(bytes(body)))
        except (MalformedEntry, TypeError):
            continue  # the walk over the entries says so
    return OwnersJudge(RulesInForce(bodies, announced, report), report)


class OwnerRows:
    """Compares the rows."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._select = as_stored(owner_history, _HISTORY, conn.dialect.name)
        self._met = 0

    # ── the rows ────────────────────────────────────────────────────────────────────────────────────────────────────

    def compare(self, expected: Mapping[int, Sequence[tuple[Any, ...]] | None]) -> None:
        """The rows of these cases against what their entries said (none: not to be judged)."""
        found: dict[int, list[tuple[Any, ...]]] = {}
        for row in rows.select_by_keys(self._conn, self._select, "case_id", sorted(expected)):
            found.setdefault(row[0], []).append(tuple(row))
        for case_id, wanted in expected.items():
            held = found.get(case_id, [])
            self._met += len(held)
            if wanted is None or held == wanted:
                continue
            held.sort(key=lambda row: _by_kind(row[1]))
            if held == list(wanted):
                continue
            there, said = {row[1]: row for row in held}, {row[1]: row for row in wanted}
            wrong = sorted((seq for seq in there.keys() | said.keys() if there.get(seq) != said.get(seq)), key=_by_kind)
            self._report.find("owner_history_differs", f"case:{case_id}", wrong[0], entries=wrong[:_SHOWN])

    def cut(self) -> int:
        """How many rows there were in a part of the streams."""
        met, self._met = self._met, 0
        return met

    def absorb(self, met: int) -> None:
        """So many rows there were in another part."""
        self._met += met

    def finish(self) -> None:
        """Rows of cases that no stream speaks of."""
        if self._conn.execute(sa.select(sa.func.count()).select_from(owner_history)).scalar_one() == self._met:
            return
        stream = sa.literal("case:").concat(sa.cast(owner_history.c.case_id, sa.String))
        spoken_of = sa.exists().where(entries.c.stream == stream)
        there = sa.exists().where(cases.c.id == owner_history.c.case_id)  # its row without entries is reported already
        alone = sa.select(owner_history.c.case_id).where(~spoken_of, ~there).distinct()
        for number in self._conn.execute(alone.order_by(owner_history.c.case_id).limit(_SHOWN)).scalars():
            self._report.find("row_without_entries", f"case:{number}", table=str(owner_history.name))


def _by_kind(value: Any) -> tuple[str, Any]:
    """An order for values of any kind: SQLite holds no column to its type."""
    return type(value).__name__, value
