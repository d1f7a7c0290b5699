"""The shape of a TOML document: which keys, which types. Checked first, so that readers may trust it. Files of rules.

A shape is a function of a place and a value that yields every fault as `place: reason`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli

from casework.errors import RulesBroken

Shape = Callable[[str, Any], Iterator[str]]
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,15}")  # as audit entries cite it


def label(where: str, value: Any) -> Iterator[str]:
    """A text for people."""
    if not isinstance(value, str) or not value.strip():
        yield f"{where}: missing label"


def text(where: str, value: Any) -> Iterator[str]:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        yield f"{where}: is not a text"


def flag(where: str, value: Any) -> Iterator[str]:
    """True or false."""
    if type(value) is not bool:
        yield f"{where}: is not true or false"


def whole(where: str, value: Any) -> Iterator[str]:
    """A whole number from 1."""
    if type(value) is not int or value < 1:
        yield f"{where}: is not a whole number from 1"


def zero_or_more(where: str, value: Any) -> Iterator[str]:
    """A whole number from 0."""
    if type(value) is not int or value < 0:
        yield f"{where}: is not a whole number from 0"


def name(where: str, value: Any) -> Iterator[str]:
    """A name: lower case, digits, underscores."""
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        yield f"{where}: is not a name"


def rule(where: str, value: Any) -> Iterator[str]:
    """The number of a rule."""
    if not isinstance(value, str) or _RULE.fullmatch(value) is None:
        yield f"{where}: {value!r} is not a rule's number"


def parameter(where: str, value: Any) -> Iterator[str]:
    """A parameter of a guard or effect; which kind is the registry's to say."""
    if type(value) not in {int, str, list}:
        yield f"{where}: is neither a whole number, a text nor a list"


def told(where: str, value: Any) -> Iterator[str]:
    """What a fact is told: a text (`.field` of the subject), a whole number, or true or false."""
    if type(value) not in {int, str, bool}:
        yield f"{where}: is neither a text, a whole number nor true or false"


def some(item: Shape, *, empty: str | None = None) -> Shape:
    """A list of `item`; if `empty` is given, an empty list is refused with it."""

    def check(where: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where}: is not a list"
            return
        if not value and empty:
            yield f"{where}: {empty}"
        for number, entry in enumerate(value):
            yield from item(f"{where}[{number}]", entry)

    return check


def either(first: Shape, second: Shape) -> Shape:
    """A text as `first` says, or anything else as `second` says."""

    def check(where: str, value: Any) -> Iterator[str]:
        yield from (first if isinstance(value, str) else second)(where, value)

    return check


def one_or_some(item: Shape) -> Shape:
    """An `item`, or a list of them."""

    def check(where: str, value: Any) -> Iterator[str]:
        yield from (some(item) if isinstance(value, list) else item)(where, value)

    return check


def each(item: Shape) -> Shape:
    """A table of named items."""

    def check(where: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where}: is not a table"
            return
        at = f"{where}." if where else ""
        for key, entry in value.items():
            yield from name(f"{at}{key}", key)
            yield from item(f"{at}{key}", entry)

    return check


def table(needs: Mapping[str, Shape], may: Mapping[str, Shape] | None = None, *, rest: Shape | None = None) -> Shape:
    """A table with the keys of `needs`, perhaps those of `may`; others are unknown, or as `rest` says."""
    known = {**needs, **(may or {})}

    def check(where: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where}: is not a table"
            return
        at = f"{where}." if where else ""
        for key in sorted(needs.keys() - value.keys()):
            yield f"{at}{key}: " + ("missing label" if needs[key] is label else "missing")
        for key, entry in value.items():
            if key in known:
                yield from known[key](f"{at}{key}", entry)
            elif rest is None:
                yield f"{at}{key}: unknown key"
            else:
                yield from rest(f"{at}{key}", entry)

    return check


LABELS: dict[str, Shape] = {"zh": label, "en": label}
RULES = some(rule, empty="names no rule")
POSTS = some(name, empty="no post may do this")
_USES = some(table({"guard": text}, {"rules": RULES}, rest=parameter))
_EFFECTS = some(table({"effect": text}, rest=parameter))
_BRANCHES = some(table({"state": text}, {"when": _USES}), empty="leads nowhere")
_SOURCES = some(text, empty="names no state")
FIELDS = each(
    table(
        {"type": text, **LABELS},
        {
            "optional": flag, "one_of": some(name, empty="lists no code"), "rules": RULES, "words": each(table(LABELS)),
            "not_before_today": flag, "not_after_today": flag, "within_days": either(text, whole), "above_zero": flag,
            "words_of": name, "hint": table(LABELS),
        },
    )
)  # fmt: skip
_ONLY_OWN = each(RULES)
_PERMITTED: dict[str, Shape] = {**LABELS, "posts": POSTS, "rules": RULES}
_ARC = table({"from": _SOURCES, "to": either(text, _BRANCHES)}, {"guards": _USES, "effects": _EFFECTS})
_FIRES = table({"event": text}, {"data": some(name)})
_TELLS = some(table({"fact": name}, {"on": text, "data": table({}, rest=told)}))

CHART = table(
    {
        "name": name, "version": whole, **LABELS,
        "posts": each(table(LABELS)),
        "states": each(
            table(
                {**LABELS, "deadline": table(LABELS)},
                {
                    "initial": flag, "closed": flag, "final": flag, "ended_as": each(table(LABELS)),
                    "due": one_or_some(table({"from": name}, {"days": either(text, zero_or_more)})),
                },
            )
        ),
        "events": each(
            table(
                {**_PERMITTED, "arcs": some(_ARC, empty="the event leads nowhere")},
                {
                    "data": FIELDS, "after_closing": flag, "four_eyes": name, "guards": _USES, "effects": _EFFECTS,
                    "only_own": _ONLY_OWN, "flags": _USES, "tells": _TELLS, "fires": _FIRES,
                },
            )
        ),
        "openings": each(table(_PERMITTED, {"data": FIELDS, "guards": _USES, "tells": _TELLS, "fires": _FIRES})),
    },
    {
        "groups": each(some(text, empty="names no state")),
        "targets": each(_BRANCHES),
        "words": each(table(LABELS)),
        "facts": each(table(_PERMITTED, {"data": FIELDS, "guards": _USES, "only_own": _ONLY_OWN})),
        "approvals": each(
            table({**LABELS, "proposed_by": POSTS, "approved_by": POSTS}, {"reviewed_by": POSTS, "at_least": whole})
        ),
        "guards": each(table({**LABELS, "rules": RULES}, {"without": each(table(LABELS))})),
        "moves": each(text),
        "laws": some(
            table({"state": text, "because": text}, {"guard": text, "four_eyes": name, "except": some(name)})
        ),
    },
)  # fmt: skip
"""What a chart document looks like; what its names mean is checked by `read`, what must hold by `laws`."""


def shape_faults(shape: Shape, document: Any) -> list[str]:
    """Every fault of shape in `document`."""
    return list(shape("", document))


# ── files of `statecharts/rules` ─────────────────────────────────────────────────────────────────────────────────────


def body_of(folder: Path, file: str) -> bytes:
    """The bytes of `file`, such as `rules/duties.toml`, below the folder of charts; `RulesBroken` where it is not."""
    try:
        return (folder / file).read_bytes()
    except OSError as error:
        raise RulesBroken([f"{file}: {error.strerror}"]) from None


def checked(file: str, body: bytes, shape: Shape, meaning: Callable[[Any], Iterable[str]]) -> dict[str, Any]:
    """The document; `RulesBroken` with every fault of its shape or, where it has none, of what it means."""
    try:
        document = tomli.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise RulesBroken([f"{file}: {error}"]) from None
    faults = shape_faults(shape, document) or list(meaning(document))
    if faults:
        raise RulesBroken([f"{file}: {fault}" for fault in faults])
    return document
