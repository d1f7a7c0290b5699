"""Compares the kept trees of heads with the statements that they are of: every dossier takes its proof from them.

They are no evidence, and a changed one convinces nobody; but each dossier made of it is unsound, so it must be shown.
"""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.evidence.dossier.tables import case_head_tiles, case_heads
from casework.log.check.findings import Report
from casework.log.check.stated import newest_statement
from casework.log.format.case_heads import (
    Built,
    CaseHead,
    MalformedStatement,
    Statement,
    build,
    read_records,
    statement_of,
)
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.log.write.grown import Log, present_log

_RECORDS: Final = ("number", "first_case", "records")
_TILES: Final = ("level", "number", "hashes")
_SHOWN: Final = 20


def check_kept(conn: Connection, report: Report) -> None:
    """Every kept tree against its statement, and that of the newest statement is there; `conn` is one snapshot.

    Findings `row_differs` and `row_without_entries` of the tables, `heads_not_kept`. Memory as one such tree.
    """
    places: set[tuple[Any, Any]] = set()
    for table in (case_heads, case_head_tiles):
        places |= {(log, at) for log, at in conn.execute(sa.select(table.c.log, table.c.statement).distinct())}
    for log, statement in sorted(places, key=repr):
        stated = _stated(conn, log, statement)
        if stated is None:
            report.find("row_without_entries", f"log:{log}", statement, table=case_heads.name)
        else:
            _compare(conn, report, log, statement, stated)
    present = present_log(conn)
    newest = newest_statement(conn, present) if present is not None else None
    if present is not None and newest is not None and (present.number, newest.seq) not in places:
        report.find("heads_not_kept", f"log:{present.number}", newest.seq, table=case_heads.name)


def is_kept(conn: Connection, log: Log, statement: int, built: Built) -> bool:
    """Whether exactly this tree is kept of a statement."""
    records, tiles = _rows(conn, log.number, statement)
    return (records, tiles) == _rows_of(built)


def _stated(conn: Connection, log: Any, statement: Any) -> Statement | None:
    raw = as_stored(entries, ("body",), conn.dialect.name)
    body = conn.execute(
        raw.where(entries.c.stream == f"log:{log}", entries.c.stream_seq == statement)
    ).scalar_one_or_none()  # fmt: skip
    try:
        return statement_of(decode_strict(body)) if type(body) is bytes else None
    except (MalformedEntry, MalformedStatement):
        return None


def _compare(conn: Connection, report: Report, log: Any, statement: Any, stated: Statement) -> None:
    at = (f"log:{log}", statement)
    records, tiles = _rows(conn, log, statement)
    try:
        built = build(_heads(records))
    except (TypeError, ValueError):  # what is no records, or not in order
        built = None
    if built is None or (built.cases, built.root) != (stated.cases, stated.root):
        report.find("row_differs", *at, table=case_heads.name, cases=built.cases if built else None, day=stated.day)
        return
    for table, held, made in zip((case_heads, case_head_tiles), (records, tiles), _rows_of(built), strict=True):
        differing = sorted((key for key in held.keys() | made.keys() if held.get(key) != made.get(key)), key=repr)
        if differing:
            report.find("row_differs", *at, table=table.name, rows=differing[:_SHOWN])


def _heads(records: dict[Any, Any]) -> Iterator[CaseHead]:
    """By the numbers of their rows, which must follow one another."""
    for number in range(len(records)):
        _, data = records.get(number, (None, b""))
        yield from read_records(data)


def _rows(conn: Connection, log: Any, statement: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Rows of both tables as they are stored, by their numbers."""
    dialect = conn.dialect.name
    found = []
    for table, names in ((case_heads, _RECORDS), (case_head_tiles, _TILES)):
        own = (table.c.log == log, table.c.statement == statement)
        found.append(conn.execute(as_stored(table, names, dialect).where(*own)).all())
    return {row[0]: (row[1], row[2]) for row in found[0]}, {(row[0], row[1]): row[2] for row in found[1]}


def _rows_of(built: Built) -> tuple[dict[Any, Any], dict[Any, Any]]:
    records: dict[Any, Any] = dict(enumerate(zip(built.first_cases, built.records, strict=True)))
    return records, {(tile.level, tile.number): data for tile, data in built.tiles}


__all__ = ["check_kept", "is_kept"]
