"""What still holds personal data of an erased borrower: nothing here can reach it, so it is shown, place by place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.backups import BACKED_UP, BACKUPS
from casework.log.tables import entries
from casework.oversight.privacy.gather import ErasureGathered
from casework.storage import rows
from casework.work.cases.case import Case
from casework.work.handover.tables import handover_moves

LISTED: Final = 200
"""Of each kind so many are named, the newest; all are counted."""
_SHEET: Final = "handover.sheet_made"
ZH: Final = (
    "本系统不掌握的副本（纸质材料、员工自行保存的文件、外包机构及下游系统、磁带与磁盘快照、预写日志归档）须由本机构另行清理；"
    "审计日志仍保留借据号、客户号、金额、日期及加盐承诺，无法由其还原个人信息"
)
EN: Final = (
    "copies this service does not know of (paper, files that staff kept, agencies and other systems, tapes and disk "
    "snapshots, archived write-ahead logs) are for the branch to clear; the log keeps loan and borrower numbers, "
    "amounts, dates and salted commitments, from which nothing personal can be read back"
)


class Copy(msgspec.Struct):
    """One entry that says a copy was made: of what kind, when, by whom, and what it says of itself."""

    entry_id: str
    event: str
    at: datetime
    by: str
    said: dict[str, Any]


class Copies(msgspec.Struct):
    """All of one kind since the borrower was first on record: how many, and the newest."""

    count: int
    newest: list[Copy]


class Remaining(msgspec.Struct):
    """Backups and exports since their first entry, hand-over sheets with a case of theirs, and what nobody can know."""

    since: datetime | None
    backups: Copies
    exports: Copies
    handover_sheets: Copies
    zh: str = ZH
    en: str = EN


def remaining(conn: Connection, found: ErasureGathered) -> Remaining:
    """By the log alone."""
    since = _first_entry(conn, [stream for stream, _ in found.places])
    later = [] if since is None else [entries.c.recorded_at >= since]
    backups = sa.and_(entries.c.stream == BACKUPS, entries.c.event == BACKED_UP, *later)
    exports = sa.and_(entries.c.stream >= "exports:", entries.c.stream < "exports;", *later)
    return Remaining(since, _copies(conn, backups), _copies(conn, exports), _sheets(conn, found.cases))


def _first_entry(conn: Connection, streams: Sequence[str]) -> datetime | None:
    found = rows.select_by_keys(conn, _FIRST, "stream", streams)
    return min((row.recorded_at for row in found), default=None)


_FIRST = sa.select(entries.c.stream, entries.c.recorded_at).where(entries.c.stream_seq == sa.literal_column("1"))


def _sheets(conn: Connection, cases: Sequence[Case]) -> Copies:
    plans = sa.select(handover_moves.c.case_id, handover_moves.c.handover_id)
    moved = rows.select_by_keys(conn, plans, "case_id", [case.id for case in cases])
    streams = sorted({f"handover:{row.handover_id}" for row in moved})
    return _copies(conn, sa.and_(entries.c.stream.in_(streams), entries.c.event == _SHEET))


def _copies(conn: Connection, which: sa.ColumnElement[bool]) -> Copies:
    count = conn.execute(sa.select(sa.func.count()).select_from(entries).where(which)).scalar_one()
    columns = (entries.c.stream, entries.c.stream_seq, entries.c.event, entries.c.recorded_at, entries.c.actor_id)
    newest = sa.select(*columns, entries.c.body).where(which).order_by(entries.c.id.desc()).limit(LISTED)
    return Copies(
        count,
        [
            Copy(f"{row.stream}:{row.stream_seq}", row.event, row.recorded_at, row.actor_id,
                 msgspec.json.decode(bytes(row.body))["data"])
            for row in conn.execute(newest)
        ],
    )  # fmt: skip
