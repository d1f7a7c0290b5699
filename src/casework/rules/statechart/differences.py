"""What differs between two charts, part by part: states, events, arcs, guards, facts, openings, posts, rules. Pure.

Both are laid flat, a name of a part → its properties as texts; what a version's `[moves]` call by another name is shown
as renamed, not as gone and added with everything that names it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
import tomli

from casework.rules.statechart.chart import Chart, EffectUse, Fires, GuardUse, Tell
from casework.rules.statechart.fields import Field

How = Literal["added", "gone", "changed", "renamed"]
Flat = dict[tuple[str, str], dict[str, str]]
"""Part and name → property → text."""

PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "chart": ("状态图", "chart"), "state": ("状态", "state"), "group": ("状态组", "group"), "event": ("事件", "event"),
    "arc": ("路径", "arc"), "opening": ("入口", "opening"), "fact": ("事实", "fact"), "guard": ("条件说明", "guard"),
    "approval": ("审批事项", "approval"), "post": ("岗位", "post"), "word": ("用语", "word"), "law": ("约束", "law"),
    "move": ("迁移去向", "move"),
}  # fmt: skip
PROPERTIES: Final[Mapping[str, tuple[str, str]]] = {
    "zh": ("中文名", "label (zh)"), "en": ("英文名", "label (en)"), "posts": ("岗位", "posts"),
    "rules": ("条款", "rules"), "guards": ("条件", "guards"), "effects": ("后果", "effects"),
    "to": ("去向", "leads to"), "name": ("名称", "name"), "deadline_zh": ("期限（中文）", "deadline (zh)"),
    "deadline_en": ("期限（英文）", "deadline (en)"), "due": ("到期", "due"), "states": ("状态", "states"),
    "four_eyes": ("双人审批", "four eyes"), "tells": ("告知", "tells"), "fires": ("随之", "then"),
    "flags": ("提示", "flags"),
    "because": ("理由", "because"), "initial": ("起点", "initial"), "closed": ("已了结", "closed"),
    "final": ("终态", "final"),
}  # fmt: skip
_HOW: Final[Mapping[str, tuple[str, str]]] = {
    "added": ("新增", "added"), "gone": ("删除", "gone"), "changed": ("变更", "changed"),
    "renamed": ("改名", "renamed"),
}  # fmt: skip


class Property(msgspec.Struct, frozen=True):
    """One property of a part: what it was and what it is; none where the part did not have it."""

    property: str
    was: str | None
    now: str | None


class Change(msgspec.Struct, frozen=True):
    """One part that differs, in words; `properties` of what changed, or all of what was added or is gone."""

    part: str
    name: str
    how: How
    zh: str
    en: str
    properties: list[Property]


class Differences(msgspec.Struct, frozen=True):
    """Two charts by title and digest, and what differs, in the order of the format."""

    before: str
    before_digest: str
    after: str
    after_digest: str
    changes: list[Change]


def differences(before: Chart, after: Chart) -> Differences:
    """Everything that differs between them."""
    renamed = renamings(before, after)
    was, now = flat(before, renamed), flat(after)
    changes = [
        _change("state", new, "renamed", [Property("name", old, new)]) for old, new in renamed.items()
    ]  # fmt: skip
    for key in [*was, *(key for key in now if key not in was)]:
        old, new = was.get(key, {}), now.get(key, {})
        how: How = "added" if key not in was else "gone" if key not in now else "changed"
        properties = [
            Property(name, old.get(name), new.get(name))
            for name in [*old, *(name for name in new if name not in old)] if old.get(name) != new.get(name)
        ]  # fmt: skip
        if properties or how != "changed":
            changes.append(_change(*key, how, properties))
    order = {part: place for place, part in enumerate(PARTS)}
    changes.sort(key=lambda one: order[one.part])
    return Differences(before.title, before.digest, after.title, after.digest, changes)


def renamings(before: Chart, after: Chart) -> dict[str, str]:
    """States that `[moves]` call by another name: there is no such state any more, and there was none of the new name.

    What flows together from several states is no renaming.
    """
    if (before.name, before.version + 1) != (after.name, after.version):
        return {}
    moved = {
        old: new for old, new in after.moves.items()
        if old in before.states and old not in after.states and new not in before.states
    }  # fmt: skip
    into = list(after.moves.values())
    return {old: new for old, new in moved.items() if into.count(new) == 1}


def flat(chart: Chart, renamed: Mapping[str, str] | None = None) -> Flat:
    """A chart as properties of named parts, its states by the names that they have since."""
    return dict(_Flat(chart, renamed or {}).parts())


class _Flat:
    def __init__(self, chart: Chart, renamed: Mapping[str, str]) -> None:
        self._chart = chart
        self._renamed = renamed
        self._document: dict[str, Any] = tomli.loads(chart.text.decode())

    def parts(self) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
        chart = self._chart
        yield ("chart", chart.name), {"zh": chart.zh, "en": chart.en}
        yield from self._states()
        for event in chart.events.values():
            own = _filled(
                four_eyes=event.four_eyes or "", after_closing=_yes(event.after_closing), flags=self._uses(event.flags)
            )
            yield ("event", event.name), {**self._part(event), **own}
            for arc in event.arcs.values():
                to = " / ".join(
                    f"{self._state(branch.to)}{f' ({self._uses(branch.when)})' if branch.when else ''}"
                    for branch in arc.branches
                )
                way = _filled(to=to, guards=self._uses(arc.guards), effects=self._effects(arc.effects))
                yield ("arc", f"{event.name}: {self._state(arc.source)}"), way
        for part, named in (("opening", chart.openings), ("fact", chart.facts)):
            for one in named.values():
                yield (part, one.name), {**self._part(one), **_filled(guards=self._uses(one.guards))}
        for topic in chart.approvals.values():
            yield ("approval", topic.name), {
                "zh": topic.zh, "en": topic.en, "proposed_by": _list(topic.proposed_by),
                "reviewed_by": _list(topic.reviewed_by), "approved_by": _list(topic.approved_by),
                "at_least": str(topic.at_least),
            }  # fmt: skip
        yield from self._rest()

    def _states(self) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
        for state in self._chart.states.values():
            due = ", ".join(f"{one.since} + {one.days}" for one in state.dues)
            yield ("state", self._state(state.name)), {
                "zh": state.zh, "en": state.en, "deadline_zh": state.deadline_zh, "deadline_en": state.deadline_en,
                **_filled(initial=_yes(state.initial), closed=_yes(state.closed), final=_yes(state.final), due=due),
                **{f"ended_as.{code}": _labels(words) for code, words in state.ways.items()},
            }  # fmt: skip
        for name, states in self._chart.groups.items():
            yield ("group", name), {"states": _list(map(self._state, states))}

    def _rest(self) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
        """What the frozen chart does not keep apart: from its document, as it is written."""
        for part, key in (("guard", "guards"), ("post", "posts"), ("word", "words")):
            for name, table in self._document.get(key, {}).items():
                yield (part, name), {key: _plain(value) for key, value in table.items()}
        for law in self._document.get("laws", []):
            state, asks = self._state(law["state"]), law.get("guard") or f"four eyes on {law.get('four_eyes')}"
            said = _filled(because=law["because"], **{"except": _list(law.get("except", []))})
            yield ("law", f"{state}: {asks}"), said
        for old, new in self._chart.moves.items():
            yield ("move", old), {"to": new}

    def _part(self, part: Any) -> dict[str, str]:
        """What events, facts and openings share."""
        fields: Mapping[str, Field] = part.fields
        only_own = getattr(part, "only_own", {})
        return {
            "zh": part.zh, "en": part.en, "posts": _list(part.posts), "rules": _plain(list(part.rules)),
            **_filled(tells="; ".join(map(_tell, getattr(part, "tells", ()))), fires=_fires(part)),
            **{f"data.{name}": _field(field) for name, field in fields.items()},
            **{f"only_own.{post}": _plain(list(rules)) for post, rules in only_own.items()},
        }  # fmt: skip

    def _state(self, name: str) -> str:
        return self._renamed.get(name, name)

    def _uses(self, uses: Iterable[GuardUse]) -> str:
        return "; ".join(f"{self._called(use.guard.name, use.params)} [{', '.join(use.rules)}]" for use in uses)

    def _effects(self, uses: Iterable[EffectUse]) -> str:
        return "; ".join(self._called(use.effect.name, use.params) for use in uses)

    def _called(self, name: str, params: Mapping[str, Any]) -> str:
        given = ", ".join(f"{key}={self._renamed.get(str(raw), _plain(raw))}" for key, raw in params.items())
        return f"{name}({given})" if given else name


def _change(part: str, name: str, how: How, properties: list[Property]) -> Change:
    zh, en = PARTS[part]
    how_zh, how_en = _HOW[how]
    if how in {"added", "gone"}:
        has = {one.property: one.now or one.was or "" for one in properties}
        said_zh, said_en = _names(has, "zh"), _names(has, "en")
        return Change(part, name, how, f"{how_zh}{zh} {name}{said_zh}", f"{en} {name} {how_en}{said_en}", properties)
    was_zh, was_en = (
        "；".join(_said(one, "zh") for one in properties),
        "; ".join(_said(one, "en") for one in properties),
    )
    return Change(part, name, how, f"{zh} {name} {how_zh}：{was_zh}", f"{en} {name} {how_en}: {was_en}", properties)


def _names(has: Mapping[str, str], lang: str) -> str:
    """Its label; of what has none, where it leads, or why it is."""
    if lang in has:
        return f"“{has[lang]}”" if lang == "zh" else f": “{has[lang]}”"
    said = next((has[name] for name in ("to", "because", "states") if name in has), "")
    between = "：" if lang == "zh" else ": "
    return f"{between}{said}" if said else ""


def _said(one: Property, lang: str) -> str:
    zh, en = PROPERTIES.get(one.property, (one.property, one.property))
    was, now = one.was or "–", one.now or "–"
    return f"{zh} “{was}” → “{now}”" if lang == "zh" else f"{en} “{was}” → “{now}”"


def _filled(**properties: str) -> dict[str, str]:
    return {name: text for name, text in properties.items() if text}


def _yes(flag: bool) -> str:
    return "yes" if flag else ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _labels(words: Mapping[str, str]) -> str:
    return f"{words['zh']} / {words['en']}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(each)}" for key, each in value.items())
    return str(value)


def _tell(tell: Tell) -> str:
    data = ", ".join(f"{name}={_plain(raw)}" for name, raw in tell.data.items())
    return f"{tell.fact}({data}){f' on {tell.on}' if tell.on else ''}"


def _fires(part: Any) -> str:
    fires: Fires | None = getattr(part, "fires", None)
    return f"{fires.event}({', '.join(fires.data)})" if fires else ""


def _field(field: Field) -> str:
    bounds = [
        name for name in ("optional", "not_before_today", "not_after_today", "above_zero") if getattr(field, name)
    ]
    bounds += [] if field.within_days is None else [f"within {field.within_days} days"]
    bounds += [] if field.hint is None else [f"hint: {_labels(field.hint)}"]
    bounds += [] if field.words_of is None else [f"words of {field.words_of}"]
    codes = ", ".join(f"{code} ({_labels(words)})" for code, words in field.one_of.items())
    parts = [field.type, f"{field.zh} / {field.en}", *bounds, codes, ", ".join(field.rules)]
    return "; ".join(part for part in parts if part)
