"""The guard against short files: how many loans a snapshot lacks that the one before it had, and how many it may lack.

Absence is no fact where a file may have been cut. It covers both kinds of snapshot: loans that left `overdue`, and
loans with something outstanding that `loans` leaves out or shows as zero (5.4; figures `feed.vanished_…`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.feed.booked import OnBooks
from casework.intake.feed.tables import loans
from casework.rules.statechart.policy import Policy

_OUTSTANDING = sa.select(loans.c.loan_id).where(
    loans.c.omitted_on.is_(None),
    sa.or_(loans.c.outstanding_principal_fen.is_(None), loans.c.outstanding_principal_fen > 0),
)


class Vanished(msgspec.Struct, frozen=True):
    """One kind of snapshot: the loans it had before, how many of them are gone, and how many may go unasked."""

    kind: Literal["overdue", "loans"]
    before: int
    gone: int
    share_percent: int
    at_most: int

    @property
    def too_many(self) -> bool:
        """Whether somebody must confirm."""
        return self.gone > self.at_most


@dataclass(frozen=True, slots=True)
class LeftBooks:
    """What a loans file lacks: of `before` loans with something outstanding, those it omits and those it shows as 0."""

    before: int = 0
    omitted: tuple[str, ...] = ()
    zero: int = 0
    held: int = 0  # neither in the file nor surely out of it: a row set aside that names no loan may be theirs

    @property
    def gone(self) -> int:
        """Omitted and shown as zero together."""
        return len(self.omitted) + self.zero


def compared(
    policy: Policy, as_of: date, overdue: tuple[int, int, date | None], left: LeftBooks, loans_on: date | None
) -> tuple[Vanished, Vanished]:
    """Both kinds of snapshot on `as_of`, overdue first.

    `overdue`: how many loans the snapshot before had, how many of those are gone, its day; `loans_on`: the day of the
    loans file before. No day: so long ago that the whole share may be missing.
    """
    return (
        _vanished("overdue", policy, as_of, *overdue),
        _vanished("loans", policy, as_of, left.before, left.gone, loans_on),
    )


def _vanished(
    kind: Literal["overdue", "loans"], policy: Policy, as_of: date, before: int, gone: int, since: date | None
) -> Vanished:
    percent: int = policy.figure("feed.vanished_percent_at_most")
    if since is not None:  # a correction of the same day has one day's share
        days = max((as_of - since).days, 1)
        percent = min(policy.figure("feed.vanished_percent_per_day") * days, percent)
    at_most = max(percent * before // 100, policy.figure("feed.vanished_loans_always"))
    return Vanished(kind, before, gone, percent, at_most)


def left_books(conn: Connection, institution: str, stated: OnBooks) -> LeftBooks:
    """What the books knew something outstanding of and this loans file does not. Before the file is written to them.

    A loan that a row set aside names, or may be, is not missing; an unknown amount is not zero.
    """
    known = conn.execute(_OUTSTANDING.where(loans.c.institution == institution)).scalars().all()
    gone = [loan_id for loan_id in known if stated.outstanding_fen(loan_id) == 0]
    omitted = tuple(loan_id for loan_id in gone if loan_id not in stated.rows)
    held = sum(loan_id not in stated.rows for loan_id in known) if stated.unnamed else 0
    return LeftBooks(len(known), omitted, len(gone) - len(omitted), held)


def refusal(found: tuple[Vanished, Vanished], confirming: Iterable[str]) -> CallerError:
    """`loans_vanished`, telling of every kind that lacks too many. `found`: overdue, then loans.

    Of its facts `gone`, `before` and `share_percent` are the overdue snapshot's; `kinds` has both.
    """
    zh = "；".join(_ZH[one.kind].format(one=one) for one in found if one.too_many)
    en = "; ".join(_EN[one.kind].format(one=one) for one in found if one.too_many)
    overdue = found[0]
    return CallerError(
        "loans_vanished", f"{zh}。文件可能不完整，须经确认", f"{en}; confirm, or send the whole file",
        gone=overdue.gone, before=overdue.before, share_percent=overdue.share_percent,
        kinds=[msgspec.to_builtins(one) for one in found], confirming_posts=sorted(confirming),
    )  # fmt: skip


_ZH: Final = {
    "overdue": "上一逾期快照的{one.before}笔中有{one.gone}笔同时消失（不经确认至多{one.at_most}笔）",
    "loans": "有余额的{one.before}笔贷款中有{one.gone}笔在贷款文件中缺失或余额为零（不经确认至多{one.at_most}笔）",
}
_EN: Final = {
    "overdue": "{one.gone} of the {one.before} loans of the overdue snapshot before are gone at once "
    "(at most {one.at_most} unasked)",
    "loans": "{one.gone} of the {one.before} loans with something outstanding are left out of the loans file or shown "
    "as zero (at most {one.at_most} unasked)",
}
