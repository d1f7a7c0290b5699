"""What entries of a noun are called under its chart: the table from which labels, files and lists are made. Pure."""

from collections.abc import Iterator

from casework.lifecycle.noun import Noun
from casework.rules.statechart.chart import Chart

Names = dict[str, tuple[str, str]]
"""The event of an entry → what people call it, zh and en."""


def names_of(noun: Noun, chart: Chart) -> Names:
    """Every name that an entry of the noun may have under this chart."""
    return dict(_names(noun, chart)) | dict(noun.called)


def _names(noun: Noun, chart: Chart) -> Iterator[tuple[str, tuple[str, str]]]:
    says = noun.says
    yield says.opened, ("登记", "Opened")
    yield says.refused_opening, ("登记被拒", "Opening refused")
    yield says.noted, ("备注", "Note")
    yield f"{says.refused}note", ("被拒：备注", "Refused: Note")
    yield says.moved, ("按新版状态图迁移", "Moved to the next version of its chart")
    asked = any(event.four_eyes for event in chart.events.values())
    for event in chart.events.values():
        yield f"{says.step}{event.name}", (event.zh, event.en)
        yield f"{says.refused}{event.name}", (f"被拒：{event.zh}", f"Refused: {event.en}")
        if asked:  # whether it may be asked for, its version said at the time
            yield f"{says.asked}{event.name}", (f"申请：{event.zh}", f"Asked for: {event.en}")
    for kind in chart.facts.values():
        yield f"{says.fact}{kind.name}", (kind.zh, kind.en)
        if kind.name not in chart.events:
            yield f"{says.refused}{kind.name}", (f"被拒：{kind.zh}", f"Refused: {kind.en}")
