"""The roster of a week as a file: a line for each person and day."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

from litestar import Request
from litestar.params import QueryParameter

from api.console.frame import shown, words
from api.console.frame.files import ListFile, columns_named, named_list
from api.console.roster.pages import week_of
from api.serving import serving_of
from casework.spreadsheet import Column
from casework.table import Lang

_COLUMNS: Final = (
    *columns_named(
        ("on", "roster.on", 12), ("staff_no", "staff.number", 12), ("name", "people.name", 12),
        ("shift", "roster.shift", 12),
    ), Column("answers", "承担人", "Answers", 18), Column("why", "依据", "By", 18),
)  # fmt: skip


class _Wanted(NamedTuple):
    week: date | None
    team: str | None


def _wanted(
    week: Annotated[date | None, QueryParameter()] = None,
    team: Annotated[str, QueryParameter(max_length=64)] = "",
) -> _Wanted:  # fmt: skip
    return _Wanted(week, team.strip() or None)


def _shifts(request: Request[Any, Any, Any], wanted: _Wanted, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    week = week_of(serving_of(request), wanted.week, wanted.team)
    for who, cells in week.rows:
        for on, one in zip(week.days, cells, strict=True):
            shift = shown.told(one.shift, lang) if one.shift else None
            by = f"{week.names.get(one.answers, '')} {one.answers}".strip() if one.answers else None
            why = one.why[lang == "en"] if one.why else None
            yield on, who, week.names.get(who), words.say("roster.leave", lang) if one.leave else shift, by, why


FILES: Final = (
    ListFile("/console/roster", "roster.read", named_list("roster.title", _COLUMNS), _shifts, wanted=_wanted,
             said=lambda asked: {"week": str(asked.week) if asked.week else None, "team": asked.team}),
)  # fmt: skip
