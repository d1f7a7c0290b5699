"""What a rule of the branch's book means here: every place of what is in force that cites it, in its words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromPath

from api.console.frame.page import render
from api.reading.charts import charts_in_force, policies_view
from api.serving import serving_of
from casework.rules.statechart.chart import Chart, FactKind, GuardUse, Opening

_FACTS: Final = re.compile(r"\{[^}]*\}")


class Line(NamedTuple):
    """A place that cites the rule: `where` is a table of the book by its word, or a chart; `what` has words."""

    where: Any
    what: Any
    place: str | None = None


@get("/console/rules/lines/{rule:str}", sync_to_thread=True, opt={"page": "rulebook.read"})
def line(request: Request[Any, Any, Any], rule: FromPath[str]) -> Response[Any]:
    """Steps, facts, conditions and figures by which a rule is kept, each with where it stands."""
    return render(request, "rulebook/line.html", rule=rule, lines=list(_lines(request, rule)))


def _lines(request: Request[Any, Any, Any], rule: str) -> Iterator[Line]:
    serving = serving_of(request)
    for chart in charts_in_force(serving).values():
        yield from _of_chart(chart, rule)
    for policy in policies_view(serving):
        for one in policy.figures if policy.in_force else ():
            if rule in one.rules:
                yield Line("figures", one, f"/console/rules#figure.{one.key}")
    book = serving.branch.rulebook
    tables: dict[str, Mapping[str, Any]] = {
        "duties": book.duties.by_name, "strategies": book.tasks.strategies, "permissions": book.permissions.commands,
    }  # fmt: skip
    for where, found in tables.items():
        yield from (Line(where, _plain(one)) for one in found.values() if rule in one.rules)


def _of_chart(chart: Chart, rule: str) -> Iterator[Line]:
    place = f"/console/rules/charts/{chart.name}"
    for event in chart.events.values():
        if rule in event.rules:
            yield Line(chart, event, f"{place}#event.{event.name}")
    for part in _recorded_or_opened(chart):
        if rule in part.rules:
            yield Line(chart, part, place)
    told = {one.zh: one for one in _guards(chart) if rule in one.rules}
    yield from (Line(chart, _plain(one), place) for one in told.values())


def _guards(chart: Chart) -> Iterator[GuardUse]:
    for event in chart.events.values():
        for arc in event.arcs.values():
            yield from arc.guards
    for part in _recorded_or_opened(chart):
        yield from part.guards


def _recorded_or_opened(chart: Chart) -> list[FactKind | Opening]:
    return [*chart.facts.values(), *chart.openings.values()]


def _plain(one: Any) -> dict[str, str]:
    """A text without what is filled in: the facts of a case, the figures of a policy."""
    return {lang: _FACTS.sub("…", getattr(one, lang)) for lang in ("zh", "en")}


route_handlers = [line]
