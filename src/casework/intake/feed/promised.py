"""What became of promises: which money counts, and what follows when a loan leaves the arrears (docs/day.md §7).

Asked at the end of each import, when promises are entered, and by the sweep before it judges what is due. Asked again
it changes nothing: what counted is in the promises.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed import run as runs
from casework.intake.feed.payments import payment_ref
from casework.intake.feed.tables import loans, repayments
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.lifecycle.gather import select_of
from casework.people.staff.actor import Actor, system
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.lifecycles import PROMISES
from casework.work.promises import PROMISE, Promise

OFF_THE_BOOKS: Final = frozenset({"written_off", "transferred", "closed"})
_BY_MONEY: Final = frozenset({"keep", "judge_again"})
_OPEN: Final = sa.select(PROMISES.table.c.loan_id).where(PROMISES.table.c.due_on.is_not(None))
_LEFT: Final = sa.select(PROMISES.table.c.loan_id).where(PROMISES.table.c.because == "left")
_PAYMENTS: Final = sa.select(
    repayments.c.loan_id, repayments.c.payment_id, repayments.c.paid_on, repayments.c.amount_fen,
    repayments.c.reverses, repayments.c.run_id,
)  # fmt: skip
_STATUS: Final = sa.select(loans.c.loan_id, loans.c.status)


class Books(NamedTuple):
    """What is known of a loan: its payments and reversals, whether it is in the snapshot, its status."""

    payments: Sequence[Any]
    overdue: bool
    status: str | None
    run: int  # whose snapshot says so
    on: date | None = None  # of what day it is


def judge(
    conn: Connection, branch: Branch, institution: str, *, via: str,
    snapshot: tuple[int, Collection[str]] | None = None, reversed_of: Iterable[str] = (), on: date | None = None,
    clock: Clock = now,
) -> dict[str, int]:  # fmt: skip
    """Count what came for the open promises of an institution, and for those whose payment was undone; events fired.

    `snapshot`: run and loans of the newest, if the caller has them. `reversed_of`: loans with a payment undone now.
    `on`: the day on which money came, where no snapshot tells it.
    """
    table = PROMISES.table
    of_it = table.c.institution == institution
    today = business_dates(conn).get(institution)
    left_today = _LEFT.where(of_it, table.c.judged_on == today)
    wanted = {row.loan_id for row in conn.execute(_OPEN.where(of_it))} | {*reversed_of}
    wanted |= {row.loan_id for row in conn.execute(left_today)}
    if not wanted:
        return {}
    found = rows.select_by_keys(conn, select_of(PROMISES), "loan_id", sorted(wanted))
    promises: dict[str, list[Promise]] = {}
    for row in found:
        promise = PROMISES.rows.read(row)
        promises.setdefault(promise.loan_id, []).append(promise)
    if snapshot is None:
        last = runs.last_applied(conn, institution)
        seen = runs.snapshot_of(conn, last)
        snapshot = (last.id, seen.rows.keys()) if last is not None and seen is not None else (0, ())
    commands = [
        command
        for loan_id, books in _books(conn, sorted(promises), (*snapshot, today)).items()
        for command in follows(promises[loan_id], books, system(via))
    ]
    for command in commands:
        if on is not None and isinstance(command, Fire) and command.event in _BY_MONEY:
            command.dated = on
    fired: dict[str, int] = {}
    for command, outcome in zip(commands, advance(conn, commands, branch, clock=clock), strict=True):
        if not isinstance(outcome, Done):
            raise RuntimeError(f"a promise does not take what became of it: {outcome}")  # noqa: TRY004  # no wrong type
        if isinstance(command, Fire):
            fired[command.event] = fired.get(command.event, 0) + 1
    return fired


def _books(
    conn: Connection, loan_ids: Sequence[str], snapshot: tuple[int, Collection[str], date | None]
) -> Mapping[str, Books]:
    payments: dict[str, list[Any]] = {}
    for row in rows.select_by_keys(conn, _PAYMENTS, "loan_id", loan_ids):
        payments.setdefault(row.loan_id, []).append(row)
    status = {row.loan_id: row.status for row in rows.select_by_keys(conn, _STATUS, "loan_id", loan_ids)}
    run, overdue, on = snapshot
    return {one: Books(payments.get(one, ()), one in overdue, status.get(one), run, on) for one in loan_ids}


def follows(promises: Sequence[Promise], books: Books, actor: Actor) -> list[Record | Fire]:
    """What the books make of the promises of one loan: oldest first, no yuan twice, and a judged one takes no more."""
    undone = {row.reverses: row for row in books.payments if row.reverses is not None}
    inorder = sorted(promises, key=lambda one: (one.made_on or date.min, one.pay_by, one.ref))
    counted = {one.id: dict(one.counted_fen) for one in inorder}
    commands = _undone(inorder, books, counted, undone, actor)
    commands += [
        _fire(one, "reopen", {"snapshot": f"run:{books.run}"}, actor)
        for one in inorder if books.overdue and (one.state, one.because, one.judged_on) == ("kept", "left", books.on)
    ]  # fmt: skip
    live = [one for one in inorder if one.live]
    came = [row for row in books.payments if row.reverses is None and row.payment_id not in undone]
    for row in sorted(came, key=lambda row: (row.paid_on, row.payment_id)):
        ref = payment_ref(row.payment_id)
        left = row.amount_fen - sum(of.get(ref, 0) for of in counted.values())
        for one in live:
            in_time = (one.made_on or date.min) <= row.paid_on <= (one.due_on or date.max)
            part = min(left, one.amount_fen - sum(counted[one.id].values()))
            if in_time and part > 0 and ref not in counted[one.id]:
                counted[one.id][ref], left = part, left - part
                data = {"payment": ref, "amount_fen": part}
                commands.append(_fact(one, "payment", row.paid_on, data, row.run_id, actor))
    for one in live:
        if sum(counted[one.id].values()) >= one.amount_fen:
            commands.append(_fire(one, "keep", {}, actor))
        elif not books.overdue and books.status in OFF_THE_BOOKS:
            commands.append(_fire(one, "end", {"status": books.status}, actor))
        elif not books.overdue and books.run:
            commands.append(_fire(one, "leave", {"snapshot": f"run:{books.run}"}, actor))
    return commands


def _undone(
    promises: Sequence[Promise], books: Books, counted: dict[int, dict[str, int]], undone: Mapping[str, Any],
    actor: Actor,
) -> list[Record | Fire]:  # fmt: skip
    """Payments that counted and were reversed count no more; a promise that rested on them is judged again."""
    commands: list[Record | Fire] = []
    for one in promises:
        for row in books.payments:
            ref = payment_ref(row.payment_id)
            if row.payment_id in undone and counted[one.id].pop(ref, None) is not None:
                commands += _taken_back(one, ref, row.paid_on, undone[row.payment_id], actor)
    return commands


def _taken_back(one: Promise, ref: str, paid_on: date, reversal: Any, actor: Actor) -> list[Record | Fire]:
    by = payment_ref(reversal.payment_id)
    fact = _fact(
        one, "reversal", max(reversal.paid_on, paid_on), {"payment": ref, "reversal": by}, reversal.run_id, actor
    )
    if one.live or one.because == "left":  # who left the arrears had not to pay for it
        return [fact]
    return [fact, _fire(one, "judge_again", {"reversal": by}, actor)]


def _fact(one: Promise, kind: str, on: date, data: dict[str, Any], run: int, actor: Actor) -> Record:
    evidence = f"run:{run}"
    return Record(actor=actor, noun=PROMISE.chart, id=one.id, kind=kind, on=on, evidence=evidence, data=data)


def _fire(one: Promise, event: str, data: dict[str, Any], actor: Actor) -> Fire:
    return Fire(actor=actor, noun=PROMISE.chart, id=one.id, event=event, data=data)
