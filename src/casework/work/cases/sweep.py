"""The sweep: what the passing of days alone has made due is fired by the service itself (mark_lost, archive, …).

Which events these are is read off the chart: those that only the post `system` may fire and that need no data. A case
is asked first and fired only if the chart allows it, so that a sweep leaves no refusals behind.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.clock import Clock, now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire
from casework.lifecycle.versions import lives_under
from casework.people.staff.actor import SYSTEM_POST, system
from casework.rules.statechart.chart import Event
from casework.rules.statechart.decide import may
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.storage.rare import rare
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.commands import Command
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.situation import CaseSituation
from casework.work.cases.tables import cases

AT_ONCE = 1_000


def swept_events(branch: Branch) -> list[Event]:
    """The events that time alone makes due."""
    return [
        event
        for event in branch.rulebook.chart.events.values()
        if event.posts == {SYSTEM_POST} and all(field.optional for field in event.fields.values())
    ]


def sweep(
    engine: Engine,
    branch: Branch,
    days: Mapping[str, date],
    *,
    without: Collection[str] = (),
    clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Fire what is due on every case on the `days` of institutions, dated then; how many of each event.

    Each thousand cases are a transaction of their own. `without`: events for which none of these days counts.
    """
    events = [event for event in swept_events(branch) if event.name not in without]
    fired = {event.name: 0 for event in swept_events(branch)}
    page = _page(sorted({state for event in events for state in event.arcs}))
    after, looked_at = 0, 0
    while True:
        with reading(engine) as conn:
            ids = conn.execute(page, {"after": after}).scalars().all()
            found = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", ids)]
        if not found:
            return fired
        due: list[Command] = [
            Fire(actor=system("sweep"), id=case.id, event=event, version=case.version, dated=days[case.institution])
            for case in found if case.institution in days
            for event in _due(case, days[case.institution], branch, events)
        ]  # fmt: skip
        if due:
            with writing(engine) as conn:
                outcomes = advance(conn, due, branch, clock=clock)
            for command, outcome in zip(due, outcomes, strict=True):
                if isinstance(command, Fire) and isinstance(outcome, Done):
                    fired[command.event] += 1
        after = found[-1].id
        looked_at += len(found)
        progress(looked_at)


def _due(case: Case, today: date, branch: Branch, events: Sequence[Event]) -> list[str]:
    """The first event that is due: after it the case is another one, to be looked at by the next sweep."""
    policy = branch.rulebook.policies.at(today)
    actor = system("sweep")
    for event in events if lives_under(branch.rulebook.chart, case) else ():
        if case.state in event.arcs:
            now_ = CaseSituation(case, today, policy, actor.id)
            if may(branch.rulebook.chart, event.name, case.state, now_, actor.posts):
                return [event.name]
    return []


def _page(states: Sequence[str]) -> sa.Select[tuple[int]]:
    """Ids of the next, each state looked for by itself: those that are over may be many more, between them."""
    next_of = (
        sa.select(cases.c.id).where(rare(cases.c.state == state), cases.c.id > sa.bindparam("after"))
        .order_by(cases.c.id).limit(AT_ONCE).subquery()
        for state in states
    )  # fmt: skip
    together = sa.union_all(*map(sa.select, next_of)).subquery()
    return sa.select(together.c.id).order_by(together.c.id).limit(AT_ONCE)
