"""Promises and holds that were agreed elsewhere, from a file: what is new is opened, what was there is left alone.

What the rules would forbid here is a warning on the row, for it was agreed; what cannot be is set aside.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.intake.feed.agreed_rows import Row, note, read_file
from casework.intake.feed.books import booked
from casework.intake.feed.cell import BadCell
from casework.intake.feed.promised import judge
from casework.intake.feed.sheet import read_rows
from casework.intake.feed.write import name_staff
from casework.intake.sheets.column import FileColumn, one_of
from casework.intake.sheets.fault import Fault, check_few, in_order
from casework.intake.sheets.kinds import DAY, KEY, STAFF, YUAN, moment
from casework.intake.sheets.mending import placed
from casework.intake.sheets.taken import FileTaken
from casework.lifecycle import fold
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.lifecycle.gather import select_of
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import unmet
from casework.rules.statechart.wording import Words
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS, business_dates
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import PROMISES
from casework.work.holds import Hold
from casework.work.promises import Promise

IMPORTED: Final = "imported"
AGREED_TAKEN: Final = "feed.agreed_taken"
_STREAM: Final = "feed:agreed"
_HORIZON: Final = "within_the_horizon"
_NOTHING: Final = ("承诺金额须大于零", "a promise must be of more than nothing")
PROMISE_COLUMNS: Final = (
    FileColumn("ref", KEY, True, ("承诺编号", "编号"), "EX-N0001"),
    FileColumn("loan_id", KEY, True, ("借据号", "借据编号")),
    FileColumn("made_on", DAY, True, ("承诺作出日期", "作出日期"), "2024-05-31"),
    FileColumn("pay_by", DAY, True, ("承诺还款日", "承诺日期"), "2024-06-03"),
    FileColumn("amount", YUAN, True, ("承诺金额", "金额"), "500.00"),
    FileColumn("staff_no", STAFF, False, ("工号", "经办人工号")),
)  # fmt: skip


def hold_columns(zone: ZoneInfo, chart: Chart) -> tuple[FileColumn, ...]:
    """The columns of a file of holds; times in branch time."""
    grounds = chart.openings[IMPORTED].fields["hold"].one_of
    ground = one_of({words["zh"]: code for code, words in grounds.items()}, "hardship", partial(_ground, grounds))
    return (
        FileColumn("loan_id", KEY, True, ("借据号", "借据编号")),
        FileColumn("hold", ground, True, ("事由", "停催事由")),
        FileColumn("from", moment(zone), True, ("开始", "开始时间"), "2024-05-31"),
        FileColumn("until", moment(zone), False, ("结束", "结束时间"), "2024-06-30"),
    )


def _ground(grounds: Words, cell: str, column: str) -> Any:
    text = cell.strip()
    if text not in grounds:
        raise BadCell(column, "unknown_ground")
    return text


def import_promises(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """Take in a file of promises; a promise is known by its `ref`. CallerErrors of `read_rows` and `read_file`.

    They are judged by what has been paid already in the same transaction. The service opens them; who sent the file is
    in the entry of it.
    """
    read, bad = read_file(read_rows(content, name), PROMISE_COLUMNS)
    taken = FileTaken(len(read), set_aside=bad)
    progress(taken.rows)
    known = {
        row.ref: PROMISES.rows.read(row) for row in _found(conn, "ref", [row["ref"] for row in read if row["ref"]])
    }
    cases = _newest_cases(conn, [row["loan_id"] for row in read if row["loan_id"]])
    todo, seen = dict[str, Row](), set[str | None]()
    for row in read:
        before = known.get(row["ref"])
        faults = [*_faults_of_promise(row, before, seen, cases)]
        seen |= set() if before else {row["ref"]}
        taken.set_aside += faults
        if faults or not row.sound:
            continue
        if before is not None:
            taken.repeated += 1
        else:
            todo[row["ref"]] = row
    _name(conn, branch, taken, list(todo.values()), actor)
    commands = [
        Open(
            actor=system(actor.via), noun=PROMISES.chart, of=cases[row["loan_id"]].id, ground=IMPORTED,
            data=_promise_data(row),
        )
        for row in todo.values()
    ]  # fmt: skip
    _warn(conn, branch, taken, list(todo.values()), cases, clock)
    for row, outcome in zip(todo.values(), advance(conn, commands, branch, clock=clock), strict=True):
        _became(taken, row, outcome)
    _place(taken, content, name, PROMISE_COLUMNS)
    _enter(conn, branch, taken, "promises", (name, content), actor, clock)
    for institution in sorted({cases[row["loan_id"]].institution for row in todo.values()}):
        judge(conn, branch, institution, via=actor.via, clock=clock)
    return taken


def _faults_of_promise(
    row: Row, before: Promise | None, seen: Collection[str | None], cases: Mapping[str, Case]
) -> Iterator[Fault]:
    """What is wrong with a row beyond its single cells, as far as those could be read."""
    if row["ref"] in seen and row["ref"]:
        yield note(row.line, "ref", "repeated")
    elif before is not None:
        if row.sound and not _same(before, row):
            yield note(row.line, "ref", "differs")
        return
    if row["loan_id"] and row["loan_id"] not in cases:
        yield note(row.line, "loan_id", "no_case")
    if row["amount"] == 0:
        yield note(row.line, "amount", "malformed_amount")._replace(zh=_NOTHING[0], en=_NOTHING[1])
    if row["pay_by"] and row["made_on"] and row["pay_by"] < row["made_on"]:
        yield note(row.line, "pay_by", "before_it_was_made")


def import_holds(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """Take in a file of holds, known by loan, ground and beginning: another `until` sets its end. As above."""
    zone, service = ZoneInfo(branch.time_zone), system(actor.via)
    columns = hold_columns(zone, branch.rulebook.charts[HOLDS.chart])
    read, bad = read_file(read_rows(content, name), columns)
    taken, good = FileTaken(len(read), set_aside=bad), [row for row in read if row.sound]
    progress(taken.rows)
    unsound = [row for row in read if not row.sound and row["loan_id"]]  # the door looks at the others
    on_books = booked(conn, sorted({row["loan_id"] for row in unsound})) if unsound else {}
    taken.set_aside += [note(row.line, "loan_id", "unknown_loan") for row in unsound if row["loan_id"] not in on_books]
    known: dict[tuple[str, str, datetime], Hold] = {}
    for found in rows.select_by_keys(conn, select_of(HOLDS), "loan_id", sorted({row["loan_id"] for row in good})):
        hold = HOLDS.rows.read(found)
        known[hold.loan_id, hold.hold, hold.begins_at] = hold
    opened: list[tuple[Row, Open]] = []
    ended: list[tuple[Row, Fire]] = []
    for row in good:
        before = known.get((row["loan_id"], row["hold"], row["from"]))
        if before is None:
            opened.append((row, Open(actor=service, noun=HOLDS.chart, ground=IMPORTED, data=_hold_data(row))))
            taken.warnings.append(note(row.line, None, "review_missing"))
        elif row["until"] is None or row["until"] == before.ends_at:
            taken.repeated += 1
        else:
            data = {"ends_at": row["until"].isoformat()}
            ended.append((row, Fire(actor=service, noun=HOLDS.chart, id=before.id, event="import_end", data=data)))
    latest = _latest_end(conn, branch, clock)
    late = [row for row, _ in (*opened, *ended) if row["until"] is not None and row["until"].date() > latest]
    taken.warnings += [note(row.line, "until", "ends_late") for row in late]
    for row, outcome in _carried(conn, branch, opened, clock):
        _became(taken, row, outcome)
    for row, outcome in _carried(conn, branch, ended, clock):
        _became(taken, row, outcome, changed=True)
    _place(taken, content, name, columns)
    _enter(conn, branch, taken, "holds", (name, content), actor, clock)
    return taken


def _enter(
    conn: Connection, branch: Branch, taken: FileTaken, kind: str, file: tuple[str, bytes], actor: Actor, clock: Clock
) -> None:
    """An entry of a file of which something was taken in: which, by whom, what came of its rows."""
    if not taken.stored + taken.changed:
        return
    name, content = file
    data = {
        "kind": kind, "name": name, "sha256": hashlib.sha256(content).hexdigest(), "rows": taken.rows,
        "stored": taken.stored, "changed": taken.changed, "repeated": taken.repeated, "set_aside": taken.aside,
    }  # fmt: skip
    trail = branch.trail(clock())
    trail.append(conn, _STREAM, Draft(AGREED_TAKEN, actor.signed, data, rules=("5.4",)))
    trail.write(conn)


def _place(taken: FileTaken, content: bytes, name: str, columns: Sequence[FileColumn]) -> None:
    check_few(name, taken.set_aside)
    taken.set_aside = placed(in_order(taken.set_aside), content, name, columns)
    taken.warnings = placed(in_order(taken.warnings), content, name, columns)


def _latest_end(conn: Connection, branch: Branch, clock: Clock) -> date:
    """The last day on which a hold that is set here may end."""
    today = max(business_dates(conn).values(), default=branch.today(clock()))
    days: int = branch.rulebook.policies.at(today).figure("hold.ends_within_days")
    return max(today, branch.today(clock())) + timedelta(days=days)


def _carried(
    conn: Connection, branch: Branch, todo: Sequence[tuple[Row, Open | Fire]], clock: Clock
) -> list[tuple[Row, Outcome]]:
    outcomes = advance(conn, [command for _, command in todo], branch, clock=clock) if todo else []
    return [(row, outcome) for (row, _), outcome in zip(todo, outcomes, strict=True)]


def _found(conn: Connection, column: str, values: Sequence[str]) -> Sequence[Any]:
    return rows.select_by_keys(conn, select_of(PROMISES), column, sorted(set(values)))


def _newest_cases(conn: Connection, loan_ids: Sequence[str]) -> dict[str, Case]:
    """The live case of each loan, else its last."""
    newest: dict[str, Case] = {}
    for row in rows.select_by_keys(conn, CASE_ROWS, "loan_id", sorted(set(loan_ids))):
        case = from_row(row)
        before = newest.get(case.loan_id)
        if before is None or (case.live, case.id) > (before.live, before.id):
            newest[case.loan_id] = case
    return newest


def _same(known: Promise, row: Row) -> bool:
    held = (known.loan_id, known.made_on, known.pay_by, known.amount_fen)
    return held == (row["loan_id"], row["made_on"], row["pay_by"], row["amount"])


def _promise_data(row: Row) -> dict[str, Any]:
    data = {
        "ref": row["ref"], "made_on": row["made_on"].isoformat(), "pay_by": row["pay_by"].isoformat(),
        "amount_fen": row["amount"],
    }  # fmt: skip
    return data | ({"staff_no": row["staff_no"]} if row["staff_no"] else {})


def _hold_data(row: Row) -> dict[str, Any]:
    data = {"loan_id": row["loan_id"], "hold": row["hold"], "begins_at": row["from"].isoformat()}
    return data | ({"ends_at": row["until"].isoformat()} if row["until"] is not None else {})


def _name(conn: Connection, branch: Branch, taken: FileTaken, todo: Sequence[Row], actor: Actor) -> None:
    unknown = set(name_staff(conn, branch, [row["staff_no"] for row in todo], actor))
    taken.warnings += [note(row.line, "staff_no", "unknown_staff") for row in todo if row["staff_no"] in unknown]


def _warn(
    conn: Connection, branch: Branch, taken: FileTaken, todo: Sequence[Row], cases: Mapping[str, Case], clock: Clock
) -> None:
    """What would have refused each promise if it had been made here."""
    chart, dates = branch.rulebook.charts[PROMISES.chart], business_dates(conn)
    for row in todo:
        case = cases[row["loan_id"]]
        today = dates.get(case.institution, branch.today(clock()))
        policy = branch.rulebook.policies.at(today)
        data = {"ground": IMPORTED, "given": _promise_data(row), "business_date": today.isoformat()}
        promise = fold.begin(PROMISES, 0, "system", chart, data, policy, case)
        now_ = PROMISES.situation(promise, today, policy, "system", data["given"], {}, None, case)
        for reason in unmet(chart.openings["made"].guards, now_):
            if reason.code == _HORIZON:
                taken.warnings.append(note(row.line, "pay_by", "beyond_the_horizon"))
            else:
                taken.warnings.append(Fault(row.line, None, reason.code, reason.zh, reason.en))


def _became(taken: FileTaken, row: Row, outcome: Outcome, *, changed: bool = False) -> None:
    if isinstance(outcome, Done):
        taken.changed += changed
        taken.stored += not changed
    elif isinstance(outcome, Refused):
        reason = outcome.reasons[0]
        taken.set_aside.append(Fault(row.line, None, reason.code, reason.zh, reason.en))
    elif isinstance(outcome, Mistaken) and outcome.code == "unknown_loan":
        taken.set_aside.append(note(row.line, "loan_id", "unknown_loan"))
    elif isinstance(outcome, Mistaken) and outcome.faults:
        fault = outcome.faults[0]
        taken.set_aside.append(Fault(row.line, fault.field, fault.code, fault.zh, fault.en))
    else:
        raise CallerError("row_not_taken", "该行无法导入", f"a row could not be taken: {outcome}", line=row.line)
