"""Files that were taken out of a day: what an entry says of one, and whether a file is still what it was."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.evening.handing_in import STREAM, HandIn, handed_in
from casework.evidence.ledger.people import members_of
from casework.log.format.chain import is_genuine
from casework.log.format.entry import entry_id_of
from casework.log.tables import entries, streams
from casework.log.write import kept
from casework.work.cases.branch import Branch

EXPORTED: Final = "ledger.exported"
REPORT_EXPORTED: Final = "day.report_exported"
MOST_BYTES: Final = 256 * 1024 * 1024
_TAKEN_OUT: Final = sa.select(entries).where(
    entries.c.stream.in_(sa.select(streams.c.stream).where(streams.c.stream.like("exports:%"))),
    entries.c.event.in_([EXPORTED, REPORT_EXPORTED]),
)


class TakenOut(NamedTuple):
    """A file as it was taken out, and what had been handed in of that day by then."""

    entry_id: str
    event: str
    by: str
    at: str
    on: date
    team: str | None
    rows: int
    hand_ins: list[HandIn]

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "entry_id": self.entry_id, "event": self.event, "by": self.by, "at": self.at, "on": self.on.isoformat(),
            "team": self.team, "rows": self.rows,
            "hand_ins": [
                {"owed_by": one.owed_by, "part": one.part, "entry_id": one.entry_id, "digest": one.digest.hex()}
                for one in self.hand_ins
            ],
        }  # fmt: skip


def digest_of_file(file: Path) -> str:
    """SHA-256; CallerErrors `file_unreadable`, `file_too_large`."""
    try:
        if not file.is_file():
            raise OSError(0, "not a file")
        if file.stat().st_size > MOST_BYTES:
            raise CallerError("file_too_large", file=file.name, limit_bytes=MOST_BYTES)
        return kept.measure(file)[1]
    except OSError:
        raise CallerError("file_unreadable", file=file.name) from None


def checked(conn: Connection, branch: Branch, digest: str) -> TakenOut:
    """Which export a file of this digest is; CallerErrors `file_not_taken_out`, `entry_not_genuine`."""
    for row in conn.execute(_TAKEN_OUT.order_by(entries.c.id)):
        body = msgspec.json.decode(bytes(row.body))
        if body["data"].get("digest") != digest:
            continue
        entry_id = entry_id_of(row.stream, row.stream_seq)
        if not is_genuine(branch.mac_key, row.body, row.leaf_hash, row.mac):
            raise CallerError("entry_not_genuine", entry_id=entry_id)
        asked = body["data"]["filter"]
        on = date.fromisoformat(asked["on"])
        found = _hand_ins(conn, branch, on, asked.get("team"), row.recorded_at)
        return TakenOut(
            entry_id, row.event, body["actor"]["id"], body["recorded_at"], on, asked.get("team"), body["data"]["rows"],
            found,
        )  # fmt: skip
    raise CallerError("file_not_taken_out", digest=digest)


def _hand_ins(
    conn: Connection, branch: Branch, on: date, team: str | None, at: datetime
) -> list[HandIn]:  # fmt: skip
    """What was handed in by then; CallerError `entry_not_genuine` where one is not what its entry says."""
    members = None if team is None else members_of(conn, team, on, branch.today(at))
    found = [one for one in handed_in(conn, on, members) if one.handed_in_at <= at]
    asked = sa.select(entries).where(
        entries.c.stream == STREAM, entries.c.stream_seq.in_([one.stream_seq for one in found])
    )
    said = {
        row.stream_seq: msgspec.json.decode(bytes(row.body))["data"].get("digest")
        for row in conn.execute(asked) if is_genuine(branch.mac_key, row.body, row.leaf_hash, row.mac)
    }  # fmt: skip
    for one in found:
        if said.get(one.stream_seq) != one.digest.hex():
            raise CallerError("entry_not_genuine", entry_id=one.entry_id)
    return found
