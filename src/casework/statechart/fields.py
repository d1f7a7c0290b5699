"""Typed data that an event or a fact carries, as the chart declares it.

Free text is possible only as type `text`: it never enters an audit entry, only its commitment does
(audit.md §5).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from casework.statechart.wording import Words

TYPES = {"date", "fen", "int", "code", "ref", "bool", "text", "staff", "hash"}
MAX_INT = 2**53 - 1
MAX_TEXT = 2_000
# No date of a loan lies beyond these; the day after 9999-12-31, which a guard may ask for, does not exist at all.
# Before 1980 there are no consumer loans, but days that stand for an unknown one (1899-12-30, 1900-01-01, 1970-01-01).
EARLIEST, LATEST = date(1980, 1, 1), date(2199, 12, 31)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REF = re.compile(r"[A-Za-z][A-Za-z0-9._:/-]{0,127}")
_STAFF = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field: type, labels, whether it may be left out, the codes it may hold, its rules."""

    name: str
    type: str
    zh: str
    en: str
    optional: bool
    one_of: tuple[str, ...]
    not_before_today: bool
    not_after_today: bool
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataFault:
    """What is wrong with one field; `code` is missing, unknown, malformed or out_of_range."""

    field: str
    code: str
    zh: str
    en: str
    rules: tuple[str, ...] = ()


def take(
    fields: Mapping[str, Field], given: Mapping[str, Any], *, today: date, latest: date
) -> tuple[dict[str, Any], dict[str, str], list[DataFault]]:
    """Split `given` into typed values for the entry and texts to be committed; list every fault.

    `today` is the business date; `latest` the last date that can have happened (a date `not_after_today` may
    lie between them: work is done in the morning after the close that the feed reported).
    """
    faults = [
        DataFault(name[:64], "unknown", "未知字段", "this event does not take such a field")
        for name in given
        if name not in fields
    ]
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, field in fields.items():
        raw = given.get(name)
        if raw is None:
            if not field.optional:
                faults.append(DataFault(name, "missing", f"缺少{field.zh}", f"{field.en} is required", field.rules))
            continue
        try:
            value = _typed(field, raw)
            if isinstance(value, date):
                _check_day(field, value, today, latest)
                value = value.isoformat()
        except ValueError as error:
            faults.append(DataFault(name, "malformed", f"{field.zh}格式不正确", f"{field.en}: {error}", field.rules))
            continue
        if field.type == "text":
            texts[name] = value
        else:
            values[name] = value
    return values, texts, faults


def _check_day(field: Field, day: date, today: date, latest: date) -> None:
    if field.not_before_today and day < today:
        raise ValueError(f"must not be before the business date {today.isoformat()}")
    if field.not_after_today and day > latest:
        raise ValueError(f"must not be after {latest.isoformat()}")


def _typed(field: Field, raw: Any) -> Any:
    kind = field.type
    if kind in {"int", "fen"}:
        if type(raw) is not int or not 0 <= raw <= MAX_INT:
            raise ValueError("must be a whole number, zero or more" + (", in fen" if kind == "fen" else ""))
        return raw
    if kind == "bool":
        if type(raw) is not bool:
            raise ValueError("must be true or false")
        return raw
    if type(raw) is not str:
        raise ValueError("must be a text")
    if kind == "date":
        return _date(raw)
    if kind == "text":
        return _text(raw)
    if field.one_of and raw not in field.one_of:
        raise ValueError("must be one of " + ", ".join(field.one_of))
    pattern = {"code": _CODE, "ref": _REF, "staff": _STAFF, "hash": _HASH}[kind]
    if pattern.fullmatch(raw) is None:
        shape = {"code": "a code", "ref": "a reference such as rec:2026-0001", "staff": "a staff number"}
        raise ValueError("must be " + shape.get(kind, "sha256: and 64 hex digits"))
    return raw


def _date(raw: str) -> date:
    try:
        day = date.fromisoformat(raw)
    except ValueError:
        day = None
    if day is None or day.isoformat() != raw:  # Python also reads 20260101 and 2026-W01-1
        raise ValueError("must be a date YYYY-MM-DD") from None  # Python's own text quotes what was given
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"must lie between {EARLIEST.isoformat()} and {LATEST.isoformat()}")
    return day


def _text(raw: str) -> str:
    if not raw.strip() or len(raw) > MAX_TEXT:
        raise ValueError(f"must have 1 to {MAX_TEXT} characters")
    if any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in raw):
        raise ValueError("must not hold control characters")
    raw.encode()  # a lone surrogate cannot be stored; UnicodeEncodeError is a ValueError
    return raw


def read_fields(
    where: str, table: Mapping[str, Mapping[str, Any]], words: Words, faults: list[str]
) -> dict[str, Field]:
    """Fields of a chart's `data` table; faults are appended with their place."""
    fields = {}
    for name, spec in table.items():
        place = f"{where}.data.{name}"
        kind, codes = spec["type"], tuple(spec.get("one_of", ()))
        if kind not in TYPES:
            faults.append(f"{place}.type: {kind!r} is not one of {', '.join(sorted(TYPES))}")
        if (kind == "code") != bool(codes):
            faults.append(f"{place}.one_of: a code must list what it may be, and nothing else may")
        if kind != "date" and ("not_before_today" in spec or "not_after_today" in spec):
            faults.append(f"{place}: only a date can be bound to today")
        faults += [f"{place}.one_of: {code} has no words" for code in codes if code not in words]
        fields[name] = Field(
            name, kind, spec["zh"], spec["en"], spec.get("optional", False), codes,
            spec.get("not_before_today", False), spec.get("not_after_today", False),
            tuple(spec.get("rules", ())),
        )  # fmt: skip
    return fields
