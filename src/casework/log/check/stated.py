"""The statements of case heads that a log holds: the newest one, and all of them against the leaves."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads_tree import StatedHeads, StatementCheck
from casework.log.format.case_heads import (
    EVENT,
    MalformedStatement,
    Statement,
    statement_of,
)
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.stored import as_stored
from casework.log.tables import entries, leaves
from casework.log.write.grown import Log

_AT_ONCE: Final = 8  # mostly it is the newest, or the one before it


class HeldStatement(NamedTuple):
    """A statement as the database holds it: nothing of it is proven. No leaf index while it is not sealed."""

    seq: int
    leaf_index: int | None
    body: bytes
    statement: Statement


def newest_statement(conn: Connection, log: Log, *, before_leaf: int | None = None) -> HeldStatement | None:
    """The log's newest statement, or its newest one among the first `before_leaf` leaves; none where there is none.

    An entry that states nothing (its body was changed) counts as none: the verification says so.
    """
    # Outer, and the bound looked at here: the statements come first, never the leaves of the whole log.
    sealed = sa.and_(leaves.c.log == log.number, leaves.c.entry == entries.c.id)
    wanted = (
        sa.select(entries.c.stream_seq, leaves.c.leaf_index, entries.c.body)
        .select_from(entries.outerjoin(leaves, sealed))
        .where(entries.c.stream == f"log:{log.number}", entries.c.event == EVENT)
        .order_by(entries.c.stream_seq.desc())
        .limit(_AT_ONCE)
    )
    found = conn.execute(wanted).all()
    while found:
        for seq, leaf_index, body in found:
            if before_leaf is None or (leaf_index is not None and leaf_index < before_leaf):
                return _held(seq, leaf_index, body)
        found = conn.execute(wanted.where(entries.c.stream_seq < found[-1].stream_seq)).all()
    return None


def _held(seq: int, leaf_index: int | None, body: Any) -> HeldStatement | None:
    try:
        data = bytes(body)
        return HeldStatement(seq, leaf_index, data, statement_of(decode_strict(data)))
    except (MalformedEntry, MalformedStatement, TypeError):  # SQLite holds no column to its type
        return None


def statements_check(conn: Connection, report: Report, log: Log) -> StatementCheck:
    """What holds every statement of a log against its leaves, once it is told them in order."""
    stream = f"log:{log.number}"
    sealed = sa.and_(leaves.c.log == log.number, leaves.c.entry == entries.c.id)
    raw = as_stored(entries, ("stream_seq", "body"), conn.dialect.name).selected_columns
    wanted: sa.Select[Any] = (
        sa.select(leaves.c.leaf_index, *raw)
        .select_from(entries.outerjoin(leaves, sealed))
        .where(entries.c.stream == stream, entries.c.event == EVENT)
        .order_by(entries.c.stream_seq)
    )
    stated = []
    for leaf_index, seq, body in conn.execute(wanted):
        try:
            stated.append(StatedHeads(statement_of(decode_strict(body)), stream, seq, leaf_index))
        except MalformedStatement as fault:
            report.find("case_heads_malformed", stream, seq, fault=fault.code)
        except (MalformedEntry, TypeError):  # the walk over the entries has said so
            continue
    return StatementCheck(report, stated)
