"""What becomes of remittances: money of the day that covers what is overdue, and what the next snapshot makes of each.

Money covers what the last snapshot says is overdue if what came since, less what was undone, reaches the policy's share
of it. A snapshot tells of what was paid on its own day or before: the loan is out of it, or a payment from the day
named on is on the books, or there is none, and the debtor's word has lapsed.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed import run as runs
from casework.intake.feed.payments import payment_ref
from casework.intake.feed.row import RepaymentRow
from casework.intake.feed.tables import repayments
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open
from casework.lifecycle.gather import select_of
from casework.people.staff.actor import Actor, system
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import REMITTANCES
from casework.work.cases.tables import cases
from casework.work.remittances import CAME, Remittance

_table: Final = REMITTANCES.table
_CASES: Final = sa.select(cases.c.loan_id, cases.c.id, cases.c.overdue_fen).where(
    cases.c.live == sa.true(), cases.c.overdue_fen > sa.literal_column("0")
)
_PAYMENTS: Final = sa.select(
    repayments.c.loan_id, repayments.c.payment_id, repayments.c.paid_on, repayments.c.amount_fen,
    repayments.c.reverses, repayments.c.run_id,
)  # fmt: skip


def covered(
    conn: Connection, branch: Branch, institution: str, fresh: Iterable[RepaymentRow], on: date, *, via: str,
    clock: Clock = now,
) -> None:  # fmt: skip
    """After payments of the day: demand stops where they cover what is overdue, and no longer where one was undone."""
    loan_ids = sorted({row.loan_id for row in fresh})
    owed = {loan_id: (case_id, fen) for loan_id, case_id, fen in rows.select_by_keys(conn, _CASES, "loan_id", loan_ids)}
    awaited = {one.loan_id: one for one in _awaited(conn, institution, loan_ids) if one.opened_for == CAME}
    last, share = runs.last_applied(conn, institution), branch.rulebook.policies.at(on)
    since, percent = (last.id if last is not None else 0), share.figure("remittance.covers_percent")
    begins_at = clock().astimezone(ZoneInfo(branch.time_zone)).isoformat()
    commands: list[Open | Fire] = []
    for loan_id, payments in _payments(conn, loan_ids).items():
        case_id, overdue_fen = owed.get(loan_id, (0, 0))
        came = [row for row in _standing(payments) if row.run_id > since]
        covers = overdue_fen > 0 and sum(row.amount_fen for row in came) * 100 >= overdue_fen * percent
        before = awaited.get(loan_id)
        if covers and before is None:
            newest = max(came, key=lambda row: (row.run_id, row.paid_on, row.payment_id))
            data = {
                "begins_at": begins_at, "paid_on": newest.paid_on.isoformat(),
                "amount_fen": sum(row.amount_fen for row in came), "payment": payment_ref(newest.payment_id),
            }  # fmt: skip
            commands.append(Open(actor=system(via), noun=REMITTANCES.chart, ground=CAME, of=case_id, data=data))
        elif before is not None and not covers:
            reversal = max(row.payment_id for row in payments if row.reverses is not None)
            commands.append(_fire(before, "undo", {"reversal": payment_ref(reversal)}, system(via), on))
    _all_done(conn, branch, commands, clock)


def told(
    conn: Connection, branch: Branch, institution: str, run_id: int, as_of: date, overdue: Collection[str], *,
    clock: Clock = now,
) -> None:  # fmt: skip
    """A snapshot of `as_of` was applied: what was paid on that day or before is confirmed, or has lapsed."""
    awaited = [one for one in _awaited(conn, institution) if one.begins_on is None or one.begins_on <= as_of]
    payments = _payments(conn, sorted({one.loan_id for one in awaited}))
    commands = []
    for one in awaited:
        came = any(row.paid_on >= one.paid_on for row in _standing(payments.get(one.loan_id, ())))
        event = "confirm" if came or one.loan_id not in overdue else "lapse"
        commands.append(_fire(one, event, {"snapshot": f"run:{run_id}"}, system("feed"), None))
    _all_done(conn, branch, commands, clock)


def _awaited(conn: Connection, institution: str, loan_ids: Collection[str] | None = None) -> list[Remittance]:
    live = select_of(REMITTANCES).where(_table.c.live == sa.true())
    if loan_ids is None:
        found: Iterable[Any] = conn.execute(live.where(_table.c.institution == institution).order_by(_table.c.id)).all()
    else:
        found = rows.select_by_keys(conn, live, "loan_id", list(loan_ids))
    return [REMITTANCES.rows.read(row) for row in found]


def _payments(conn: Connection, loan_ids: Collection[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows.select_by_keys(conn, _PAYMENTS, "loan_id", list(loan_ids)):
        found.setdefault(row.loan_id, []).append(row)
    return found


def _standing(payments: Iterable[Any]) -> list[Any]:
    """Payments that were not undone."""
    listed = list(payments)
    undone = {row.reverses for row in listed}
    return [row for row in listed if row.reverses is None and row.payment_id not in undone]


def _fire(one: Remittance, event: str, data: dict[str, Any], actor: Actor, on: date | None) -> Fire:
    return Fire(actor=actor, noun=REMITTANCES.chart, id=one.id, event=event, data=data, dated=on)


def _all_done(conn: Connection, branch: Branch, commands: list[Any], clock: Clock) -> None:
    for outcome in advance(conn, commands, branch, clock=clock) if commands else ():
        if not isinstance(outcome, Done):
            raise RuntimeError(f"a remittance does not take what became of it: {outcome}")  # noqa: TRY004  # no type
