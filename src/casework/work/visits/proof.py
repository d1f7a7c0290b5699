"""Which verdicts on a photo take from its visit what it proves: the branch's figure, of the chart's verdicts. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policies, Policy

DISPROVED_BY: Final = "visit.disproved_by"
_CHECKED: Final = ("recheck", "recheck_corrected")
_FIELD: Final = "verdict"


def is_disproved(verdicts: Iterable[str], policy: Policy) -> bool:
    """Whether one of the verdicts that stand is one of those; none is where the branch has left the figure empty."""
    figure: Any = policy.figures[DISPROVED_BY] or ()
    return any(verdict in figure for verdict in verdicts)


def verdict_faults(chart: Chart, policies: Policies) -> Iterator[str]:
    """What is wrong with the figure: missing, no list, no verdict of the chart, or no verdict left that puts right."""
    may_be = [set(chart.facts[kind].fields[_FIELD].one_of) for kind in _CHECKED]
    known = set[str].intersection(*may_be)
    for policy in policies.all:
        at = f"policy {policy.name}: {DISPROVED_BY}"
        if DISPROVED_BY not in policy.figures:
            yield f"{at}: missing; who checks photos needs it ({chart.name}.toml)"
            continue
        listed: Any = policy.figures[DISPROVED_BY]
        if listed is None:
            continue
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            yield f"{at}: is not a list of verdicts; there are {', '.join(sorted(known))}"
            continue
        yield from (
            f"{at}: {one} is no verdict on a photo; there are {', '.join(sorted(known))}"
            for one in listed if one not in known
        )  # fmt: skip
        yield from (f"{at}: {one}: twice" for one in sorted({one for one in listed if listed.count(one) > 1}))
        if known <= set(listed):
            yield f"{at}: leaves no verdict by which a photo stands"
