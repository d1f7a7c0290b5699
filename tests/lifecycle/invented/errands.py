"""An errand: somebody is to be called on a day. Pure."""

from datetime import date
from typing import Annotated

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()


class Errand(Child):
    """Somebody is to be called back on a day."""

    call_on: date
    calls: Annotated[int, Label("通话次数", "Calls")] = 0
    due_on: date | None = None


@REGISTRY.guard(facts=("call_on",))
def not_on_a_sunday(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody is called on a Sunday."""
    return Verdict(now.subject.call_on.isoweekday() < 7, {"call_on": now.subject.call_on.isoformat()})


@REGISTRY.effect()
def count_call(now: SubjectSituation, _: Params) -> None:
    """One more."""
    now.subject.calls += 1


@REGISTRY.recorder
def message(now: SubjectSituation, _: Params) -> None:
    """A message counts as a call."""
    now.subject.calls += 1


ERRAND = Noun(chart="errand", word="errand", subject=Errand, rows=Rows(Errand), registry=REGISTRY)
