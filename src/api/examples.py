"""Examples of what a chart takes, made from its fields: for the description of the API, so that none is ever false."""

from collections.abc import Mapping
from datetime import date
from types import SimpleNamespace
from typing import Any, Final

from api.example import Example
from casework.lifecycle import fold
from casework.lifecycle.noun import Noun
from casework.rules.statechart.chart import Chart, Event, Opening
from casework.rules.statechart.fields import Field
from casework.rules.statechart.policy import Policy
from casework.work.cases.options import EventOffer, fields_of

_TODAY: Final = date(2026, 3, 9)
_BY_TYPE: Final[Mapping[str, Any]] = {
    "bool": True, "date": _TODAY.isoformat(), "fen": 50_000, "hash": "sha256:" + "5f" * 32, "int": 1,
    "instant": "2026-03-09T08:00:00+08:00", "key": "L2024000917", "staff": "S0012", "text": "客户称月底还款",
}  # fmt: skip
_CASE: Final = SimpleNamespace(id=1207, institution="wuhan", borrower_id="B000731", loan_id="L2024000917")


def data_of(fields: Mapping[str, Field]) -> dict[str, Any]:
    """What has to be given, each as its type has it."""
    return {
        field.name: next(iter(field.one_of), None) or _BY_TYPE.get(field.type, "doc:2026-0031")
        for field in fields.values() if not field.optional
    }  # fmt: skip


def ground_of(chart: Chart) -> Opening:
    """The first ground on which somebody may open; of a chart that has none, its first."""
    found: Opening = _first(chart.openings)
    return found


def event_of(chart: Chart) -> Event:
    """The first event that somebody may fire; of a chart that has none, its first."""
    found: Event = _first(chart.events)
    return found


def facts_of(chart: Chart) -> list[Example]:
    """A fact that somebody may record; of a chart that has none, of none."""
    kind = _first(chart.facts) if chart.facts else None
    named, data = ("none", {}) if kind is None else (kind.name, data_of(kind.fields))
    value = {"kind": named, "on": _TODAY.isoformat(), "evidence": "rec:2026-0001", "data": data}
    return [Example(id=named, summary=kind.en if kind else "none is known", value=value)]


def history_of(word: str, fired: Mapping[str, Any], done: Mapping[str, Any]) -> dict[str, Any]:
    """A page of history with one event in it."""
    item = {
        "entry_id": done["entry_id"], "seq": 7, "event": f"{word}.step.{fired['event']}", "zh": "…", "en": "…",
        "actor": "S0012", "via": "api", "recorded_at": "2026-03-09T08:15:02.114523Z", "from_state": done["state"],
        "to_state": done["state"], "reason_code": None, "rules": ["1.3.1d"], "data": {"given": fired["data"]},
        "committed": [], "texts": {}, "mac_holds": True, "erased_on": None,
    }  # fmt: skip
    return {"items": [item], "next": None}


def _first(parts: Mapping[str, Any]) -> Any:
    return next((one for one in parts.values() if one.posts != {"system"}), next(iter(parts.values())))


def offer_of(event: Event, policy: Policy) -> EventOffer:
    """The event as options show it to whoever may fire it."""
    leads_to = tuple(branch.to for branch in next(iter(event.arcs.values())).branches)
    return EventOffer(
        event.name, event.zh, event.en, True, [], fields_of(event.fields, policy), tuple(sorted(event.posts)),
        leads_to, None, event.rules,
    )  # fmt: skip


def subject_of(noun: Noun, chart: Chart, policy: Policy) -> Any:
    """A subject as that opening begins it."""
    ground = ground_of(chart)
    whose = {"institution": _CASE.institution, "borrower_id": _CASE.borrower_id}
    data = {
        "ground": ground.name, "given": data_of(ground.fields), "business_date": _TODAY.isoformat(), "about": whose
    }  # fmt: skip
    return fold.begin(noun, 204, "S0012", chart, data, policy, _CASE if noun.child else None)
