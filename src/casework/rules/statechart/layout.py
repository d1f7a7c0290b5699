"""Where all of a drawn chart stands: boxes in one column, ports at their sides, one lane per trunk line.

The right side (1) leads onward, the left side (-1) back. Text widths are estimated (one em for CJK, 0.56 for
others), generously, because no font is measured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from unicodedata import east_asian_width

from casework.rules.statechart.chart import Chart, State
from casework.rules.statechart.outline import (
    OutlineEdge,
    edges,
    label,
    staying,
)

ROW, BOX, PAD, GAP, LANE, MARGIN = 24, 304, 14, 34, 16, 28
SMALL, WAY = 11.5, 12.5  # sizes of type
SIDES = (-1, 1)
FAMILIES = (("#1d4ed8", "#0e7490", "#6d28d9"), ("#b45309", "#be123c", "#a21caf"), ("#4d7c0f", "#0f766e"))
_CLOSED, _FINAL = ("#78552b", "#15803d", "#475569"), "#334155"
_TOP = 96
_OPENERS = "(\uff08\u201c"  # never at its end
_CLOSERS = ",.;:)\uff0c\uff1b\uff1a\uff09\u3001\u3002\u201d "  # never at the start of a line
_TEXTS = {"zh": ("期限：", "状态不变：", "、"), "en": ("Deadline: ", "Stays here: ", ", ")}


@dataclass(slots=True)
class Port:
    """Where one edge leaves a box: its target and the lines of its label."""

    to: str
    lines: tuple[str, ...]
    y: float = 0.0


@dataclass(slots=True)
class Box:
    """A state: its colour, the lines below its title, its ports on both sides, its place."""

    state: State
    colour: str
    inside: list[tuple[str, str]]  # style and text of each line below the title
    right: list[Port] = field(default_factory=list)
    left: list[Port] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    height: float = 0.0

    def side(self, sign: int) -> list[Port]:
        """The ports on the left (-1) or the right (1)."""
        return self.right if sign > 0 else self.left

    def edge(self, sign: int) -> float:
        """The x of its left (-1) or right (1) edge."""
        return self.x + BOX if sign > 0 else self.x


@dataclass(slots=True)
class Layout:
    """A chart laid out: boxes by state in order, the x of each trunk by side and target, the size so far."""

    boxes: dict[str, Box]
    lanes: dict[int, dict[str, float]]
    width: float
    height: float


def lay_out(
    chart: Chart, lang: str, *, colours: Mapping[str, str] | None = None, alone: tuple[str, ...] = ()
) -> Layout:
    """Place everything; labels in `lang`.

    `colours` of states instead of their families'; `alone`: what labels begin with that have a line of their own.
    """
    boxes = _boxes(chart, lang, colours or _colours(chart), alone)
    labels = {sign: _label_width(boxes, sign) for sign in SIDES}
    order = {sign: _lane_order(boxes, sign) for sign in SIDES}
    x = MARGIN + len(order[-1]) * LANE + labels[-1] + 2 * GAP
    y = float(MARGIN + _TOP)
    for box in boxes.values():
        box.x, box.y = x, y
        _place(box)
        y += box.height + GAP
    lanes = {}
    for sign in SIDES:
        first = x + (BOX if sign > 0 else 0) + sign * (labels[sign] + 1.5 * GAP)
        lanes[sign] = {to: first + sign * number * LANE for number, to in enumerate(order[sign])}
    width = x + BOX + labels[1] + 2 * GAP + len(order[1]) * LANE + MARGIN
    return Layout(boxes, lanes, width, y)


def _boxes(chart: Chart, lang: str, colours: Mapping[str, str], alone: tuple[str, ...]) -> dict[str, Box]:
    order = _order(chart)
    place = {name: number for number, name in enumerate(order)}
    stays = staying(chart, lang)
    boxes = {}
    for name in order:
        state, (deadline, stay, comma) = chart.states[name], _TEXTS[lang]
        text = deadline + label(state, f"deadline_{lang}")
        inside = [("dim", line) for line in _wrap(text, SMALL, BOX - 2 * PAD)]
        if stays[name]:
            text = f"↻ {stay}{comma.join(stays[name])}"
            inside += [("stay", line) for line in _wrap(text, SMALL, BOX - 2 * PAD)]
        boxes[name] = Box(state, colours[name], inside)
    for edge in edges(chart, lang):
        box = boxes[edge.source]
        (box.right if place[edge.to] > place[edge.source] else box.left).append(Port(edge.to, _lines(edge, alone)))
    for box in boxes.values():  # nearest target first, so that the nearest trunk is left first
        box.right.sort(key=lambda port: place[port.to])
        box.left.sort(key=lambda port: -place[port.to])
    return boxes


def _order(chart: Chart) -> list[str]:
    """The chart's own order, the initial state first and the final ones last."""
    rank = {name: (not state.initial) + state.final for name, state in chart.states.items()}
    return sorted(chart.states, key=lambda name: rank[name])


def _colours(chart: Chart) -> dict[str, str]:
    """States that share their smallest group share a family of colours; closed and final ones have theirs."""
    families: list[frozenset[str]] = []
    used: dict[frozenset[str] | str, int] = {}
    out = {}
    for name, state in chart.states.items():
        if state.final:
            out[name] = _FINAL
            continue
        groups = sorted((group for group in chart.groups.values() if name in group), key=len)
        key: frozenset[str] | str = "closed" if state.closed else groups[0] if groups else frozenset(chart.states)
        if isinstance(key, frozenset) and key not in families:
            families.append(key)
        palette = _CLOSED if isinstance(key, str) else FAMILIES[families.index(key) % len(FAMILIES)]
        out[name] = palette[used.get(key, 0) % len(palette)]
        used[key] = used.get(key, 0) + 1
    return out


def _lines(edge: OutlineEdge, alone: tuple[str, ...], per_line: int = 2) -> tuple[str, ...]:
    every = [text + (" ◇" if depends else "") for text, depends in edge.events]
    texts = [text for text in every if not text.startswith(alone)] if alone else every
    lines = [" · ".join(texts[at : at + per_line]) for at in range(0, len(texts), per_line)]
    return (*lines, *(text for text in every if text not in texts))


def _place(box: Box) -> None:
    """Give each port its height; arrivals have the top line of a side, departures stand below it."""
    inner = 50 + 17 * len(box.inside)
    sides = [ROW + sum(_port_height(port) for port in side) + 6 for side in (box.left, box.right)]
    box.height = max(inner, *sides)
    for side in (box.left, box.right):
        y = box.y + ROW + 4
        for port in side:
            port.y = y + _port_height(port) - 8
            y += _port_height(port)


def _port_height(port: Port) -> float:
    return 9.0 + 15 * len(port.lines)


def _lane_order(boxes: dict[str, Box], sign: int) -> list[str]:
    """The states that have a trunk on this side, from the innermost lane outwards: short trunks inside."""
    place = {name: number for number, name in enumerate(boxes)}
    spans: dict[str, int] = {}
    for name, box in boxes.items():
        for port in box.side(sign):
            spans[port.to] = max(spans.get(port.to, 0), abs(place[port.to] - place[name]))
    return sorted(spans, key=lambda to: (spans[to], place[to]))


def _label_width(boxes: dict[str, Box], sign: int) -> float:
    lines = [line for box in boxes.values() for port in box.side(sign) for line in port.lines]
    return max((text_width(line, WAY) for line in lines), default=0.0)


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────


def text_width(text: str, size: float) -> float:
    """An estimate, rather too wide than too narrow."""
    return size * sum(1.0 if east_asian_width(char) in "WF" else 0.56 for char in text)


def _wrap(text: str, size: float, width: float) -> list[str]:
    """Lines of at most `width`: broken after a space or punctuation, in CJK anywhere."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and text_width(line + piece.rstrip(), size) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> Iterable[str]:
    """What stays together: a word with its space, a CJK character with the punctuation that follows it."""
    piece = ""
    for number, char in enumerate(text):
        piece += char
        following = text[number + 1 : number + 2]
        wide = east_asian_width(char) in "WF" or (following and east_asian_width(following) in "WF")
        if (char == " " or wide) and char not in _OPENERS and following not in tuple(_CLOSERS):
            yield piece
            piece = ""
    yield piece
