"""Every noun but cases as the API shows it: its wire forms, its examples and its names, made from chart and struct."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, get_type_hints

import msgspec
from litestar import Request
from litestar.params import PathParameter

from api import examples
from api.example import Example
from api.idempotency import StoredAnswer
from api.outcomes import CASE_NAMED, Named, answer_of
from api.problems import request_id_of
from api.serving import Serving, serving_of
from casework.clock import now
from casework.lifecycle.commands import Outcome
from casework.lifecycle.kept import Kept
from casework.lifecycle.subject import HEAD
from casework.rules.statechart.chart import Chart
from casework.settings import shipped
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.cases.options import opening_offer
from casework.work.cases.rulebook import Rulebook, load_rulebook

Number = Annotated[int, PathParameter(description="Its number.")]


class Described:
    """A noun as the API shows it: its line is its struct, with its state in words and its parent by name."""

    def __init__(self, noun: Kept, rulebook: Rulebook) -> None:
        self.noun, self.plural, self.word = noun, noun.table.name, noun.word
        self.parent = CASE_NAMED.number if noun.child else ""
        chart = rulebook.charts[noun.chart]
        hints = get_type_hints(noun.subject)
        kinds = [(self._called(name), hints[name]) for name in noun.rows.columns if name not in HEAD]
        title = noun.word.capitalize()
        self.line = msgspec.defstruct(
            f"{title}Line", [*kinds, ("state_zh", str), ("state_en", str)], kw_only=True,
            namespace={"__doc__": noun.subject.__doc__},
        )  # fmt: skip
        self.page = msgspec.defstruct(
            f"{title}Page", [("items", list[self.line]), ("next", str | None)],  # type: ignore[name-defined]  # made above
            namespace={"__doc__": "One page; `next` is the cursor of the page after it, none at the end."},
        )  # fmt: skip
        self._describe(chart, rulebook)

    def _describe(self, chart: Chart, rulebook: Rulebook) -> None:
        policy, ground, event = rulebook.policies.all[-1], examples.ground_of(chart), examples.event_of(chart)
        subject = examples.subject_of(self.noun, chart, policy)
        self.shown = self.line_of(subject, chart)
        self.offer, self.ground = examples.offer_of(event, policy), opening_offer(ground, [], policy)
        child = {"of": 1207} if self.noun.child else {}
        self.fired = fired = {"event": event.name, "data": examples.data_of(event.fields)}
        self.opening = [
            Example(id=ground.name, summary=ground.en,
                    value={**child, "ground": ground.name, "data": examples.data_of(ground.fields)}),
        ]  # fmt: skip
        self.event = [Example(id=event.name, summary=event.en, value=fired)]
        self.many = [
            Example(id=event.name, summary=event.en, value={**fired, "items": [{"id": 204, "version": 1}]}),
            Example(id="dry_run", summary="what would happen",
                    value={**fired, "filter": {"state": subject.state}, "dry_run": True}),
        ]  # fmt: skip
        self.fact = examples.facts_of(chart)
        self.outcome = {"id": subject.id, "version": 1, "from_state": None, "state": subject.state,
                        "entry_id": "case:1207:7" if self.noun.child else f"{self.noun.word}:204:1"}  # fmt: skip
        self.done = Example(summary="done", value=self.outcome)

    def _called(self, column: str) -> str:
        return self.parent if column == "parent_id" else column

    def line_of(self, subject: Any, chart: Chart) -> Any:
        """As lists and the page of one show it."""
        values = {self._called(name): getattr(subject, name) for name in self.noun.rows.columns if name not in HEAD}
        state = chart.state_named(subject.state)
        return self.line(**values, state_zh=state.zh, state_en=state.en)

    def chart_of(self, serving: Serving) -> Chart:
        """The chart in force."""
        return serving.branch.rulebook.charts[self.noun.chart]

    def named(self, serving: Serving) -> Named:
        """How answers speak of it."""
        chart = self.chart_of(serving)
        return Named(f"/{self.plural}", "id", chart.zh, chart.en.lower(), self.word)

    def told(
        self, request: Request[Any, Any, Any], *, created: bool = False
    ) -> Callable[[list[Outcome]], StoredAnswer]:
        """How the outcome of the one command is answered."""
        named, request_id = self.named(serving_of(request)), request_id_of(request)
        return lambda outcomes: answer_of(outcomes[0], request_id, created=created, named=named)


def described() -> list[Described]:
    """The nouns; what the description shows is made from the charts that come with the service."""
    rulebook = load_rulebook(shipped("statecharts"))
    return [Described(noun, rulebook) for noun in LIFECYCLES[1:]]


def today_of(serving: Serving) -> date:
    """The branch's day."""
    return serving.branch.today(now())
