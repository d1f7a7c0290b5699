"""Folding an entry into a subject: only `begin` and `apply` make and change one, in door and replay. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from casework.lifecycle.noun import Noun, made
from casework.lifecycle.subject import HEAD
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy

BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
DATED: Final = "dated"
"""In the data of a step: the day that it is of, where that is not the business date."""


def begin(
    noun: Noun, number: int, actor_id: str, chart: Chart, data: Mapping[str, Any], policy: Policy, parent: Any = None
) -> Any:
    """The subject that an opening entry begins."""
    if noun.begin is not None:
        begun = noun.begin(number, actor_id, chart, data)
        _reckon(begun, chart, policy)
        return begun
    today = _day(data["business_date"])
    common: dict[str, Any] = {
        "id": number, "chart": chart.title, "state": chart.initial, "state_since": today, "live": True, "version": 1,
        "opened_on": today, "opened_for": data["ground"], "opened_by": actor_id,
    }  # fmt: skip
    if parent is not None:
        # What it has a field for and its parent too is the parent's: whose it is, and what it is about.
        same = [name for name in noun.rows.columns if name not in common and hasattr(parent, name)]
        common |= {"parent_id": parent.id} | {name: getattr(parent, name) for name in same}
    if HEAD[-1] in noun.rows.columns:
        common |= dict(zip(HEAD, (BEFORE_ALL, 0, b""), strict=True))
    subject = made(noun, common, {**data, **data.get("gathered", {}), **data.get("about", {}), **data["given"]})
    _arrive(subject, chart, policy)
    return subject


def apply(
    noun: Noun, subject: Any, event: str, to: str | None, actor_id: str, data: Mapping[str, Any], chart: Chart,
    policy: Policy, parent: Any = None, now: Any = None,
) -> None:  # fmt: skip
    """Change the subject as the entry says; refusals, askings and notes change nothing.

    `now`: the world in which it was decided (`situation_of`), where it is known already.
    """
    says = noun.says
    if event == says.moved:  # first: a noun may call its steps by its word alone
        _move(subject, str(to), chart, policy)
    elif event.startswith(says.step):
        now = now or situation_of(noun, subject, actor_id, data, policy, parent)
        _step(subject, event.removeprefix(says.step), str(to), now, chart)
    elif event.startswith(says.fact):
        kind = chart.facts[event.removeprefix(says.fact)]
        kind.recorder.apply(now or situation_of(noun, subject, actor_id, data, policy, parent), {})
        subject.version += 1
    elif event in noun.more:
        noun.more[event](subject, data)
        subject.version += 1
    elif event.startswith((says.refused, says.asked)) or event == says.noted:
        return
    else:
        raise ValueError(f"no entry of a {noun.word} is called {event}")
    _reckon(subject, chart, policy)


def _reckon(subject: Any, chart: Chart, policy: Policy) -> None:
    """What follows from all that it is, where it keeps such a thing."""
    if hasattr(subject, "reckon"):
        subject.reckon(chart, policy)


def _step(subject: Any, event: str, to: str, now: Any, chart: Chart) -> None:
    for use in chart.events[event].arcs[subject.state].effects:
        use.apply(now)
    moved = to != subject.state
    subject.chart = chart.title
    if moved:
        subject.state, subject.state_since = to, now.today
        subject.live = is_live(chart, to)
    if hasattr(subject, "stepped"):
        subject.stepped(now, chart, moved=moved)
    subject.version += 1
    _arrive(subject, chart, now.policy)


def _move(subject: Any, to: str, chart: Chart, policy: Policy) -> None:
    """Another version of its chart: its state has become `to`; nothing happened to it, no day is counted anew."""
    subject.renamed(chart.moves)
    subject.chart, subject.state = chart.title, to
    subject.version += 1
    _arrive(subject, chart, policy)


def _arrive(subject: Any, chart: Chart, policy: Policy) -> None:
    """By when something is due in its state, which an event may have put off."""
    if hasattr(subject, "due_on"):
        days = [
            day + timedelta(days=due.in_days(policy)) for due in chart.states[subject.state].dues
            if (day := getattr(subject, due.since)) is not None
        ]  # fmt: skip
        subject.due_on = min(days, default=None)


def is_live(chart: Chart, state: str) -> bool:
    """Whether a subject in this state is worked on: of the chart's group `live`, or not closed where it has none."""
    live = chart.groups.get("live")
    return state in live if live is not None else not chart.states[state].closed


def situation_of(
    noun: Noun, subject: Any, actor_id: str, data: Mapping[str, Any], policy: Policy, parent: Any = None
) -> Any:
    """The world in which the entry with these data was decided."""
    on, today = data.get("on"), data.get(DATED, data["business_date"])
    return noun.situation(
        subject, _day(today), policy, actor_id, data["given"], data.get("gathered", {}), _day(on) if on else None,
        parent, data.get("acting_for"),
    )  # fmt: skip


_day = date.fromisoformat
