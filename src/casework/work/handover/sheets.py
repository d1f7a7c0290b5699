"""Hand-over sheets: which cases a receiver gets, as a file for them. That one was made is an entry of the hand-over."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import now
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.spreadsheet import Column
from casework.storage import rows
from casework.table import BulkList, Lang
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.filter import BusinessDates
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.taking_out import BulkFile, file_of_list, taker_of
from casework.work.handover import recording
from casework.work.handover.moves import OWNER_STAYS
from casework.work.handover.preview import cells_of
from casework.work.handover.standing import carried_by, kinds_of
from casework.work.handover.tables import handover_moves
from casework.work.handovers import HANDOVER, Handover

READ, SHEET = "handover.read", "handover.sheet"
_CHUNK = 1_000
_FIRST = (
    Column("case_id", "案件编号", "Case", 10), Column("loan_id", "借据号", "Loan", 20),
    Column("borrower_id", "客户号", "Borrower", 16), Column("state", "状态", "State", 14),
    Column("bucket", "账龄", "Bucket", 7), Column("days_past_due", "逾期天数", "Days past due", 9),
    Column("overdue_fen", "逾期总额（元）", "Overdue (yuan)", 14),
    Column("outstanding_principal_fen", "贷款余额（元）", "Outstanding principal (yuan)", 14),
)  # fmt: skip
_LAST = (
    Column("previous_owner", "原管户人", "Previous owner", 12),
    Column("previous_handler", "原经办人", "Previous handler", 12),
    Column("owner", "管户人", "Owner", 12), Column("handler", "经办人", "Handler", 12),
    Column("reason", "移交方式", "Chosen", 12), Column("rule", "依据规则", "Rule", 16),
    Column("entry_id", "回执（审计分录）", "Receipt (audit entry)", 22),
)  # fmt: skip
_REASONS = {
    "by_rule": ("按规则", "by rule"), "named": ("指定接收人", "named by hand"),
    "owner_stays": ("由管户人经办", "its owner handles it"),
}  # fmt: skip
_ABOUT = (("移交计划", "hand-over"), ("交出人", "handed over by"), ("接收人", "received by"), ("种类", "kind"),
          ("生效日", "effective on"), ("计划状态", "status"))  # fmt: skip


def sheet_of(
    conn: Connection, branch: Branch, handover_id: int, receiver: str, *, actor: Actor, lang: Lang = "zh"
) -> BulkFile:  # fmt: skip
    """The workbook of one receiver, for them (and their deputy) or for who may look at hand-overs; leaves an entry.

    CallerErrors: unknown_handover, post_not_permitted, unknown_receiver.
    """
    branch.rulebook.permissions.require(actor, SHEET)
    plan = recording.plan_of(conn, handover_id)
    if receiver not in actor.people:
        branch.rulebook.permissions.require(actor, READ)
    count = conn.execute(_COUNT, {"id": handover_id, "receiver": receiver}).scalar_one()
    if not count:
        raise CallerError("unknown_receiver", receiver=receiver)
    of_cases, rules = branch.rulebook.chart, branch.rulebook.owners
    words = {name: getattr(state, lang) for name, state in of_cases.states.items()}
    words |= {rule.name: getattr(rule, lang) for rule in (*rules.rules, rules.fallback)}
    words |= {code: told[lang == "en"] for code, told in _REASONS.items()}
    chart = branch.rulebook.charts[HANDOVER.chart]
    kind, state = getattr(chart.openings[plan.opened_for], lang), getattr(chart.state_named(plan.state), lang)
    about = (str(plan.id), plan.staff_no, receiver, kind, plan.effective_on.isoformat(), state)
    told = [f"{names[lang == 'en']} {text}" for names, text in zip(_ABOUT, about, strict=True)]
    columns = (*_FIRST, *(Column(word, *names, 12) for word, names in kinds_of(branch).items()), *_LAST)
    listed = BulkList("handover", "移交案件", "Hand-over", columns, kept_left=2, at_most=count)
    lines = _lines(conn, branch, plan, receiver, lang, words)
    table = ([line.get(column.field) for column in columns] for line in lines)
    taker = taker_of(conn, branch, actor, now())
    made = file_of_list(
        listed, table, "xlsx", lang, {}, taker, told=told, scope=f"{plan.id}-{receiver}", on=plan.effective_on
    )
    trail = branch.trail(taker.at)
    said = {"receiver": receiver, "cases": count, "format": "xlsx"}
    recording.record(conn, branch, trail, recording.plan_of(conn, plan.id, lock=True), "sheet_made", actor, said)
    trail.write(conn)
    return made


def _lines(
    conn: Connection, branch: Branch, plan: Handover, receiver: str, lang: Lang, words: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A thousand cases at a time, by id."""
    dates, after = BusinessDates(conn, branch), 0
    while True:
        moves = conn.execute(_MOVES, {"id": plan.id, "receiver": receiver, "after": after}).all()
        if not moves:
            return
        found = [from_row(one) for one in rows.select_by_keys(conn, CASE_ROWS, "id", [move.case_id for move in moves])]
        carried = carried_by(conn, branch, found)
        cases = {case.id: case for case in found}
        for move in moves:
            case = cases[move.case_id]
            line = _line(case, case.days_past_due(dates.of(case.institution)), plan.staff_no, move)
            line |= {name: words.get(line[name], line[name]) for name in ("state", "rule", "reason")}
            yield line | cells_of(carried.get(case.id, ()), lang)
        after = moves[-1].case_id


def _line(case: Case, days_past_due: int, leaver: str, move: Any) -> dict[str, Any]:
    of_case = ("loan_id", "borrower_id", "state", "bucket", "overdue_fen", "outstanding_principal_fen")
    return {
        **move._asdict(), **{name: getattr(case, name) for name in of_case}, "days_past_due": days_past_due,
        "owner": move.receiver,
        "previous_owner": leaver if move.was_owner else move.receiver if move.reason == OWNER_STAYS else None,
        "previous_handler": leaver if move.was_handler else move.handler,
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
