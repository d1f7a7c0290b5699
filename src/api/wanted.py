"""What a field may hold, and what came instead, in words: read from its type, so that it is never told wrongly."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec.inspect import Type

_PLAIN: Final[dict[type[Type], tuple[str, str]]] = {
    msgspec.inspect.BoolType: ("true 或 false", "true or false"),
    msgspec.inspect.DateType: ("日期，如 2026-01-10", "a date, as 2026-01-10"),
    msgspec.inspect.TimeType: ("时刻，如 09:00:00", "a time, as 09:00:00"),
    msgspec.inspect.NoneType: ("null", "null"),
    msgspec.inspect.StructType: ("对象", "an object"),
}


def choices_of(kind: Type) -> list[str]:
    """What it may be, where that is a list; empty where it is none."""
    return [str(value) for one in members(kind) for value in _values(one) if value not in (None, "")]


def wanted(kind: Type, *, in_json: bool = True) -> tuple[str, str]:
    """In Chinese and English; what is no JSON is left out, never null."""
    if allowed := choices_of(kind):
        return f"以下之一：{'、'.join(allowed)}", f"one of: {', '.join(allowed)}"
    told = [_told(one) for one in members(kind) if in_json or not isinstance(one, msgspec.inspect.NoneType)]
    return " 或 ".join(zh for zh, _ in told), " or ".join(en for _, en in told)


def given(value: Any) -> tuple[str, str]:
    """Of which kind a value is; itself it may be personal."""
    match value:
        case None:
            return "null", "null"
        case bool():
            return "true 或 false", "true or false"
        case str():
            return f"文本（{len(value)} 字）", f"text of {len(value)} characters"
        case int() | float():
            return "数字", "a number" if isinstance(value, int) else "a number with a decimal point"
        case list():
            return f"列表（{len(value)} 项）", f"a list of {len(value)}"
        case _:
            return f"对象（{len(value)} 个字段）", f"an object of {len(value)} fields"


def members(kind: Type) -> Iterator[Type]:
    """A type without what is said about it, a union as its members."""
    if isinstance(kind, msgspec.inspect.Metadata):
        yield from members(kind.type)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for one in kind.types:
            yield from members(one)
    else:
        yield kind


def _values(kind: Type) -> Iterator[Any]:
    if isinstance(kind, msgspec.inspect.LiteralType):
        yield from kind.values
    elif isinstance(kind, msgspec.inspect.EnumType):
        yield from (member.value for member in kind.cls)
    elif isinstance(kind, msgspec.inspect.CollectionType):
        yield from (value for one in members(kind.item_type) for value in _values(one))


def _told(kind: Type) -> tuple[str, str]:
    match kind:
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            zh, en = ("整数", "a whole number") if isinstance(kind, msgspec.inspect.IntType) else ("数字", "a number")
            return _bounded(zh, en, kind.ge, kind.le, ("", ""))
        case msgspec.inspect.StrType():
            zh, en = _bounded("文本", "text", kind.min_length, kind.max_length, (" 字", " characters"))
            return (f"{zh}，形如 {kind.pattern}", f"{en}, as {kind.pattern}") if kind.pattern else (zh, en)
        case msgspec.inspect.DateTimeType():
            zoned = kind.tz is not False
            at = "2026-01-10T09:00:00+08:00" if zoned else "2026-01-10T09:00:00"
            return f"时间，如 {at}", f"an instant{' with its offset' if zoned else ''}, as {at}"
        case msgspec.inspect.CollectionType():
            return _bounded("列表", "a list", kind.min_length, kind.max_length, (" 项", " items"))
        case msgspec.inspect.DictType():
            return _bounded("对象", "an object", kind.min_length, kind.max_length, (" 个字段", " fields"))
        case _:
            return _PLAIN.get(type(kind), ("另一格式", "of another form"))


def _bounded(zh: str, en: str, least: Any, most: Any, unit: tuple[str, str]) -> tuple[str, str]:
    if least and most is not None:
        return f"{zh}（{least} 至 {most}{unit[0]}）", f"{en} of {least} to {most}{unit[1]}"
    if most is not None:
        return f"{zh}（至多 {most}{unit[0]}）", f"{en} of at most {most}{unit[1]}"
    if least is not None and (least or not unit[0]):
        return f"{zh}（至少 {least}{unit[0]}）", f"{en} of at least {least}{unit[1]}"
    return zh, en
