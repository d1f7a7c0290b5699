"""Loans that a feed holds back: a row set aside without a readable loan number could be theirs, so none counts as gone.

Said in the run's text and figures, and by the branch's health and metrics until a feed comes without such rows.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed import run as runs
from casework.intake.feed.cell_texts import TEXTS
from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.headers import Kind
from casework.lifecycle.tables import institutions


class HeldBack(msgspec.Struct, frozen=True):
    """How many loans how many rows of one file hold back; of the first of those rows its line and what is wrong."""

    kind: Kind
    loans: int
    rows: int
    line: int
    code: str
    zh: str
    en: str


class FeedHealth(msgspec.Struct, frozen=True):
    """What the last feed of an institution leaves to be done; well when `without_case` is 0 and `held_back` empty."""

    institution: str
    as_of: str
    without_case: int
    held_back: list[HeldBack]


def held_back(
    overdue: FeedSheet[Any], held: Collection[str], loans: FeedSheet[Any] | None, loans_held: int
) -> list[HeldBack]:  # fmt: skip
    """What rows without a readable loan number hold back, by file; nothing where every row names its loan.

    `held`: the loans in arrears whose row is set aside, or could be; `loans_held`: how many the loans file may have.
    """
    named, _ = overdue.set_aside_keys()
    found = [of_file("overdue", sum(loan_id not in named for loan_id in held), overdue.unnamed_rows())]
    if loans is not None:
        found.append(of_file("loans", loans_held, loans.unnamed_rows()))
    return [one for one in found if one is not None]


def of_file(kind: Kind, loans: int, unnamed: Sequence[tuple[int, str]]) -> HeldBack | None:
    """What rows of one file hold back: `loans` that it seems to lack. `unnamed`: line and fault of each row."""
    if not loans or not unnamed:
        return None
    line, code = unnamed[0]
    zh, en = TEXTS[code]
    rows = len(unnamed)
    return HeldBack(
        kind, loans, rows, line, code,
        f"{loans}笔贷款暂不出催：{kind} 文件有{rows}行没有可用的借据号，可能是其中任何一笔"
        f"（最先是第{line}行：{zh}）；没有这种行的数据到来后才出催",
        f"{loans} loans in all; rows of {kind} without a readable loan number, which could be any of them: {rows}, "
        f"the first in line {line} ({en}); they settle with the next feed that has no such row",
    )  # fmt: skip


def feed_health(conn: Connection) -> list[FeedHealth]:
    """Of every institution, as of its last applied feed."""
    found = []
    for institution in conn.execute(
        sa.select(institutions.c.institution).order_by(institutions.c.institution)
    ).scalars():
        last = runs.last_applied(conn, institution)
        if last is not None and last.as_of is not None:
            held = msgspec.convert(last.figures.get("held_back", []), list[HeldBack])
            without_case = last.figures.get("without_case", 0)
            found.append(FeedHealth(institution, last.as_of.isoformat(), without_case, held))
    return found
