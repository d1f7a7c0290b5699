"""A chart and a policy as plain documents, with the figures that parameters name filled in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import tomli

if TYPE_CHECKING:
    from casework.rules.statechart.chart import Arc, Chart, Event, GuardUse
    from casework.rules.statechart.policy import Policy


def chart_json(chart: "Chart", policy: "Policy", state: str | None = None) -> dict[str, Any]:
    """The whole chart, or what can happen in one state; deadlines with the policy's figures."""
    chart = chart.told_with(policy)
    states = [
        {
            "state": one.name, "zh": one.zh, "en": one.en, "initial": one.initial, "closed": one.closed,
            "final": one.final, "deadline": {"zh": one.deadline_zh, "en": one.deadline_en},
        }
        for one in chart.states.values()
    ]  # fmt: skip
    return {
        "title": chart.title, "digest": chart.digest, "policy": policy.ref, "zh": chart.zh, "en": chart.en,
        "states": [one for one in states if state in (None, one["state"])],
        "events": [
            event_json(event, policy, state)
            for event in chart.events.values()
            if state is None or state in event.arcs
        ],
        "topics": [
            {
                "topic": topic.name, "zh": topic.zh, "en": topic.en, "proposed_by": sorted(topic.proposed_by),
                "reviewed_by": sorted(topic.reviewed_by), "approved_by": sorted(topic.approved_by),
                "people": policy.figures.get(f"approval.{topic.name}"),
            }
            for topic in chart.approvals.values()
        ],
    }  # fmt: skip


def event_json(event: "Event", policy: "Policy", state: str | None = None) -> dict[str, Any]:
    """One event: labels, posts, rules, the data it takes, its arcs with their guards."""
    return {
        "event": event.name, "zh": event.zh, "en": event.en, "posts": sorted(event.posts),
        "rules": list(event.rules), "after_closing": event.after_closing, "four_eyes": event.four_eyes,
        "data": [
            {
                "field": field.name, "type": field.type, "zh": field.zh, "en": field.en,
                "optional": field.optional, "one_of": dict(field.one_of),
                "hint": None if field.hint is None else dict(field.hint),
            }
            for field in event.fields.values()
        ],
        "flags": _uses(event.flags, policy),
        "arcs": [_arc(arc, policy) for arc in event.arcs.values() if state in (None, arc.source)],
    }  # fmt: skip


def _arc(arc: "Arc", policy: "Policy") -> dict[str, Any]:
    return {
        "from": arc.source,
        "to": list(dict.fromkeys(branch.to for branch in arc.branches)),
        "guards": _uses(arc.guards, policy),
        "branches": [{"to": branch.to, "when": _uses(branch.when, policy)} for branch in arc.branches],
    }


def _uses(uses: "Iterable[GuardUse]", policy: "Policy") -> list[dict[str, Any]]:
    return [
        {
            "guard": use.guard.name, "params": dict(use.resolved(policy)), "rules": list(use.rules),
            "zh": use.zh, "en": use.en,
        }
        for use in uses
    ]  # fmt: skip


def guard_text(use: dict[str, Any]) -> str:
    """A guard and its figures on one line."""
    values = (
        f"{name}={', '.join(value) if isinstance(value, list) else value}" for name, value in use["params"].items()
    )
    params = "; ".join(values)
    return f"{use['guard']}({params})" if params else str(use["guard"])


def policy_json(policy: "Policy") -> dict[str, Any]:
    """Every figure of a policy with its unit, rules and source."""
    document = tomli.loads(policy.text.decode())
    return {
        "policy": policy.name,
        "digest": policy.digest,
        "figures": [
            {
                "figure": f"{section}.{key}", "zh": entry["zh"], "en": entry["en"],
                "value": entry.get("value"), "unit": entry.get("unit", ""),
                "rules": entry.get("rules", []), "source": entry.get("source"), "mark": entry.get("mark", ""),
                "empty_because": entry.get("empty_because"),
            }
            for section, entries in document.items()
            for key, entry in entries.items()
        ],
    }  # fmt: skip
