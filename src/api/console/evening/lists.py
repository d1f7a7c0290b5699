"""17:00 as a file: the people of a day, as the page shows them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Request

from api.console.evening.asked import OfTeam, of_team
from api.console.frame import words
from api.console.frame.files import ListFile, columns_named, named_list
from api.day import may_look_at
from api.serving import serving_of
from casework.clock import now
from casework.evidence.evening.of_day import people_called
from casework.evidence.evening.standing import STATUSES, evening_of
from casework.spreadsheet import Column
from casework.storage.database import reading
from casework.table import Lang

_COLUMNS: Final = (*columns_named(
    ("who", "evening.who", 18), ("team", "evening.team", 10),
    *((name, f"evening.{name}", 10) for name in STATUSES), ("contacts", "evening.contacts", 8),
    ("ledger", "evening.ledger", 10), ("supplement", "evening.supplement", 12),
), Column("handed_in_at", "上交时间", "Handed in", 17))  # fmt: skip


def _people(request: Request[Any, Any, Any], wanted: OfTeam, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    branch = serving_of(request).branch
    on = wanted.on or branch.today(now())
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = evening_of(conn, branch, on, wanted.team, may_look_at(request)).people
        names = people_called(conn, branch, {one.owed_by for one in found}, lang)
    for one in found:
        came = [words.say(f"came.{code}", lang) if code else None for code in (one.came, one.supplement_came)]
        at = one.ledger.handed_in_at.astimezone(ZoneInfo(branch.time_zone)) if one.ledger else None
        yield (
            names.who(one.owed_by), one.team, *(getattr(one, name) for name in STATUSES), one.contacts, *came, at,
        )  # fmt: skip


FILES: Final = (
    ListFile("/console/evening", "day.read", named_list("evening.people", _COLUMNS), _people, wanted=of_team,
             said=lambda asked: {"on": str(asked.on) if asked.on else None, "team": asked.team}),
)  # fmt: skip
