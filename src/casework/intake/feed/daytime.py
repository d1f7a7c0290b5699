"""Repayments that a branch learns of during the day, before the feed that brings them: a file with the feed's columns.

They go on the books at once, count for promises and for what was written off, and stop demand calls where they cover
what is overdue (`remitted`). What the next feed brings again under the same number is a repeat; with other content it
is set aside there, as any other payment.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import msgspec
from sqlalchemy.engine import Connection

from casework import ids
from casework.clock import Clock, now
from casework.intake.feed import run as runs
from casework.intake.feed.books import booked
from casework.intake.feed.cell import BadCell, CellNote, check_row
from casework.intake.feed.cell_texts import TEXTS
from casework.intake.feed.changes import Changes
from casework.intake.feed.course import hold_feeds
from casework.intake.feed.headers import COLUMNS, understand
from casework.intake.feed.left_rows import PAYMENTS_TAKEN, PREFIX, LeftRows
from casework.intake.feed.payments import disputed_payments, held_payments
from casework.intake.feed.promised import judge
from casework.intake.feed.remitted import covered
from casework.intake.feed.row import RepaymentRow, repayment_parser
from casework.intake.feed.sheet import SheetLines, read_rows
from casework.intake.feed.write import write_repayments
from casework.intake.sheets.every_fault import faults_behind
from casework.intake.sheets.fault import Fault, check_few, in_order
from casework.intake.sheets.mending import placed
from casework.intake.sheets.taken import FileTaken
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor, system
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates

VIA: Final = "repayment"
_TOLD_EVERY: Final = 1_000  # rows


class _Read(NamedTuple):
    """A row that was understood, and the line that it stands on."""

    line: int
    row: RepaymentRow


def import_repayments(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """Take in a file of repayments in the caller's transaction; a payment is known by institution and `payment_id`.

    CallerErrors of `read_rows`, `headers.understand`; `too_many_set_aside`. A loan names whose payment it is.
    """
    good, taken, unsure = _read(read_rows(content, name), branch.today(clock()), progress)
    known = booked(conn, {one.row.loan_id for one in good} | set(unsure.values()))
    taken.set_aside += [
        _note(line, CellNote("loan_id", "unknown_loan")) for line, loan_id in unsure.items() if loan_id not in known
    ]
    by_institution: dict[str, list[_Read]] = {}
    for one in good:
        loan = known.get(one.row.loan_id)
        if loan is None:
            taken.set_aside.append(_note(one.line, CellNote("loan_id", "unknown_loan")))
        else:
            by_institution.setdefault(loan.institution, []).append(one)
    check_few(name, taken.set_aside)
    digest, dates = hashlib.sha256(content).hexdigest(), business_dates(conn)
    for institution in sorted(by_institution):
        file = {"name": name, "kind": "repayments", "rows": taken.rows, "sha256": digest}
        latest = max(one.row.paid_on for one in by_institution[institution])
        as_of = max(latest, dates.get(institution, latest))
        _Daytime(conn, branch, institution, as_of, file, actor, clock).carry_out(by_institution[institution], taken)
    taken.set_aside = placed(in_order(taken.set_aside), content, name, COLUMNS["repayments"])
    return taken


def _read(
    lines: SheetLines, today: date, progress: Callable[[int], None]
) -> tuple[list[_Read], FileTaken, dict[int, str]]:
    """The rows that were understood, what is wrong with the others, and the loans that those name, by line."""
    numbered = iter(lines)
    header = understand("repayments", next(numbered, (1, []))[1])
    width, sound = len(header.names), {one.name: one.filled for one in COLUMNS["repayments"]}
    parse, taken, good, seen = repayment_parser(header.positions, width, today), FileTaken(), [], set()
    unsure = dict[int, str]()

    def checked(cells: list[str]) -> RepaymentRow:
        check_row(cells, header.positions, width, errors=lines.errors)
        return parse(cells)

    for line, cells in numbered:
        taken.rows += 1
        if not taken.rows % _TOLD_EVERY:
            progress(taken.rows)
        try:
            row = checked(cells)
            if row.payment_id in seen:
                raise BadCell("payment_id", "repeated_payment")
        except BadCell as bad:
            faults = faults_behind(bad.note, checked, cells, header.positions, sound)
            taken.set_aside += [_note(line, one) for one in faults]
            check_few(lines.name, taken.set_aside)
            if len(cells) == width and not any(one.column == "loan_id" for one in faults):
                unsure[line] = ids.fold(cells[header.positions["loan_id"]])
            continue
        seen.add(row.payment_id)
        good.append(_Read(line, row))
    return good, taken, unsure


def _note(line: int, fault: CellNote) -> Fault:
    code = "in_the_future" if fault.code == "paid_after_as_of" else fault.code
    return Fault(line, fault.column or None, code, *_TEXTS[code])


_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **TEXTS,
    "in_the_future": ("还款日期晚于今天", "the payment is dated after today"),
}


class _Daytime:
    """What came for one institution, in one run of its own."""

    def __init__(
        self, conn: Connection, branch: Branch, institution: str, as_of: date, file: Mapping[str, object],
        actor: Actor, clock: Clock,
    ) -> None:  # fmt: skip
        self._conn, self._branch, self._institution, self._as_of = conn, branch, institution, as_of
        self._file, self._actor, self._clock = file, actor, clock

    def carry_out(self, read: Sequence[_Read], taken: FileTaken) -> None:
        """Put what is new on the books, and let follow what follows; nothing is written where nothing is new."""
        conn, institution = self._conn, self._institution
        hold_feeds(conn, institution)
        faults = disputed_payments(conn, institution, [one.row for one in read])
        taken.set_aside += [_note(read[index].line, fault) for index, fault in faults.items()]
        sheet = [one.row for index, one in enumerate(read) if index not in faults]
        left = LeftRows(conn, self._branch.mac_key, institution)
        held = held_payments(conn, institution, (row.payment_id for row in sheet))
        fresh = [row for row in sheet if row.payment_id not in held]
        taken.repeated += len(sheet) - len(fresh)
        taken.stored += len(fresh)
        if not fresh:
            return
        run_id = runs.begin(conn, self._actor, correction=False, clock=self._clock)
        write_repayments(conn, left, run_id, fresh)
        self._enter(run_id, left)
        self._follow(run_id, fresh)

    def _follow(self, run_id: int, fresh: Sequence[RepaymentRow]) -> None:
        """What was written off is recovered, settled cases whose money is undone are looked at, promises are kept."""
        branch, conn, day = self._branch, self._conn, self._as_of
        before = business_dates(conn).get(self._institution, day)
        policy = branch.rulebook.policies.at(day)
        Changes(conn, branch, system(VIA), run_id, day, policy, lambda _done, _total: None, self._clock).received(
            fresh, before
        )
        undone = {row.loan_id for row in fresh if row.reverses is not None}
        covered(conn, branch, self._institution, fresh, day, via=VIA, clock=self._clock)
        judge(conn, branch, self._institution, via=VIA, reversed_of=undone, on=day, clock=self._clock)

    def _enter(self, run_id: int, left: LeftRows) -> None:
        """The run and its entry: its payments are compared with what this says of them."""
        conn, day = self._conn, self._as_of
        digest, files = self._file["sha256"], [self._file]
        runs.finish(
            conn, run_id, runs.PAYMENTS, clock=self._clock, institution=self._institution, as_of=day, digest=digest,
            files=files,
        )  # fmt: skip
        data = {
            "run": run_id, "as_of": day.isoformat(), "files": [self._file],
            "repayments": msgspec.to_builtins(left.payments.stated()), "run_sha256": runs.digest_of(conn, run_id),
        }  # fmt: skip
        trail, policy = self._branch.trail(self._clock()), self._branch.rulebook.policies.at(day)
        draft = Draft(PAYMENTS_TAKEN, self._actor.signed, data, rules=("5.4",), policy=policy.ref)
        trail.append(conn, f"{PREFIX}:{self._institution}", draft)
        trail.write(conn)
