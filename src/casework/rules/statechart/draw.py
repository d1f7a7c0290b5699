"""A chart drawn: as Mermaid text here, as SVG by `draw_svg`."""

from collections.abc import Iterable

from casework.rules.statechart.chart import Chart, State
from casework.rules.statechart.draw_svg import svg
from casework.rules.statechart.outline import (
    OutlineEdge,
    edges,
    label,
    openings,
    staying,
)

__all__ = ["LANGUAGES", "mermaid", "svg"]
LANGUAGES = ("zh", "en")


def mermaid(chart: Chart, lang: str = "zh") -> str:
    """The chart as a Mermaid `stateDiagram-v2`; a `?` after an event: the facts decide where it leads."""
    lines = [
        "---", f"title: {_quoted(f'{label(chart, lang)} · {chart.title} · {chart.digest[:12]}')}", "---",
        "stateDiagram-v2",
    ]  # fmt: skip
    lines += [f"  state {_quoted(label(state, lang))} as {name}" for name, state in chart.states.items()]
    lines.append(f"  [*] --> {chart.initial} : {_joined(openings(chart, lang))}")
    for edge in edges(chart, lang):
        lines.append(f"  {edge.source} --> {edge.to} : {_joined(_marked(edge))}")
    for name, events in staying(chart, lang).items():
        if events:
            lines.append(f"  {name} --> {name} : {_joined(events)}")
    lines += [f"  {state.name} --> [*]" for state in chart.states.values() if state.final]
    for kind, look in _LOOKS.items():
        members = [state.name for state in chart.states.values() if _kind(state) == kind]
        if members:
            lines += [f"  classDef {kind} {look}", f"  class {','.join(members)} {kind}"]
    return "\n".join(lines) + "\n"


_LOOKS = {"closed": "fill:#e7f6ec,stroke:#15803d", "final": "fill:#e2e8f0,stroke:#334155"}


def _kind(state: State) -> str:
    return "final" if state.final else "closed" if state.closed else "live"


def _marked(edge: OutlineEdge) -> list[str]:
    return [text + (" ?" if depends else "") for text, depends in edge.events]


def _joined(texts: Iterable[str]) -> str:
    return " / ".join(_escaped(text) for text in texts)


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """Mermaid reads `#code;` as a character; whatever could end or begin something is written so."""
    return "".join(char if char not in _SPECIAL else f"#{ord(char)};" for char in " ".join(text.split()))


_SPECIAL = set('"#;:<>{}[]%&`\\|')
