"""How cases stood when a day was closed: kept then, so that the day's ledger is the same whenever it is drawn up."""

import hashlib
import zlib
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.evidence.evening.handing_in import KEPT, STREAM, attempts_of, limit_of
from casework.evidence.evening.tables import CLOSE, LEDGER, hand_ins
from casework.evidence.ledger.gathering import at_close
from casework.evidence.ledger.lines import Part, encode_part, figures_of, part_of
from casework.log.write.trail import Draft, locked_head, put_heads
from casework.people.staff.actor import system
from casework.storage import rows
from casework.work.cases.branch import Branch

_QUICKLY: Final = 1  # of zlib: six times as fast as usual, a fifth larger


def keep(conn: Connection, branch: Branch, institution: str, on: date, *, clock: Clock = now) -> None:
    """Keep how the cases of an institution stand as the day is closed, in the caller's transaction; once."""
    known = sa.select(hand_ins.c.day).where(
        hand_ins.c.day == on, hand_ins.c.owed_by == institution, hand_ins.c.part == CLOSE
    )
    if conn.execute(known).scalar_one_or_none() is not None:
        return
    whole = part_of(at_close(conn, branch, on, institution), limit_of(branch, on, LEDGER), attempts_of(branch, on))
    content, figures, actor = encode_part(Part(whole.cases, [], [])), figures_of(whole), system("sweep")
    digest = hashlib.sha256(content).digest()
    said = {
        "on": on.isoformat(), "owed_by": institution, "part": CLOSE, "is_late": False, "digest": digest.hex(),
        **figures, "cases": len(whole.cases),
    }  # fmt: skip
    trail, head = branch.trail(clock()), locked_head(conn, STREAM)
    head = trail.add(STREAM, head, Draft(KEPT, actor.signed, said, rules=("5.2",)))
    put_heads(conn, {STREAM: head})
    trail.write(conn)
    line = (
        on, institution, CLOSE, actor.id, head.recorded_at, False, *figures.values(), digest,
        zlib.compress(content, _QUICKLY), head.seq,
    )  # fmt: skip
    rows.insert_many(conn, hand_ins, [line], tuple(hand_ins.c.keys()))
