"""Rows that an import set aside: to be listed, downloaded, mended and fed again."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.cell import CellNote
from casework.intake.feed.cell_texts import TEXTS
from casework.intake.feed.erased import ErasedPeople
from casework.intake.feed.feed_sheet import FeedSheet, SetAside
from casework.intake.feed.folder import set_aside_csv
from casework.intake.feed.headers import COLUMNS, PERSONAL, Kind, understand
from casework.intake.feed.naming import named_in
from casework.intake.feed.sealed_cells import of_aside
from casework.intake.feed.tables import feed_runs, set_aside
from casework.intake.sheets.column import FileColumn
from casework.intake.sheets.fault import Fault, Places
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.personal import Vault
from casework.storage import rows
from casework.work.cases.branch import Branch

LIMIT = 10_000
_AT_ONCE = 2_000


class _Cells(msgspec.Struct):
    header: list[str]
    cells: list[str]
    more: list[CellNote] = []  # what else is wrong with the row
    file: str | None = None
    workbook: bool = False


_decode = msgspec.json.Decoder(_Cells).decode


class Aside(NamedTuple):
    """One row set aside, without its cells: they are personal data."""

    id: int
    kind: str
    line: int
    column: str
    code: str

    @property
    def text(self) -> str:
        """Why, in both languages."""
        zh, en = TEXTS[self.code]
        return f"{zh} / {en}"


def store_aside(
    conn: Connection, branch: Branch, run_id: int, sheets: Iterable[FeedSheet[Any]], erased: ErasedPeople
) -> tuple[int, int]:
    """Keep the rows that a run set aside, their cells sealed; how many, and of how many only the ids of the erased."""
    stored: list[tuple[Any, ...]] = []
    emptied = 0
    for sheet in sheets:
        for row in sheet.set_aside:
            ids_alone = erased.cells(sheet.header, row.cells)
            emptied += ids_alone is not None
            cells = list(row.cells if ids_alone is None else ids_alone)
            raw = _Cells(list(sheet.header.names), cells, list(row.more), sheet.name, sheet.workbook)
            place = of_aside(run_id, sheet.kind, row.line)
            sealed = branch.vault.seal(place, msgspec.json.encode(raw).decode())
            stored.append((run_id, sheet.kind, row.line, row.column, row.code, sealed))
    rows.insert_many(conn, set_aside, stored, ("run_id", "kind", "line", "column", "code", "row_sealed"))
    return len(stored), emptied


def faults_of(
    conn: Connection, vault: Vault, run_id: int, kind: str | None = None, *, after: int = 0, limit: int = LIMIT,
    personal: bool = True,
) -> list[tuple[Aside, list[Fault]]]:  # fmt: skip
    """Rows set aside from behind the id `after`, with all that is wrong; personal values masked, or left out."""
    wanted = sa.select(set_aside).where(set_aside.c.run_id == run_id, set_aside.c.id > after)
    wanted = wanted.where(set_aside.c.kind == kind) if kind is not None else wanted
    found: list[tuple[Aside, list[Fault]]] = []
    for row in conn.execute(wanted.order_by(set_aside.c.id).limit(limit)):
        raw, one = _decode(_opened(vault, row)), Aside(row.id, row.kind, row.line, row.column, row.code)
        positions, _ = _columns(row.kind, tuple(raw.header))
        columns: Sequence[FileColumn] = COLUMNS[row.kind]
        places = Places(raw.file or row.kind, raw.header, positions, columns, workbook=raw.workbook)
        told = [
            places.placed(Fault(row.line, note.column or None, note.code, *TEXTS[note.code]), raw.cells)
            for note in (CellNote(row.column, row.code), *raw.more)
        ]
        found.append((one, told if personal else [_bare(fault) for fault in told]))
    return found


def _bare(fault: Fault) -> Fault:
    return fault._replace(value=None) if fault.column in PERSONAL else fault


def record_aside_read(
    conn: Connection, branch: Branch, actor: Actor, kind: str, *, masked: bool, run_id: int | None = None
) -> None:
    """Append `personal.read`: the cells of rows set aside are personal data. In the caller's transaction.

    `run_id`: of a feed; without one they are of a file of another `kind`.
    """
    trail = branch.trail(now())
    which = {} if run_id is None else {"run": run_id}
    data = {**which, "kind": kind, "purpose": "mend", "masked": masked}
    trail.append(conn, "feed:set_aside", Draft("personal.read", actor.signed, data))
    trail.write(conn)


def aside_of_people(
    conn: Connection, vault: Vault, institution: str, wanted: AbstractSet[str], *, after: int = 0
) -> tuple[list[int], int]:
    """Rows of the institution, from behind the one with id `after`, that name one of `wanted` (`named_in`).

    The cells are sealed, so every row is opened: in order of id, some thousands at a time. Their ids, and the last id
    that was looked at. A row that does not open is nobody's.
    """
    found: list[int] = []
    columns = (set_aside.c.id, set_aside.c.run_id, set_aside.c.kind, set_aside.c.line, set_aside.c.row_sealed)
    its = sa.select(feed_runs.c.id).where(feed_runs.c.institution == institution)
    statement = sa.select(*columns).where(set_aside.c.id > after, set_aside.c.run_id.in_(its)).order_by(set_aside.c.id)
    for batch in conn.execute(statement, execution_options={"yield_per": _AT_ONCE}).partitions():
        for row in batch:
            try:
                raw = _decode(_opened(vault, row))
            except (ValueError, TypeError):  # verification does not cover these rows: whoever mends them finds out
                continue
            if not wanted.isdisjoint(named_in(*_columns(row.kind, tuple(raw.header)), raw.cells)):
                found.append(row.id)
        after = batch[-1].id
    return found, after


def _opened(vault: Vault, row: Any) -> str:
    return vault.open(of_aside(row.run_id, row.kind, row.line), bytes(row.row_sealed))


@lru_cache(maxsize=64)
def _columns(kind: Kind, header: tuple[str, ...]) -> tuple[Mapping[str, int], int]:
    """Where the known columns are, and the header's width; no width where this version does not understand it."""
    try:
        return understand(kind, header).positions, len(header)
    except CallerError:
        return {}, -1


def aside_csv(conn: Connection, vault: Vault, run_id: int, kind: str) -> str:
    """The rows of one file that a run set aside, with their cells: personal data (`record_aside_read`).

    As they came (`set_aside_csv`): whatever hands it out puts it into the safe form unless the raw one is asked for.
    """
    statement = (
        sa.select(set_aside)
        .where(set_aside.c.run_id == run_id, set_aside.c.kind == kind)
        .order_by(set_aside.c.id)
        .limit(LIMIT)
    )
    header: list[str] = []
    found: list[SetAside] = []
    for row in conn.execute(statement):
        raw = _decode(_opened(vault, row))
        header = raw.header
        found.append(SetAside(row.line, row.column, row.code, tuple(raw.cells), tuple(raw.more)))
    return set_aside_csv(kind, header, found)  # type: ignore[arg-type]  # kinds in the table are kinds of file


class TooManySetAside(CallerError):
    """A sheet has more bad rows than the policy's share: the first are named. `sheet` is kept with the run's."""

    def __init__(self, sheet: FeedSheet[Any], share_percent: int) -> None:
        bad, row = len(sheet.set_aside), sheet.set_aside[0]
        (zh, en), column = TEXTS[row.code], row.column or sheet.kind
        super().__init__(
            "too_many_set_aside",
            f"{sheet.name} 有 {bad} 行不可用（上限 {share_percent}%），最先是第{row.line}行 {column}：{zh}",
            f"{bad} of {sheet.row_count} rows of {sheet.name} cannot be used (at most {share_percent} %), the first in "
            f"line {row.line}, {column}: {en}",
            kind=sheet.kind, rows=sheet.row_count, set_aside=bad,
            first=[{"line": row.line, "column": row.column, "code": row.code} for row in sheet.set_aside[:5]],
        )  # fmt: skip
        self.sheet = sheet
