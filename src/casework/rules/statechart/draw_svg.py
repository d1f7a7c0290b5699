"""A chart as SVG, by an own layout: states in one column, ways onward on the right, ways back on the left.

Every state has at most one trunk line on each side, in its own colour; what leads there joins the trunk. So
no line ever crosses a box, each label stands beside the state it leaves, and lines cross at right angles.
Deterministic: the same chart and language give the same bytes.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from html import escape

from casework.rules.statechart.chart import Chart
from casework.rules.statechart.layout import (
    BOX,
    FAMILIES,
    MARGIN,
    PAD,
    ROW,
    SIDES,
    WAY,
    Box,
    Layout,
    Port,
    lay_out,
    text_width,
)
from casework.rules.statechart.outline import label, openings

_FONT = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei','WenQuanYi Micro Hei',sans-serif"
_INK, _PALE, _LINE = "#0f172a", "#64748b", "#e2e8f0"
_STYLE = f"""<style>
.line{{fill:none;stroke-width:1.6}}
.name{{font-size:17px;font-weight:700}}
.code{{font-size:11px;fill:{_PALE};font-family:ui-monospace,Menlo,Consolas,monospace}}
.dim{{font-size:11.5px;fill:#475569}}
.stay{{font-size:11.5px;fill:{_INK}}}
.way{{font-size:{WAY}px}}
.key{{fill:none;stroke:#334155;stroke-width:1.4}}
</style>"""
_LEGEND = {
    "zh": (
        "起点（入催事由）", "已了结，可由特定事件恢复", "终态", "线的颜色与去向状态相同：右侧向前，左侧返回",
        "去向取决于事实",
    ),
    "en": (
        "start, with the grounds of opening", "closed, but certain events may reopen it", "the end",
        "a line has the colour of the state it leads to: onward on the right, back on the left",
        "the facts decide where it leads",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Marks:
    """For a drawing of what differs: what stands below its title, colours of states, inks of labels by first letter."""

    edition: str
    colours: Mapping[str, str]
    inks: Mapping[str, str]


def svg(chart: Chart, lang: str = "zh", marks: Marks | None = None, *, at: str = "", been: Collection[str] = ()) -> str:
    """The chart as one SVG document, labels in `lang` (zh or en).

    With `at` it is that of something that stands there, and has been in the states `been`: both are marked.
    """
    layout = lay_out(chart, lang, colours=marks.colours if marks else None, alone=tuple(marks.inks) if marks else ())
    width = max(layout.width, MARGIN * 2 + 40 + max(text_width(text, WAY) for text in _LEGEND[lang]))
    height = layout.height + 22 * len(_LEGEND[lang]) + MARGIN
    edition = escape(marks.edition if marks else f"{chart.title} · sha256 {chart.digest[:16]}…")
    title, inks = escape(label(chart, lang)), marks.inks if marks else {}
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" xml:lang="{lang}" font-family="{_FONT}">',
        f"<title>{title} · {edition}</title>",
        _STYLE,
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 14}" font-size="22" font-weight="700" fill="{_INK}">{title}</text>',
        f'<text x="{MARGIN}" y="{MARGIN + 34}" font-size="12" fill="{_PALE}">{edition}</text>',
        *_trunks(layout, inks),
        *_start(layout.boxes[chart.initial], " · ".join(openings(chart, lang))),
    ]
    for box in layout.boxes.values():
        parts += _box(box, lang)
        if at:
            parts += _mark(box, lang, is_here=box.state.name == at, was_here=box.state.name in been)
    return "\n".join([*parts, *_legend(lang, layout.height), "</svg>\n"])


def _trunks(layout: Layout, inks: Mapping[str, str]) -> Iterator[str]:
    for sign in SIDES:
        for to, lane in layout.lanes[sign].items():
            target = layout.boxes[to]
            ports = [(box, port) for box in layout.boxes.values() for port in box.side(sign) if port.to == to]
            yield from _trunk(target, ports, sign, lane)
            for box, port in ports:
                yield from _way_labels(box, port, sign, target.colour, inks)


def _trunk(target: Box, ports: list[tuple[Box, Port]], sign: int, lane: float) -> Iterator[str]:
    """The farthest way turns into the trunk, the others join it with a dot, and it ends in an arrow."""
    x, end = target.edge(sign), target.y + ROW / 2 + 2
    far_box, far = max(ports, key=lambda one: abs(one[1].y - end))
    down = 8 if far.y < end else -8
    inward = -8 * sign
    turn_in = f"M{far_box.edge(sign):g} {far.y:g}H{lane + inward:g}Q{lane:g} {far.y:g} {lane:g} {far.y + down:g}"
    turn_out = f"V{end - down:g}Q{lane:g} {end:g} {lane + inward:g} {end:g}H{x + sign * 9:g}"
    yield f'<path d="{turn_in}{turn_out}" class="line" stroke="{target.colour}"/>'
    yield f'<path d="M{x:g} {end:g}l{sign * 10} -5v10z" fill="{target.colour}"/>'
    for box, port in ports:
        if port is not far:
            way = f'<path d="M{box.edge(sign):g} {port.y:g}H{lane:g}" class="line"'
            yield f'{way} stroke="{target.colour}"/>'
            yield f'<circle cx="{lane:g}" cy="{port.y:g}" r="3" fill="{target.colour}"/>'


def _way_labels(box: Box, port: Port, sign: int, colour: str, inks: Mapping[str, str]) -> Iterator[str]:
    anchor = "start" if sign > 0 else "end"
    for number, line in enumerate(reversed(port.lines)):
        place = f'x="{box.edge(sign) + sign * 10:g}" y="{port.y - 5 - 15 * number:g}"'
        ink = inks.get(line[:1], colour)
        yield f'<text {place} class="way" text-anchor="{anchor}" fill="{ink}">{escape(line)}</text>'


def _start(box: Box, grounds: str) -> Iterator[str]:
    x, y = box.x + BOX / 2, box.y - 40
    yield f'<circle cx="{x:g}" cy="{y:g}" r="6.5" fill="{_INK}"/>'
    yield f'<path d="M{x:g} {y:g}V{box.y - 9:g}" class="line" stroke="{_INK}"/>'
    yield f'<path d="M{x:g} {box.y:g}l-5 -10h10z" fill="{_INK}"/>'
    yield f'<text x="{x + 16:g}" y="{y + 4:g}" class="way" fill="{_INK}">{escape(grounds)}</text>'


def _box(box: Box, lang: str) -> Iterator[str]:
    dash = ' stroke-dasharray="7 4"' if box.state.closed and not box.state.final else ""
    size = f'width="{BOX}" height="{box.height:g}" rx="12"'
    yield f'<rect x="{box.x:g}" y="{box.y:g}" {size} fill="#fff"/>'
    look = f'fill="{box.colour}" fill-opacity=".07" stroke="{box.colour}" stroke-width="1.8"'
    yield f'<rect x="{box.x:g}" y="{box.y:g}" {size} {look}{dash}/>'
    if box.state.final:
        inner = f'x="{box.x + 4:g}" y="{box.y + 4:g}" width="{BOX - 8}" height="{box.height - 8:g}" rx="9"'
        yield f'<rect {inner} fill="none" stroke="{box.colour}"/>'
    x, y, right = box.x + PAD, box.y + 26, box.x + BOX - PAD
    name, code = escape(label(box.state, lang)), escape(box.state.name)
    yield f'<text x="{x:g}" y="{y:g}" class="name" fill="{box.colour}">{name}</text>'
    yield f'<text x="{right:g}" y="{y:g}" class="code" text-anchor="end">{code}</text>'
    for number, (style, line) in enumerate(box.inside):
        yield f'<text x="{x:g}" y="{y + 21 + 17 * number:g}" class="{style}">{escape(line)}</text>'


def _mark(box: Box, lang: str, *, is_here: bool, was_here: bool) -> Iterator[str]:
    if not is_here and not was_here:  # pale, so that the way stands out
        yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{BOX}" height="{box.height:g}" rx="12" {_FADED}/>'
    if is_here:
        size = f'width="{BOX + 10}" height="{box.height + 10:g}" rx="16"'
        yield f'<rect x="{box.x - 5:g}" y="{box.y - 5:g}" {size} fill="none" stroke="{_INK}" stroke-width="3"/>'
    if is_here or was_here:
        text = _MARKS[lang][is_here]
        x, y, width = box.x + PAD, box.y - 9, text_width(text, WAY) + 16
        yield f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="19" rx="9" fill="{_INK if is_here else _PALE}"/>'
        yield f'<text x="{x + 8:g}" y="{y + 13.5:g}" class="way" fill="#fff">{text}</text>'


_FADED = 'fill="#fff" fill-opacity=".55"'
_MARKS = {"zh": ("曾经", "现在"), "en": ("has been here", "is here")}


def _legend(lang: str, y: float) -> Iterator[str]:
    x = MARGIN
    yield f'<path d="M{x} {y - 8:g}H{x + 420}" stroke="{_LINE}"/>'
    for number, (key, text) in enumerate(zip(_KEYS, _LEGEND[lang], strict=True)):
        at = y + 14 + 22 * number
        yield f'<g transform="translate({x} {at:g})">{key}</g>'
        yield f'<text x="{x + 40}" y="{at + 4:g}" class="dim">{escape(text)}</text>'


_KEYS = (
    f'<circle cx="14" r="6" fill="{_INK}"/>',
    '<rect y="-7" width="28" height="14" rx="4" class="key" stroke-dasharray="5 3"/>',
    '<path d="M0 -7h28v14h-28zM3 -4h22v8h-22z" class="key"/>',
    f'<path d="M0 0H28" class="line" stroke="{FAMILIES[0][0]}"/>',
    '<text x="8" y="4" class="way">◇</text>',
)
