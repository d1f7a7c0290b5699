"""The chart that cases follow, as data and as a drawing, and the branch's policies."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
import tomli
from litestar import Request, Response, get
from litestar.params import FromPath

from api.language import Language
from api.list_shape import whole, whole_of
from api.reading.asking import answers, reader_of
from api.serving import Serving
from casework.errors import CallerError
from casework.log.tables import texts
from casework.rules.statechart.chart import (
    Arc,
    Chart,
    Event,
    FactKind,
    GuardUse,
    Opening,
)
from casework.rules.statechart.draw import mermaid, svg
from casework.rules.statechart.policy import Policy
from casework.storage.database import reading
from casework.work.cases.filter import BusinessDates
from casework.work.cases.noun import CASE_CHART
from casework.work.cases.options import FieldOffer, fields_of


class PublishedChart(msgspec.Struct):
    """A published version of a chart; `in_force` for the one that new steps follow."""

    title: str
    digest: str
    in_force: bool


class StateView(msgspec.Struct):
    """A state, and what makes a case in it move on."""

    name: str
    zh: str
    en: str
    initial: bool
    closed: bool
    final: bool
    deadline_zh: str
    deadline_en: str


class GuardView(msgspec.Struct):
    """A guard where it is used; `params` as written (@ names a policy figure), `figures` as they are now."""

    guard: str
    rules: tuple[str, ...]
    params: Mapping[str, Any]
    figures: Mapping[str, Any]
    zh: str
    en: str


class BranchView(msgspec.Struct):
    """One target, taken if all of `when` hold and none before it was taken."""

    to: str
    when: list[GuardView]


class ArcView(msgspec.Struct):
    """What an event does from one state."""

    source: str = msgspec.field(name="from")
    to: list[BranchView]
    guards: list[GuardView]
    effects: list[str]


class EventView(msgspec.Struct):
    """An event: who may fire it, the data it takes, and its arcs."""

    name: str
    zh: str
    en: str
    posts: list[str]
    rules: tuple[str, ...]
    data: list[FieldOffer]
    arcs: list[ArcView]
    four_eyes: str | None
    only_own: Mapping[str, tuple[str, ...]] = {}
    """Of `posts`, those that may only with cases they own or handle, each with its rules."""


class PartView(msgspec.Struct):
    """A kind of fact, or a ground of opening."""

    name: str
    zh: str
    en: str
    posts: list[str]
    rules: tuple[str, ...]
    data: list[FieldOffer]
    only_own: Mapping[str, tuple[str, ...]] = {}
    guards: list[GuardView] = []


class ChartView(msgspec.Struct):
    """A chart whole, with the figures of the policy in force on the latest business date."""

    name: str
    version: int
    digest: str
    policy: str
    zh: str
    en: str
    states: list[StateView]
    groups: dict[str, list[str]]
    events: list[EventView]
    openings: list[PartView]
    facts: list[PartView]
    posts: Mapping[str, Mapping[str, str]]


class FigureView(msgspec.Struct):
    """A figure of a policy with its rules or source; `value` none says `empty_because`."""

    key: str
    zh: str
    en: str
    value: Any
    unit: str | None
    rules: list[str]
    source: str | None
    empty_because: str | None


class PolicyView(msgspec.Struct):
    """A policy from its date on; before the first date the earliest applies."""

    effective_on: date
    digest: str
    in_force: bool
    figures: list[FigureView]


_CHARTS = [{"title": "overdue_loan@1", "digest": "5f" * 32, "in_force": True}]
_POLICIES = [
    {"effective_on": "2024-01-01", "digest": "5f" * 32, "in_force": True,
     "figures": [{"key": "placement.from_dpd", "zh": "应委外的逾期天数",
                  "en": "days past due from which a case is due for placement", "value": 31,
                  "unit": "days past due", "rules": ["3.2"],
                  "source": None, "empty_because": None}]}
]  # fmt: skip
_CHART = {
    "name": "overdue_loan", "version": 1, "digest": "5f" * 32, "policy": "2024-01-01", "zh": "逾期贷款案件",
    "en": "Overdue loan case", "states": [], "groups": {"in_house": ["phone_collection"]}, "events": [],
    "openings": [], "facts": [], "posts": {"approver": {"zh": "审批人", "en": "approver"}},
}  # fmt: skip


@get(
    "/charts",
    sync_to_thread=True,
    responses=answers(whole(PublishedChart), {"items": _CHARTS, "next": None}),
    tags=["rulebook"],
)
def charts(request: Request[Any, Any, Any]) -> Response[Any]:
    """Every published version of every chart."""
    serving, _ = reader_of(request)
    now = {one.digest for one in charts_in_force(serving).values()}
    columns = (texts.c.name, texts.c.digest)
    with reading(serving.engine) as conn:
        found = conn.execute(sa.select(*columns).where(texts.c.kind == "chart").order_by(texts.c.name)).all()
    return whole_of(PublishedChart, [PublishedChart(row.name, row.digest, row.digest in now) for row in found])


@get(
    "/charts/{name:str}",
    sync_to_thread=True,
    responses=answers(ChartView, _CHART, "not_found"),
    tags=["rulebook"],
)
def chart(request: Request[Any, Any, Any], name: FromPath[str]) -> ChartView:
    """The chart in force, whole."""
    serving, _ = reader_of(request)
    found = charts_in_force(serving).get(name)
    if found is None:
        raise CallerError("not_found", "没有这样的状态图", "there is no such chart")
    return chart_view(found, policy_in_force(serving))


def policy_in_force(serving: Serving) -> Policy:
    """The policy of the latest business date, as what is shown of the rules has it."""
    with reading(serving.engine) as conn:
        dates = BusinessDates(conn, serving.branch)
    return serving.branch.rulebook.policies.at(max([*dates.known.values()], default=dates.otherwise))


def charts_in_force(serving: Serving) -> dict[str, Chart]:
    """The charts that new steps follow, by name: of cases and of requests."""
    return dict(serving.branch.rulebook.charts)


@get(
    f"/charts/{CASE_CHART}.mmd",
    sync_to_thread=True,
    responses=answers(str, "stateDiagram-v2\n", media_type="text/plain"),
    tags=["rulebook"],
)
def chart_mermaid(request: Request[Any, Any, Any], spoken: Language) -> Response[str]:
    """The chart in force as a Mermaid diagram."""
    serving, _ = reader_of(request, "lang")
    shown = serving.branch.rulebook.chart.told_with(policy_in_force(serving))
    return Response(mermaid(shown, spoken), media_type="text/plain")


@get(
    f"/charts/{CASE_CHART}.svg",
    sync_to_thread=True,
    responses=answers(str, "<svg xmlns='http://www.w3.org/2000/svg'/>", media_type="image/svg+xml"),
    tags=["rulebook"],
)
def chart_drawing(request: Request[Any, Any, Any], spoken: Language) -> Response[str]:
    """The chart in force as a drawing."""
    serving, _ = reader_of(request, "lang")
    shown = serving.branch.rulebook.chart.told_with(policy_in_force(serving))
    return Response(svg(shown, spoken), media_type="image/svg+xml")


@get(
    "/policies",
    sync_to_thread=True,
    responses=answers(whole(PolicyView), {"items": _POLICIES, "next": None}),
    tags=["rulebook"],
)
def policies(request: Request[Any, Any, Any]) -> Response[Any]:
    """The branch's figures by effective date, each with its rules or source."""
    serving, _ = reader_of(request)
    return whole_of(PolicyView, policies_view(serving))


def policies_view(serving: Serving) -> list[PolicyView]:
    """Every policy in its wire form, the earliest first."""
    in_force = policy_in_force(serving)
    return [_policy(policy, policy is in_force) for policy in serving.branch.rulebook.policies.all]


def chart_view(shown: Chart, policy: Policy) -> ChartView:
    """A chart in its wire form."""
    shown = shown.told_with(policy)
    return ChartView(
        shown.name, shown.version, shown.digest, policy.name, shown.zh, shown.en,
        [StateView(s.name, s.zh, s.en, s.initial, s.closed, s.final, s.deadline_zh, s.deadline_en)
         for s in shown.states.values()],
        {name: sorted(states) for name, states in shown.groups.items()},
        [_event(event, policy) for event in shown.events.values()],
        _parts(shown.openings.values(), policy), _parts(shown.facts.values(), policy), shown.posts,
    )  # fmt: skip


def _event(event: Event, policy: Policy) -> EventView:
    arcs = [_arc(arc, policy) for arc in event.arcs.values()]
    return EventView(
        event.name,
        event.zh,
        event.en,
        sorted(event.posts),
        event.rules,
        fields_of(event.fields, policy),
        arcs,
        event.four_eyes,
        event.only_own,
    )


def _arc(arc: Arc, policy: Policy) -> ArcView:
    to = [BranchView(branch.to, _guards(branch.when, policy)) for branch in arc.branches]
    effects = [use.effect.name for use in arc.effects]
    return ArcView(arc.source, to, _guards(arc.guards, policy), effects)


def _guards(uses: Iterable[GuardUse], policy: Policy) -> list[GuardView]:
    return [GuardView(use.guard.name, use.rules, use.params, use.resolved(policy), use.zh, use.en) for use in uses]


def _parts(parts: Iterable[FactKind | Opening], policy: Policy) -> list[PartView]:
    return [
        PartView(part.name, part.zh, part.en, sorted(part.posts), part.rules, fields_of(part.fields, policy),
                 part.only_own if isinstance(part, FactKind) else {}, _guards(part.guards, policy))
        for part in parts
    ]  # fmt: skip


def _policy(policy: Policy, in_force: bool) -> PolicyView:
    figures = [
        FigureView(f"{section}.{key}", figure["zh"], figure["en"], figure.get("value"),
                   figure.get("unit"), figure.get("rules", []),
                   figure.get("source"), figure.get("empty_because"))
        for section, table in tomli.loads(policy.text.decode()).items()
        for key, figure in table.items()
    ]  # fmt: skip
    return PolicyView(policy.effective_on, policy.digest, in_force, figures)
