"""Hand-over sheets: which cases a receiver gets, as a file for him. That one was made is an entry of the hand-over."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.filter import BusinessDates
from casework.work.cases.gather import CASE_ROWS
from casework.work.handover import recording
from casework.work.handover.mistakes import mistake
from casework.work.handover.moves import OWNER_STAYS
from casework.work.handover.sheet import Lang, workbook
from casework.work.handover.standing import carried_by
from casework.work.handover.tables import handover_moves
from casework.work.handovers import HANDOVER, Handover

READ, SHEET = "handover.read", "handover.sheet"
_CHUNK = 1_000
_REASONS = {
    "by_rule": ("按规则", "by rule"), "named": ("指定接收人", "named by hand"),
    "owner_stays": ("由管户人经办", "its owner handles it"),
}  # fmt: skip
_NOTES = (("移交计划", "Hand-over"), ("交出人", "Handed over by"), ("接收人", "Received by"), ("种类", "Kind"),
          ("生效日", "Effective on"), ("计划状态", "Status"), ("案件数", "Cases"))  # fmt: skip


def sheet_of(
    conn: Connection, branch: Branch, handover_id: int, receiver: str, *, actor: Actor, lang: Lang = "zh",
    clock: Clock = now,
) -> bytes:  # fmt: skip
    """The workbook of one receiver, for himself (and his deputy) or for who may look at hand-overs; leaves an entry.

    CallerErrors: unknown_handover, post_not_permitted, unknown_receiver.
    """
    branch.rulebook.permissions.require(actor, SHEET)
    plan = recording.plan_of(conn, handover_id)
    if receiver not in actor.people:
        branch.rulebook.permissions.require(actor, READ)
    count = conn.execute(_COUNT, {"id": handover_id, "receiver": receiver}).scalar_one()
    if not count:
        raise mistake("unknown_receiver", receiver=receiver)
    zh = lang == "zh"
    chart, rules = branch.rulebook.chart, branch.rulebook.owners
    labels = {name: state.zh if zh else state.en for name, state in chart.states.items()}
    labels |= {one.name: one.zh if zh else one.en for one in (*rules.rules, rules.fallback)}
    labels |= {code: words[not zh] for code, words in _REASONS.items()}
    kind = branch.rulebook.charts[HANDOVER.chart].openings[plan.opened_for]
    told = (str(plan.id), plan.staff_no, receiver, kind.zh if zh else kind.en, plan.effective_on.isoformat(),
            plan.state, str(count))  # fmt: skip
    notes = {names[not zh]: text for names, text in zip(_NOTES, told, strict=True)}
    body = workbook(_lines(conn, branch, plan, receiver), lang, labels=labels, notes=notes)
    trail = branch.trail(clock())
    said = {"receiver": receiver, "cases": count, "format": "xlsx"}
    recording.record(conn, branch, trail, recording.plan_of(conn, plan.id, lock=True), "sheet_made", actor, said)
    trail.write(conn)
    return body


def _lines(conn: Connection, branch: Branch, plan: Handover, receiver: str) -> Iterator[dict[str, Any]]:
    """A thousand cases at a time, by id."""
    dates, after = BusinessDates(conn, branch), 0
    while True:
        moves = conn.execute(_MOVES, {"id": plan.id, "receiver": receiver, "after": after}).all()
        if not moves:
            return
        found = [from_row(one) for one in rows.select_by_keys(conn, CASE_ROWS, "id", [move.case_id for move in moves])]
        carried = carried_by(conn, found)
        cases = {case.id: case for case in found}
        for move in moves:
            case = cases[move.case_id]
            yield _line(case, case.days_past_due(dates.of(case.institution)), plan.staff_no, move) | dict(
                carried.get(case.id, {})
            )
        after = moves[-1].case_id


def _line(case: Case, days_past_due: int, leaver: str, move: Any) -> dict[str, Any]:
    return {
        "case_id": case.id, "loan_id": case.loan_id, "borrower_id": case.borrower_id, "state": case.state,
        "bucket": case.bucket, "days_past_due": days_past_due, "overdue_fen": case.overdue_fen,
        "outstanding_principal_fen": case.outstanding_principal_fen,
        "previous_owner": leaver if move.was_owner else move.receiver if move.reason == OWNER_STAYS else None,
        "previous_handler": leaver if move.was_handler else move.handler, "owner": move.receiver,
        "handler": move.handler, "reason": move.reason, "rule": move.rule, "entry_id": move.entry_id,
    }  # fmt: skip


_HIS = (
    handover_moves.c.handover_id == sa.bindparam("id"),
    sa.or_(handover_moves.c.receiver == sa.bindparam("receiver"), handover_moves.c.handler == sa.bindparam("receiver")),
)
_COUNT = sa.select(sa.func.count()).select_from(handover_moves).where(*_HIS)
_MOVES = (
    sa.select(handover_moves)
    .where(*_HIS, handover_moves.c.case_id > sa.bindparam("after"))
    .order_by(handover_moves.c.case_id)
    .limit(_CHUNK)
)
