"""Which posts may do what a duty asks for: by the opening of a chart that does it. Pure."""

from collections.abc import Iterator, Mapping

from casework.rules.statechart.chart import Chart
from casework.work.cases.duty_rules import DutyRule, DutyRules


def posts_that_may(rule: DutyRule, charts: Mapping[str, Chart]) -> frozenset[str]:
    """Those that the chart lets open what does it; none where the rule names no opening, or one that is not there."""
    chart, _, ground = (rule.done_by or "").partition(".")
    opening = charts[chart].openings.get(ground) if chart in charts else None
    return frozenset() if opening is None else frozenset(opening.posts)


def doer_faults(duties: DutyRules, charts: Mapping[str, Chart]) -> Iterator[str]:
    """Duties that no opening of a chart does, or that would fall to a post that may not open it."""
    for rule in duties.by_name.values():
        if rule.done_by is None:
            continue
        posts, at = posts_that_may(rule, charts), f"rules/duties.toml: duties.{rule.name}"
        if not posts:
            yield f"{at}.done_by: no chart has the opening {rule.done_by}"
        elif rule.else_owed_by not in posts:
            yield f"{at}.else_owed_by: {rule.else_owed_by} may not open {rule.done_by}: {', '.join(sorted(posts))} may"
