"""What a correction of the day takes back: settlements that the feed it corrects had caused and this one denies."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.row import OverdueRow
from casework.intake.feed.settling import Word
from casework.storage import rows
from casework.work.cases.case import Facts
from casework.work.cases.tables import cases

_SETTLED: Final = sa.select(cases.c.loan_id, cases.c.id, cases.c.facts).where(cases.c.state == "settled")
_NEWEST: Final = sa.select(cases.c.loan_id, cases.c.id)
_decode = msgspec.json.Decoder(Facts).decode


class SettledThen(NamedTuple):
    """A case that the feed of the day settled, as what, and whose loan has no newer one."""

    loan_id: str
    case_id: int
    settled_as: str


def settled_by_feed(conn: Connection, institution: str, as_of: date) -> list[SettledThen]:
    """The cases that what a feed said of `as_of` settled: not by agreement, not by money on a write-off."""
    statement = _SETTLED.where(cases.c.institution == institution, cases.c.state_since == as_of)
    found = []
    for loan_id, case_id, encoded in conn.execute(statement.order_by(cases.c.loan_id)):
        facts = _decode(bytes(encoded))
        if facts.settled_as in ("arrears_cleared", "paid_in_full") and facts.written_off_on is None:
            found.append(SettledThen(loan_id, case_id, facts.settled_as))
    newest: dict[str, int] = {}
    for loan_id, case_id in rows.select_by_keys(conn, _NEWEST, "loan_id", [one.loan_id for one in found]):
        newest[loan_id] = max(case_id, newest.get(loan_id, 0))
    return [one for one in found if one.case_id == newest[one.loan_id]]


def wrongly_settled(
    settled: Collection[SettledThen], in_arrears: Collection[str], word_on: Callable[[str], Word]
) -> list[SettledThen]:
    """Those that the corrected files deny: the loan is in arrears after all, not paid after all, or left unpaid."""
    return [one for one in settled if one.loan_id in in_arrears or _denied(one, word_on(one.loan_id))]


def owed_as_before(
    settled: Collection[SettledThen],
    overdue: Collection[str],
    held: Collection[str],
    earlier: Mapping[str, OverdueRow],
    word_on: Callable[[str], Word],
) -> dict[str, OverdueRow]:
    """What is owed on those of which no file of today says it: as the snapshot before said.

    Their row was set aside (`held`), or their loan left the books unpaid.
    """
    untold = [one.loan_id for one in settled if one.loan_id not in overdue]
    loans = [loan_id for loan_id in untold if loan_id in held or word_on(loan_id).taken_off]
    return {loan_id: earlier[loan_id] for loan_id in loans if loan_id in earlier}


def _denied(one: SettledThen, word: Word) -> bool:
    owed = one.settled_as == "paid_in_full" and word.outstanding_fen is not None and word.outstanding_fen > 0
    return owed or word.taken_off is not None
