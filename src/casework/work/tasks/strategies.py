"""A case's strategy of the day (5.2), and the four lists that follow from it: 电催, 委催, 法催, 下户 (5.4)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, held_head
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.storage import rows
from casework.storage.rare import rare
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import WorkList
from casework.work.duties.tables import case_strategies
from casework.work.tasks.acts import Became, all_or_none
from casework.work.tasks.making import STREAM
from casework.work.tasks.standing import STARTED

COMMAND: Final = "task.strategy"
_COLUMNS: Final = tuple(case_strategies.c.keys())
_CASES: Final = sa.select(
    cases.c.id, cases.c.loan_id, cases.c.state, cases.c.live, cases.c.owner, cases.c.handler, cases.c.team,
    cases.c.region, cases.c.product,
)  # fmt: skip
_ON: Final = sa.bindparam("on", type_=sa.Date)
_IS_ITS: Final = sa.and_(case_strategies.c.case_id == cases.c.id, case_strategies.c.day == _ON)
_LINES: Final = sa.select(
    cases.c.id, cases.c.loan_id, cases.c.state, cases.c.owner, cases.c.handler, cases.c.team, cases.c.region,
    cases.c.product, cases.c.bucket, cases.c.oldest_due_date, cases.c.overdue_fen, case_strategies.c.strategy,
).where(cases.c.live)  # fmt: skip
# From what was started that day, of which there is little, not from the cases, most of which nothing was started for.
_BY_STRATEGY: Final = (
    _LINES.select_from(case_strategies).join(cases, cases.c.id == case_strategies.c.case_id)
    .where(case_strategies.c.day == _ON, case_strategies.c.case_id > sa.bindparam("after"))
    .where(case_strategies.c.strategy.in_(sa.bindparam("strategies", expanding=True)))
    .order_by(case_strategies.c.case_id)
)  # fmt: skip
_BY_STATE: Final = (
    _LINES.join(case_strategies, _IS_ITS, isouter=True)
    .where(cases.c.state == sa.bindparam("state"), case_strategies.c.strategy.is_(None))
    .where(cases.c.id > sa.bindparam("after")).order_by(cases.c.id)
)  # fmt: skip
COUNTED_TO: Final = 10_000
"""What is more than that is not counted: whoever has so many to go through reads no further digit."""
_STARTED_COUNTED: Final = (
    sa.select(cases.c.state, case_strategies.c.strategy, sa.func.count())
    .select_from(case_strategies).join(cases, cases.c.id == case_strategies.c.case_id)
    .where(cases.c.live, case_strategies.c.day == _ON)
    .group_by(cases.c.state, case_strategies.c.strategy)
)  # fmt: skip


class Number(NamedTuple):
    """How many there are; `more`: more than that, which is `COUNTED_TO`."""

    cases: int
    more: bool


class WorkLine(msgspec.Struct):
    """A case on one of the four lists; `strategy` none: nothing was started today, its state puts it there."""

    id: int
    loan_id: str
    state: str
    owner: str
    handler: str
    team: str | None
    region: str | None
    product: str | None
    bucket: str
    oldest_due_date: date | None
    overdue_fen: int
    strategy: str | None


def start(
    conn: Connection, branch: Branch, actor: Actor, case_ids: Sequence[int], strategy: str, at: datetime, *,
    atomic: bool = False,
) -> list[Became]:  # fmt: skip
    """Start a strategy for cases today, each an entry; another one later that day takes its place.

    CallerError `unknown_strategy`. Of one: `unknown_case`, `strategy_not_allowed`, `strategy_unchanged`.
    """
    known = branch.rulebook.tasks.strategies
    if strategy not in known:
        raise CallerError(
            "unknown_strategy", f"策略须为以下之一：{'、'.join(known)}",
            f"the strategy must be one of {', '.join(known)}", field="strategy", known=list(known),
        )  # fmt: skip
    held_head(conn, STREAM)
    on, trail = branch.today(at), branch.trail(at)
    reach = branch.rulebook.permissions.within(actor, COMMAND, branch.rulebook.policies.at(on))
    numbers = sorted(set(case_ids))
    found = {row.id: row for row in rows.select_by_keys(conn, _CASES, "id", numbers)}
    places = [(on, number) for number in numbers]
    before = {
        row.case_id: row.strategy for row in rows.select_by_keys(conn, case_strategies, ("day", "case_id"), places)
    }
    became = []
    for number in case_ids:
        refused = _refused(branch, found.get(number), strategy, before.get(number), reach)
        became.append(Became(number, refused))
    became = all_or_none(became, atomic=atomic)
    done = list(dict.fromkeys(one.task_id for one in became if one.refused is None and one.task_id is not None))
    for number in done:
        data = {"on": on.isoformat(), "case": number, "strategy": strategy, "before": before.get(number)}
        trail.append(conn, STREAM, Draft(STARTED, actor.signed, data, rules=known[strategy].rules))
    trail.write(conn)
    written = [(on, number, strategy, actor.id) for number in done]
    fresh = [row for row in written if row[1] not in before]
    rows.insert_many(conn, case_strategies, fresh, _COLUMNS)
    again = [row for row in written if row[1] in before]
    rows.update_many(conn, case_strategies, ("day", "case_id"), again, _COLUMNS[2:])
    return became


def _refused(branch: Branch, case: Any, strategy: str, before: str | None, reach: Reach) -> CallerError | None:
    if case is None or not reach.covers(case):
        return CallerError("unknown_case")
    rule = branch.rulebook.tasks.strategies[strategy]
    if case.state not in rule.states:
        state = branch.rulebook.chart.states[case.state]
        allowed = [branch.rulebook.chart.states[one] for one in sorted(rule.states)]
        return CallerError(
            "strategy_not_allowed",
            f"案件现为{state.zh}，“{rule.zh}”只可在{'、'.join(one.zh for one in allowed)}中启动",
            f"the case is in {case.state}: {strategy} is started in {', '.join(sorted(rule.states))} only",
            state=case.state, allowed=sorted(rule.states), rules=list(rule.rules),
        )  # fmt: skip
    return CallerError("strategy_unchanged") if before == strategy else None


def strategies_of(conn: Connection, on: date, case_ids: Sequence[int]) -> dict[int, str]:
    """What was started last on that day, by case."""
    places = [(on, number) for number in sorted(set(case_ids))]
    return {row.case_id: row.strategy for row in rows.select_by_keys(conn, case_strategies, ("day", "case_id"), places)}


def counted(conn: Connection, branch: Branch, on: date, *, to: int = COUNTED_TO) -> dict[str, Number]:
    """How many cases are on each of the four lists, `to` at most: those of its states, and what was started for it."""
    lists = branch.rulebook.tasks.lists
    live = branch.rulebook.chart.groups["live"]
    states = sorted({state for one in lists.values() for state in one.states} & live)
    counts, started = Counter[str](), Counter[str]()
    for state, strategy, number in conn.execute(_STARTED_COUNTED, {"on": on}):
        started[state] += number
        counts.update({code: number for code, one in lists.items() if strategy in one.strategies})
    numbers = (_up_to(state, to + 1 + started[state]).label(state) for state in states)
    of_state = conn.execute(sa.select(*numbers)).one()._asdict()
    for code, one in lists.items():
        counts[code] += sum(of_state[state] - started[state] for state in one.states & live)
    return {code: Number(min(counts[code], to), counts[code] > to) for code in lists}


def _up_to(state: str, most: int) -> sa.ScalarSelect[int]:
    """How many cases are in a state, from its index alone and no further than that."""
    found = sa.select(cases.c.id).where(rare(cases.c.state == state)).limit(most).subquery()
    return sa.select(sa.func.count()).select_from(found).scalar_subquery()


def work_list(branch: Branch, name: str) -> WorkList:
    """CallerError `unknown_work_list`."""
    found = branch.rulebook.tasks.lists.get(name)
    if found is None:
        raise CallerError("unknown_work_list", known=sorted(branch.rulebook.tasks.lists))
    return found


def lines_of(
    conn: Connection, branch: Branch, name: str, on: date, *, after: int = 0, limit: int, reach: Reach
) -> list[WorkLine]:
    """A page of one of the lists, by case id, as far as the reader reaches. CallerError `unknown_work_list`."""
    wanted = work_list(branch, name)

    def walk(statement: sa.Select[Any], **more: Any) -> Iterator[WorkLine]:
        seen = after
        while True:
            found = conn.execute(statement.limit(limit), {"on": on, "after": seen, **more}).all()
            yield from (one for row in found if reach.covers(one := WorkLine(*row)))
            if len(found) < limit:
                return
            seen = found[-1].id

    parts = [walk(_BY_STRATEGY, strategies=sorted(wanted.strategies))] if wanted.strategies else []
    parts += [walk(_BY_STATE, state=state) for state in sorted(wanted.states)]
    return list(islice(merge(*parts, key=attrgetter("id")), limit))
