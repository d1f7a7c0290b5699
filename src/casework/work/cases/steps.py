"""The steps of cases, as their entries have them: which event, and on which day of its own."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.fold import DATED
from casework.lifecycle.opening import unknown_event
from casework.log.tables import entries
from casework.rules.statechart.chart import Chart
from casework.storage import rows
from casework.work.cases.fold import SAYS
from casework.work.cases.tables import cases

_AT_ONCE: Final = 1_000
_LOANS: Final = sa.select(cases.c.id, cases.c.loan_id)


class StepOfCase(msgspec.Struct):
    """One step; `on` is its own day: of what the service finds out later (that a debtor was reached) the day it was."""

    loan_id: str
    case_id: int
    event: str
    on: date


def steps_of_cases(
    conn: Connection, chart: Chart, events: Collection[str], first: date | None, last: date | None
) -> list[StepOfCase]:
    """Every step of these events (none named: of all) from `first` to `last`, by day and case; not paged.

    CallerError `unknown_event`.
    """
    unknown = sorted(set(events) - chart.events.keys())
    if unknown:
        raise unknown_event(unknown[0], chart)
    named = [f"{SAYS.step}{name}" for name in (sorted(events) or sorted(chart.events))]
    wanted = sa.select(entries.c.stream, entries.c.event, entries.c.body).where(entries.c.event.in_(named))
    found = []
    for part in conn.execute(wanted.order_by(entries.c.id), execution_options={"yield_per": _AT_ONCE}).partitions():
        found += [one for one in _read(part) if (first or one[2]) <= one[2] <= (last or one[2])]
    loans = dict(rows.select_by_keys(conn, _LOANS, "id", sorted({number for number, _, _ in found})))
    told = [StepOfCase(loans[number], number, event, on) for number, event, on in found]
    return sorted(told, key=lambda one: (one.on, one.case_id))


def _read(part: Iterable[Any]) -> Iterator[tuple[int, str, date]]:
    for stream, event, body in part:
        data = msgspec.json.decode(bytes(body))["data"]
        number = int(stream.partition(":")[2])
        yield number, event.removeprefix(SAYS.step), date.fromisoformat(data.get(DATED, data["business_date"]))
