"""What changed between two overdue snapshots, and the figures of the feed. Pure.

A snapshot is what the branch holds to be in arrears at the close of a day: the rows of the feed and, for a
loan whose row was set aside, what the feed before said of it.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypedDict

import msgspec

from casework.intake.feed.cell import CellNote
from casework.intake.feed.row import ContactRow, OverdueRow, RepaymentRow

OUT: Final = "M0"  # in `roll`: not in the snapshot


@dataclass(frozen=True)
class Snapshot:
    """The loans in arrears at the close of `as_of`, by loan id.

    `held` has the loans that are there only because their row was set aside (or could have been): the bucket
    that was last reported for them, which is what their case still says.
    """

    as_of: date
    rows: Mapping[str, OverdueRow]
    held: Mapping[str, str]


class Figures(TypedDict):
    """The figures of one feed; the share is of the previous snapshot, to four places, if there was one."""

    as_of: str
    overdue: int
    overdue_fen: int
    opened: int  # in this snapshot and not in the one before, re-openings included
    gone: int
    gone_share: float | None
    buckets: dict[str, int]
    roll: dict[str, int]  # "M1->M2": loans, staying included; M0 = not in the snapshot
    m1_cured: list[int]  # [left the snapshot, were in M1 before]
    m2_m3_cured: list[int]
    buckets_fen: dict[str, int]
    roll_fen: dict[str, int]  # overdue after the movement; for a loan that left, before it
    changed: int
    unchanged: int
    set_aside: int
    held: int


@dataclass(frozen=True)
class Reconciliation:
    """What the feed says happened since the snapshot before.

    opened + changed + unchanged + set aside = rows of `overdue`, and overdue before − gone + opened = overdue
    now. `changed` are loans whose due date, amounts or bucket differ from what was last reported; ageing
    within a bucket is no change. `held` loans had their row set aside: present, unchanged, never settled.
    """

    snapshot: Snapshot
    opened: list[OverdueRow]
    changed: list[OverdueRow]
    unchanged: int
    gone: list[OverdueRow]  # as they were in the snapshot before
    held: list[str]
    figures: Figures

    @property
    def before(self) -> int:
        """How many loans the snapshot before had."""
        return len(self.gone) + self.figures["overdue"] - len(self.opened)


def reconcile(
    previous: Snapshot | None,
    as_of: date,
    rows: Sequence[OverdueRow],
    *,
    set_aside: int = 0,
    set_aside_loans: Collection[str] = (),
    unnamed: int = 0,
    bucket: Callable[[int], str],
) -> Reconciliation:
    """Compare the usable rows of a snapshot with the one before.

    `rows`: at most one per loan. `set_aside` counts the rows that were put aside, `set_aside_loans` are the
    loans they name, `unnamed` says how many of them name none: any loan that seems gone could be one of
    these, so while there are some, none is. `bucket` is the policy's band of days past due; the bucket before
    is the one of the previous snapshot's own day.
    """
    bucket_now = _Buckets(as_of, bucket)
    before: Mapping[str, OverdueRow] = previous.rows if previous else {}
    was_held: Mapping[str, str] = previous.held if previous else {}
    bucket_before = _Buckets(previous.as_of if previous else as_of, bucket)
    opened: list[OverdueRow] = []
    changed: list[OverdueRow] = []
    now = {row[0]: row for row in rows}
    as_before = _AsBefore(bucket_before, bucket_now)
    moves: Counter[tuple[str, str]] = Counter()
    moves_fen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        loan_id, due, principal, interest, penalty, _ = row
        old = before.get(loan_id)
        if old == row and loan_id not in was_held and (stayed_fen := as_before[due]) is not None:
            stayed_fen.append(principal + interest + penalty)  # nearly all: nothing else is done for each
            continue
        after = bucket_now[due]
        if old is None:
            move = OUT, after
            opened.append(row)
        else:
            move = bucket_before[old[1]], after
            reported = was_held.get(loan_id, move[0]) if was_held else move[0]
            if reported != after or old != row:
                changed.append(row)
        moves[move] += 1
        moves_fen[move] += principal + interest + penalty
    as_before.count_into(moves, moves_fen)
    gone, held = _missing(before, now.keys(), was_held, set_aside_loans, everything=unnamed > 0, bucket=bucket_before)
    for old in gone:
        moves[bucket_before[old[1]], OUT] += 1
        moves_fen[bucket_before[old[1]], OUT] += old.overdue_fen
    for loan_id in held:
        old = now[loan_id] = before[loan_id]
        move = bucket_before[old[1]], bucket_now[old[1]]
        moves[move] += 1
        moves_fen[move] += old.overdue_fen
    unchanged = len(rows) - len(opened) - len(changed)
    figures = _figures(as_of, len(before), moves, moves_fen)
    figures["opened"], figures["gone"], figures["held"] = len(opened), len(gone), len(held)
    figures["changed"], figures["unchanged"], figures["set_aside"] = len(changed), unchanged, set_aside
    return Reconciliation(
        snapshot=Snapshot(as_of, now, held),
        opened=opened,
        changed=changed,
        unchanged=unchanged,
        gone=gone,
        held=list(held),
        figures=figures,
    )


def _missing(
    before: Mapping[str, OverdueRow],
    present: Collection[str],
    was_held: Mapping[str, str],
    set_aside_loans: Collection[str],
    *,
    everything: bool,
    bucket: Mapping[date, str],
) -> tuple[list[OverdueRow], dict[str, str]]:
    """The loans of the snapshot before that no usable row names: gone, or held because a row set aside is theirs."""
    missing = [(loan_id, old) for loan_id, old in before.items() if loan_id not in present]
    held = {
        loan_id: was_held.get(loan_id, bucket[old[1]])
        for loan_id, old in missing
        if everything or loan_id in set_aside_loans
    }
    return [old for loan_id, old in missing if loan_id not in held], held


class _Buckets(dict[date, str]):
    """The bucket of an oldest due date at the close of one day, worked out once per date."""

    def __init__(self, as_of: date, bucket: Callable[[int], str]) -> None:
        super().__init__()
        self.as_of, self.bucket = as_of, bucket

    def __missing__(self, due: date) -> str:
        self[due] = name = self.bucket((self.as_of - due).days)
        return name


class _AsBefore(dict[date, list[int] | None]):
    """By oldest due date, what is overdue on each loan of a row as before; none where its bucket is another by now."""

    def __init__(self, before: Mapping[date, str], now: Mapping[date, str]) -> None:
        super().__init__()
        self.before, self.now = before, now

    def __missing__(self, due: date) -> list[int] | None:
        stayed_fen: list[int] | None = [] if self.before[due] == self.now[due] else None
        self[due] = stayed_fen
        return stayed_fen

    def count_into(self, moves: Counter[tuple[str, str]], moves_fen: Counter[tuple[str, str]]) -> None:
        """Add them to the others."""
        for due, stayed_fen in self.items():
            if stayed_fen:
                move = self.before[due], self.now[due]
                moves[move] += len(stayed_fen)
                moves_fen[move] += sum(stayed_fen)


def _figures(
    as_of: date,
    overdue_before: int,
    moves: Mapping[tuple[str, str], int],
    moves_fen: Mapping[tuple[str, str], int],
) -> Figures:
    buckets: Counter[str] = Counter()
    buckets_fen: Counter[str] = Counter()
    before: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for (was, after), loans in moves.items():
        if was != OUT:
            before[was] += loans
        if after == OUT:
            left[was] += loans
        else:
            buckets[after] += loans
            buckets_fen[after] += moves_fen[was, after]
    gone = left.total()
    return {
        "as_of": as_of.isoformat(),
        "overdue": buckets.total(),
        "overdue_fen": buckets_fen.total(),
        "opened": 0,
        "gone": gone,
        "gone_share": round(gone / overdue_before, 4) if overdue_before else None,
        "buckets": dict(sorted(buckets.items())),
        "roll": {f"{was}->{after}": moves[was, after] for was, after in sorted(moves)},
        "m1_cured": [left["M1"], before["M1"]],
        "m2_m3_cured": [left["M2"] + left["M3"], before["M2"] + before["M3"]],
        "buckets_fen": dict(sorted(buckets_fen.items())),
        "roll_fen": {f"{was}->{after}": moves_fen[was, after] for was, after in sorted(moves)},
        "changed": 0,
        "unchanged": 0,
        "set_aside": 0,
        "held": 0,
    }


def unknown_loans(rows: Iterable[OverdueRow | RepaymentRow], known: Collection[str]) -> dict[int, CellNote]:
    """Which rows (by index) name a loan that is not on the books; for `Sheet.put_aside`."""
    return {index: CellNote("loan_id", "unknown_loan") for index, row in enumerate(rows) if row.loan_id not in known}


def unknown_borrowers(rows: Iterable[ContactRow], known: Collection[str]) -> dict[int, CellNote]:
    """Which contacts (by index) belong to nobody on the books; for `Sheet.put_aside`."""
    return {
        index: CellNote("borrower_id", "unknown_borrower")
        for index, row in enumerate(rows)
        if row.borrower_id not in known
    }


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    as_of: date
    rows: list[OverdueRow]
    held: dict[str, str]


def pack(snapshot: Snapshot) -> bytes:
    """The snapshot as compressed bytes, to be kept with its run."""
    packed = _Packed(snapshot.as_of, list(snapshot.rows.values()), dict(snapshot.held))
    return zlib.compress(msgspec.msgpack.encode(packed), level=1)


def unpack(content: bytes) -> Snapshot:
    """What `pack` was given; content from elsewhere raises `zlib.error` or `msgspec.DecodeError`."""
    packed = msgspec.msgpack.decode(zlib.decompress(content), type=_Packed)
    return Snapshot(packed.as_of, {row.loan_id: row for row in packed.rows}, packed.held)
