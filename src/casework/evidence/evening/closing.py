"""How cases stood when a day was closed: kept then, so that the day's ledger is the same whenever it is drawn up."""

from datetime import date
from itertools import chain
from typing import Final

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.evidence.evening.handing_in import KEPT, STREAM, What, attempts_of, entered, write_hand_ins
from casework.evidence.evening.tables import CLOSE
from casework.evidence.ledger.gathering import at_close
from casework.evidence.ledger.lines import Part, encode_part, figures_of, lines_of
from casework.log.write.trail import locked_head
from casework.people.staff.actor import system
from casework.work.cases.branch import Branch
from casework.work.duties.taking import Taken

_QUICKLY: Final = 1  # of zlib: six times as fast as usual, a fifth larger


def keep(conn: Connection, branch: Branch, institution: str, on: date, taken: Taken, *, clock: Clock = now) -> None:
    """Keep how the cases of an institution stand once its duties of the day are taken, in the same transaction."""
    day = at_close(conn, branch, on, institution, taken)
    lines = lines_of(day, attempts_of(branch, on))
    figures = figures_of(chain.from_iterable(day.duties.values()), sum(map(len, day.contacts.values())))
    what = What(on, institution, CLOSE, figures, encode_part(Part(lines, [], [])), len(lines))
    trail = branch.trail(clock())
    head, _, line = entered(trail, locked_head(conn, STREAM), system("sweep"), what, event=KEPT, level=_QUICKLY)
    write_hand_ins(conn, trail, head, [line])
