"""Typed data that an event or a fact carries, as the chart declares it.

Free text is possible only as type `text`: it never enters an audit entry, only its commitment does
(docs/log.md §5).
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from casework import ids
from casework.instants import read_instant_text
from casework.rules.statechart.policy import Policy
from casework.rules.statechart.wording import Words

TYPES = {"date", "instant", "fen", "int", "code", "ref", "key", "bool", "text", "staff", "hash"}
MAX_INT = 2**53 - 1
MAX_TEXT = 2_000
MAX_INSTANT = 40
# No date of a loan lies beyond these; the day after 9999-12-31, which a guard may ask for, does not exist at all.
# Before 1980 there are no consumer loans, but days that stand for an unknown one (1899-12-30, 1900-01-01, 1970-01-01).
EARLIEST, LATEST = date(1980, 1, 1), date(2199, 12, 31)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REF = re.compile(r"[A-Za-z][A-Za-z0-9._:/-]{0,127}")
_STAFF = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_SHAPES = {
    "code": ("须为代码", "must be a code"),
    "ref": ("须为引用编号，如 rec:2026-0001", "must be a reference such as rec:2026-0001"),
    "staff": ("须为工号", "must be a staff number"),
    "hash": ("须为 sha256: 加64位十六进制数", "must be sha256: and 64 hex digits"),
}


class Field(msgspec.Struct, frozen=True):
    """One declared field: type, labels, whether it may be left out, the codes it may hold, its rules."""

    name: str
    type: str
    zh: str
    en: str
    optional: bool
    one_of: Words  # code → language → text; a field may have words of its own for a code
    not_before_today: bool
    not_after_today: bool
    rules: tuple[str, ...]
    within_days: str | int | None = None  # a date at most so many days ahead; `@figure` of the policy, or a number
    above_zero: bool = False
    words_of: str | None = None  # the table of the rulebook that says what its codes mean; it bounds nothing
    known: Words = msgspec.field(default_factory=dict)  # of that table: what it may be in words
    offered: tuple[str, ...] = ()  # and which of them a form offers
    hint: Mapping[str, str] | None = None  # language → what a form says beside it, and a list or a report does not

    def word(self, value: Any, lang: str) -> str | None:
        """What a code means, if the field or its table knows."""
        words = self.one_of.get(str(value)) or self.known.get(str(value))
        return words[lang] if words is not None else None

    @property
    def choices(self) -> Words:
        """What a form offers: all it may be, or what its table offers."""
        return self.one_of or {code: self.known[code] for code in self.offered}

    def days_ahead(self, policy: Policy | None) -> int | None:
        """`within_days` under this policy."""
        if isinstance(self.within_days, str):
            if policy is None:
                raise ValueError(f"{self.name} is bound by a figure, and no policy was given")
            days: int = policy.figure(self.within_days[1:])
            return days
        return self.within_days


class _Unfit(ValueError):
    """A value that a field does not take; says why in both languages, never what was given."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class DataFault(msgspec.Struct, frozen=True):
    """What is wrong with one field; `code` is missing, unknown, malformed or out_of_range."""

    field: str
    code: str
    zh: str
    en: str
    rules: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """What it may be, where that is a list."""


def _unknown(name: str, fields: Mapping[str, Field]) -> DataFault:
    told = "没有此字段；此处没有任何字段", "there is no such field; none is taken here"
    if fields:
        told = f"没有此字段，可有：{'、'.join(fields)}", f"there is no such field; known are: {', '.join(fields)}"
    return DataFault(name, "unknown", *told, allowed=tuple(fields))


def take(
    fields: Mapping[str, Field],
    given: Mapping[str, Any],
    *,
    today: date,
    latest: date,
    policy: Policy | None = None,
    zone: tzinfo | None = None,
) -> tuple[dict[str, Any], dict[str, str], list[DataFault]]:
    """Split `given` into typed values for the entry and texts to be committed; list every fault.

    `today` is the business date; `latest` the last date that can have happened (a date `not_after_today` may
    lie between them: work is done in the morning after the close that the feed reported), from which `within_days`
    counts too. `policy` holds the figures that fields are bound by. An instant is kept with the offset of `zone`, the
    branch's; none: as it was given.
    """
    faults = [_unknown(name[:64], fields) for name in given if name not in fields]
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, field in fields.items():
        raw = given.get(name)
        if raw is None:
            if not field.optional:
                faults.append(DataFault(name, "missing", f"缺少{field.zh}", f"{field.en}: is required", field.rules))
            continue
        try:
            value = _typed(field, raw)
            if field.above_zero and value == 0:
                zh, en = f"{field.zh}须大于零", f"{field.en} must be more than zero"
                faults.append(DataFault(name, "out_of_range", zh, en, field.rules))
                continue
            if isinstance(value, datetime):
                value = value.astimezone(zone or value.tzinfo)
                _check_day(field, value.date(), today, latest, field.days_ahead(policy))
                value = value.isoformat()
            elif isinstance(value, date):
                _check_day(field, value, today, latest, field.days_ahead(policy))
                value = value.isoformat()
        except _Unfit as why:
            faults.append(DataFault(name, "malformed", f"{field.zh}{why.zh}", f"{field.en}: {why.en}", field.rules))
            continue
        if field.type == "text":
            texts[name] = value
        else:
            values[name] = value
    return values, texts, faults


def _check_day(field: Field, day: date, today: date, latest: date, days_ahead: int | None) -> None:
    if field.not_before_today and day < today:
        raise _Unfit(f"早于业务日期{today.isoformat()}", f"must not be before the business date {today.isoformat()}")
    if days_ahead is not None and day > latest + timedelta(days=days_ahead):
        last = (latest + timedelta(days=days_ahead)).isoformat()
        raise _Unfit(f"晚于{last}，最迟为{days_ahead}天后", f"must not be after {last}, {days_ahead} days ahead")
    if field.not_after_today and day > latest:
        raise _Unfit(f"晚于{latest.isoformat()}", f"must not be after {latest.isoformat()}")


def _typed(field: Field, raw: Any) -> Any:
    kind = field.type
    if kind in {"int", "fen"}:
        if type(raw) is not int or not 0 <= raw <= MAX_INT:
            unit = ("（单位：分）", ", in fen") if kind == "fen" else ("", "")
            raise _Unfit(f"须为不小于零的整数{unit[0]}", f"must be a whole number, zero or more{unit[1]}")
        return raw
    if kind == "bool":
        if type(raw) is not bool:
            raise _Unfit("须为 true 或 false", "must be true or false")
        return raw
    if type(raw) is not str:
        raise _Unfit("须为文字", "must be a text")
    if kind == "date":
        return _date(raw)
    if kind == "instant":
        return _instant(raw)
    if kind == "key":
        return _key(raw)
    if kind == "text":
        return _text(raw)
    if field.one_of and raw not in field.one_of:
        known = "、".join(f"{words['zh']}（{code}）" for code, words in field.one_of.items())
        raise _Unfit(f"须为以下之一：{known}", "must be one of " + ", ".join(field.one_of))
    pattern = {"code": _CODE, "ref": _REF, "staff": _STAFF, "hash": _HASH}[kind]
    if pattern.fullmatch(raw) is None:
        raise _Unfit(*_SHAPES[kind])
    return raw


def _date(raw: str) -> date:
    try:
        day = date.fromisoformat(raw)
    except ValueError:
        day = None
    if day is None or day.isoformat() != raw:  # Python also reads 20260101 and 2026-W01-1
        raise _Unfit("须为 YYYY-MM-DD 形式的日期", "must be a date YYYY-MM-DD") from None  # Python's own quotes it
    if not EARLIEST <= day <= LATEST:
        first, last = EARLIEST.isoformat(), LATEST.isoformat()
        raise _Unfit(f"须在{first}与{last}之间", f"must lie between {first} and {last}")
    return day


def _instant(raw: str) -> datetime:
    try:
        instant = read_instant_text(raw, None) if len(raw) <= MAX_INSTANT else None
    except ValueError:
        instant = None
    if instant is None:
        raise _Unfit(
            "须为带时区的时间，如2026-11-29T00:00:00+08:00", "must be a time with its offset, 2026-11-29T00:00:00+08:00"
        )
    _date(instant.date().isoformat())
    return instant


def _key(raw: str) -> str:
    fault = ids.fault_of(raw)
    if fault is not None:
        raise _Unfit(*ids.TEXTS[fault])
    return raw


def _text(raw: str) -> str:
    if not raw.strip() or len(raw) > MAX_TEXT:
        raise _Unfit(f"须为1至{MAX_TEXT}个字符", f"must have 1 to {MAX_TEXT} characters")
    if any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in raw):
        raise _Unfit("含有控制字符", "must not hold control characters")
    if any("\ud800" <= char <= "\udfff" for char in raw):  # a lone surrogate cannot be stored
        raise _Unfit("含有无法保存的字符", "must not hold halves of characters")
    return raw


def read_fields(
    where: str, table: Mapping[str, Mapping[str, Any]], words: Words, faults: list[str]
) -> dict[str, Field]:
    """Fields of a chart's `data` table; faults are appended with their place."""
    fields = {}
    for name, spec in table.items():
        place = f"{where}.data.{name}"
        kind, codes, own = spec["type"], tuple(spec.get("one_of", ())), spec.get("words", {})
        if kind not in TYPES:
            faults.append(f"{place}.type: {kind!r} is not one of {', '.join(sorted(TYPES))}")
        if (kind == "code") != bool(codes):
            faults.append(f"{place}.one_of: a code must list what it may be, and nothing else may")
        if kind not in {"date", "instant"} and spec.keys() & {"not_before_today", "not_after_today", "within_days"}:
            faults.append(f"{place}: only a date can be bound to today")
        if kind not in {"int", "fen"} and "above_zero" in spec:
            faults.append(f"{place}: only a number can be above zero")
        if kind != "ref" and "words_of" in spec:
            faults.append(f"{place}.words_of: only a reference takes its words from a table")
        faults += [f"{place}.words: {code} is not one of its codes" for code in own if code not in codes]
        told = {code: own.get(code) or words.get(code) for code in codes}
        faults += [f"{place}.one_of: {code} has no words" for code, labels in told.items() if labels is None]
        fields[name] = Field(
            name, kind, spec["zh"], spec["en"], spec.get("optional", False),
            {code: labels for code, labels in told.items() if labels is not None},
            spec.get("not_before_today", False), spec.get("not_after_today", False),
            tuple(spec.get("rules", ())), spec.get("within_days"), spec.get("above_zero", False),
            spec.get("words_of"), hint=spec.get("hint"),
        )  # fmt: skip
    return fields
