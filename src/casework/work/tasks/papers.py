"""Papers that wait: reports of visits and disposal forms, to be reviewed or to be put right (5.2, 5.4, 5.6).

A line in `WAITING` a state of such papers. Each is read by the index of its state: what is over is not looked at.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from casework.lifecycle.kept import Kept
from casework.work.cases.lifecycles import DISPOSALS, VISITS
from casework.work.tasks.begun import Morning
from casework.work.tasks.ranking import DUE, Found, why_of


class Papers(NamedTuple):
    """Papers of a kind in a state. `owed_by`: the column that names who is to do it; none: the post of the task.

    `parts`: columns that name who had a part in them, and so is not who reviews them.
    """

    task: str
    kept: Kept
    state: str
    owed_by: str | None = None
    parts: tuple[str, ...] = ()


WAITING: Final = (
    Papers("report_review", VISITS, "reported", parts=("visitor", "second_visitor")),
    Papers("report_returned", VISITS, "returned", owed_by="visitor"),
    Papers("form_review", DISPOSALS, "filed", parts=("opened_by",)),
    Papers("form_returned", DISPOSALS, "returned", owed_by="opened_by"),
)
REVIEWED: Final = tuple(one.task for one in WAITING if one.parts)


def _waiting(one: Papers) -> sa.Select[Any]:
    kept = one.kept.table.c
    owed = sa.null() if one.owed_by is None else kept[one.owed_by]
    return (
        sa.select(kept.id, kept.loan_id, kept.parent_id, kept.state_since, owed.label("owed_by"))
        .where(kept.state == one.state).order_by(kept.id)
    )  # fmt: skip


_STATEMENTS: Final = tuple((one, _waiting(one)) for one in WAITING)


def _state(one: Papers) -> sa.Select[Any]:
    kept = one.kept.table.c
    return sa.select(kept.id, kept.state, *(kept[name] for name in one.parts))


STANDING: Final[Mapping[str, tuple[sa.Select[Any], object]]] = {one.task: (_state(one), one.state) for one in WAITING}
"""By task whose reference is the number of the papers: their state, then who had a part in them; and the state in which
they wait."""


def papers(morning: Morning) -> Iterator[Found]:
    """What waits for a review says since when, and is due every morning.

    So is what was returned, until the branch says within how many days it is put right (`task.put_right_within_days`).
    """
    on = morning.on
    within: Any = morning.branch.rulebook.policies.at(on).figures.get("task.put_right_within_days")
    for one, statement in _STATEMENTS:
        for row in morning.conn.execute(statement):
            of, ref = (row.loan_id, row.parent_id), str(row.id)
            if one.owed_by is None:
                yield Found(morning.post(one.task), one.task, DUE, *of, row.state_since, ref)
            elif within is None:
                yield Found(row.owed_by, one.task, DUE, *of, on, ref)
            else:
                due_on = row.state_since + timedelta(days=within)
                yield Found(row.owed_by, one.task, why_of(due_on, on), *of, due_on, ref)
