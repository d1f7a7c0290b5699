"""What the passing of days alone makes due of nouns whose states say so (`due`): an index finds it, the door fires."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.lifecycle.advance import House, advance
from casework.lifecycle.commands import Done, Fire
from casework.lifecycle.gather import select_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.versions import lives_under
from casework.people.staff.actor import SYSTEM_POST, system
from casework.rules.statechart.chart import Chart, Event
from casework.rules.statechart.decide import may
from casework.storage import rows
from casework.storage.rare import rare

AT_ONCE = 1_000


def swept_events(chart: Chart) -> list[Event]:
    """The events that time alone makes due: only the service may fire them, and they need no data."""
    return [
        event for event in chart.events.values()
        if event.posts == {SYSTEM_POST} and all(field.optional for field in event.fields.values())
    ]  # fmt: skip


def fire_due(
    conn: Connection, house: House, noun: Kept, days: dict[str, date], *, clock: Clock = now
) -> dict[str, int]:
    """Fire what is due of a noun on the `days` of institutions, dated then; how many of each event."""
    if "due_on" not in noun.table.c or not days:
        return {}
    chart, fired = house.rulebook.charts[noun.chart], dict[str, int]()
    due_by = sa.bindparam("due_by", type_=sa.Date)
    page = select_of(noun).where(rare(noun.table.c.due_on <= due_by), noun.table.c.id > sa.bindparam("after"))
    page, after = page.order_by(noun.table.c.id).limit(AT_ONCE), 0
    while True:
        found = conn.execute(page, {"due_by": max(days.values()), "after": after}).all()
        if not found:
            return fired
        after = found[-1].id
        subjects = [noun.rows.read(row) for row in found]
        parents = _parents(conn, house.nouns[0], noun, subjects)
        due = [
            Fire(
                actor=system("sweep"), noun=noun.chart, id=one.id, event=event, version=one.version,
                dated=days[one.institution],
            )
            for one in subjects
            if (event := _due(house, noun, chart, one, parents.get(one.id), days.get(one.institution))) is not None
        ]  # fmt: skip
        for command, outcome in zip(due, advance(conn, due, house, clock=clock) if due else (), strict=True):
            if isinstance(outcome, Done):
                fired[command.event] = fired.get(command.event, 0) + 1


def _parents(conn: Connection, main: Kept, noun: Kept, subjects: Sequence[Any]) -> dict[int, Any]:
    """Of children, by their own number."""
    if not noun.child:
        return {}
    wanted = sorted({one.parent_id for one in subjects})
    found = {row[0]: main.rows.read(row) for row in rows.select_by_keys(conn, select_of(main), "id", wanted)}
    return {one.id: found[one.parent_id] for one in subjects}


def _due(house: House, noun: Kept, chart: Chart, subject: Any, parent: Any, today: date | None) -> str | None:
    if today is None:
        return None
    now_ = noun.situation(subject, today, house.rulebook.policies.at(today), "system", {}, {}, None, parent)
    for event in swept_events(chart) if lives_under(chart, subject) else ():
        if may(chart, event.name, subject.state, now_, event.posts):
            return event.name
    return None
