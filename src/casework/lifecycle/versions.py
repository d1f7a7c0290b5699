"""Versions of a chart: under which one a subject lives, and where the next one takes it. Pure."""

from typing import Any, Final

from casework.lifecycle.fold import is_live
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import (
    Option,
    Reason,
    Situation,
    options,
)

NOT_MOVED: Final = "not_moved"
MOVED_ALREADY: Final = "moved_already"
OTHER_VERSION: Final = "other_version"
NO_MOVE: Final = "no_move_named"
WOULD_END: Final = "would_end"
WOULD_REVIVE: Final = "would_revive"


def version_of(title: str) -> int:
    """The number in `name@version`, as the row of a subject keeps it."""
    return int(title.rpartition("@")[2])


def title_before(chart: Chart) -> str:
    """The version that this one moves from."""
    return f"{chart.name}@{chart.version - 1}"


def lives_under(chart: Chart, subject: Any) -> bool:
    """Whether events of this version may happen to it: it was moved to it, or its state is the same in both.

    So are the states that it remembers. Its first step under this version takes it there; where its state has become
    another one, a move has to.
    """
    if subject.chart == chart.title:
        return True
    same = all(chart.moves.get(state, state) == state for state in subject.remembered)
    return bool(subject.chart == title_before(chart) and chart.moves.get(subject.state) == subject.state and same)


def why_not(chart: Chart, state: str, title: str, *, live: bool) -> str | None:
    """Why something of the version `title` in this state cannot be moved to `chart`; none if it can.

    A move is no event: it neither ends what is worked on nor revives what is over.
    """
    if title != title_before(chart):
        return MOVED_ALREADY if title == chart.title else OTHER_VERSION
    to = chart.moves.get(state)
    if to is None:
        return NO_MOVE
    if is_live(chart, to) != live:
        return WOULD_END if live else WOULD_REVIVE
    return None


def not_moved(chart: Chart, subject: Any) -> Reason:
    """The subject lives under another version than the one in force."""
    return Reason(
        NOT_MOVED, ("5.4",), {"chart": subject.chart, "state": subject.state}, {"chart": chart.title},
        f"须先按{chart.title}的规定迁移（现为{subject.chart}）",
        f"it lives under {subject.chart} and must be moved to {chart.title} first",
    )  # fmt: skip


def options_under(chart: Chart, subject: Any, situation: Situation) -> list[Option]:
    """Every event of the chart for the subject, posts aside; nothing before it was moved to this version."""
    if lives_under(chart, subject):
        return options(chart, subject.state, situation, frozenset(chart.posts))
    return [Option(event, False, (not_moved(chart, subject),), (), None) for event in chart.events]
