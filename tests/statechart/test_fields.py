"""Typed data: what a field accepts, one table of good values with a corrupt twin beside each."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.rules.statechart.fields import TYPES, Field, take
from tests.statechart.small import RULEBOOK

POLICY = RULEBOOK.policies.all[0]
TODAY, LATEST = date(2026, 1, 10), date(2026, 1, 12)


def field(kind: str, **changes: Any) -> Field:
    values: dict[str, Any] = {
        "name": "x", "type": kind, "zh": "字段", "en": "field", "optional": False, "one_of": {},
        "not_before_today": False, "not_after_today": False, "rules": (),
    }  # fmt: skip
    return Field(**values | changes)


CODE = field("code", one_of={"a": {"zh": "甲", "en": "one"}, "b": {"zh": "乙", "en": "two"}})
GOOD_AND_TWIN: list[tuple[Field, Any, Any]] = [
    (field("date"), "2026-02-28", "2026-02-29"),
    (field("date"), "2026-01-01", "20260101"),
    (field("date"), "2026-01-01", "2026-W01-1"),
    (field("date"), "1980-01-01", "1979-12-31"),
    (field("date"), "2199-12-31", "9999-12-31"),
    (field("date", not_before_today=True), "2026-01-10", "2026-01-09"),
    (field("date", not_after_today=True), "2026-01-12", "2026-01-13"),
    (field("date", within_days=14), "2026-01-26", "2026-01-27"),
    (field("date", within_days=14), "1990-01-01", "1979-01-01"),
    (field("date", within_days="@promise.within_days"), "2026-01-26", "2026-01-27"),
    (field("fen"), 0, -1),
    (field("fen"), 2**53 - 1, 2**53),
    (field("fen"), 100, 100.0),
    (field("fen"), 100, "100"),
    (field("int"), 1, True),
    (field("bool"), True, 1),
    (field("bool"), False, "false"),
    (CODE, "a", "c"),
    (CODE, "b", ["b"]),
    (field("ref"), "rec:2026-0001", "rec 1"),
    (field("ref"), "A" * 128, "A" * 129),
    (field("ref"), "a/b", "/b"),
    (field("staff"), "S-001", "王五"),
    (field("hash"), "sha256:" + "0" * 64, "sha256:" + "0" * 63),
    (field("hash"), "sha256:" + "a" * 64, "sha256:" + "A" * 64),
    (field("instant"), "2026-01-10T00:00:00+08:00", "2026-01-10T00:00:00"),
    (field("instant"), "2026-01-10T00:00:00+08:00", "2026-01-10"),
    (field("instant", not_before_today=True), "2026-01-10T00:00:00+08:00", "2026-01-09T23:59:59+08:00"),
    (field("instant", not_after_today=True), "2026-01-12T23:59:59+08:00", "2026-01-13T00:00:00+08:00"),
    (field("instant", within_days=14), "2026-01-26T23:59:59+08:00", "2026-01-27T00:00:00+08:00"),
    (field("instant"), "2199-12-31T00:00:00+08:00", "9999-12-31T00:00:00+08:00"),
    (field("key"), "L-2024/0001", "L1,2"),
    (field("key"), "A1" * 32, "A1" * 32 + "A"),
    (field("text"), "可以\n两行", "\x07bell"),
    (field("text"), "x" * 2_000, "x" * 2_001),
    (field("text"), "x", " \n"),
    (field("text"), "😀", "\ud800"),
]


@pytest.mark.parametrize(("spec", "good", "twin"), GOOD_AND_TWIN)
def test_a_good_value_is_taken_and_its_twin_is_named_malformed(spec: Field, good: Any, twin: Any) -> None:
    values, texts, faults = take({"x": spec}, {"x": good}, today=TODAY, latest=LATEST, policy=POLICY)
    assert (values | texts, faults) == ({"x": good}, [])
    values, texts, faults = take({"x": spec}, {"x": twin}, today=TODAY, latest=LATEST, policy=POLICY)
    assert (values, texts) == ({}, {})
    assert [(fault.field, fault.code) for fault in faults] == [("x", "malformed")]


SAID: list[tuple[Field, Any, str]] = [
    (field("date", not_before_today=True), "2026-01-09", "字段早于业务日期2026-01-10"),
    (field("date", not_after_today=True), "2026-01-13", "字段晚于2026-01-12"),
    (field("date", within_days=14), "2026-01-27", "字段晚于2026-01-26，最迟为14天后"),
    (field("date"), "13 Jan", "字段须为 YYYY-MM-DD 形式的日期"),
    (CODE, "c", "字段须为以下之一：甲（a）、乙（b）"),
    (field("fen"), -1, "字段须为不小于零的整数（单位：分）"),
]


@pytest.mark.parametrize(("spec", "given", "zh"), SAID)
def test_a_fault_says_its_cause_in_chinese_too(spec: Field, given: Any, zh: str) -> None:
    (fault,) = take({"x": spec}, {"x": given}, today=TODAY, latest=LATEST)[2]
    assert fault.zh == zh


@pytest.mark.parametrize("kind", ["fen", "int"])
def test_what_must_be_above_zero_is_told_so_in_both_languages(kind: str) -> None:
    spec = {"x": field(kind, above_zero=True)}
    assert take(spec, {"x": 1}, today=TODAY, latest=LATEST) == ({"x": 1}, {}, [])
    values, _, (fault,) = take(spec, {"x": 0}, today=TODAY, latest=LATEST)
    assert (values, fault.code, fault.zh, fault.en) == (
        {},
        "out_of_range",
        "字段须大于零",
        "field must be more than zero",
    )
    assert take({"x": field(kind)}, {"x": 0}, today=TODAY, latest=LATEST)[0] == {"x": 0}, (
        "elsewhere nothing is an amount"
    )


def test_every_type_is_in_the_table() -> None:
    assert {spec.type for spec, _, _ in GOOD_AND_TWIN} == TYPES


def test_what_is_missing_and_what_is_unknown_are_both_told() -> None:
    _, _, faults = take({"x": field("int")}, {"y": 1}, today=TODAY, latest=LATEST)
    assert sorted((fault.field, fault.code) for fault in faults) == [("x", "missing"), ("y", "unknown")]


def test_an_optional_field_may_be_left_out_or_null() -> None:
    optional = {"x": field("int", optional=True)}
    assert take(optional, {}, today=TODAY, latest=LATEST) == ({}, {}, [])
    assert take(optional, {"x": None}, today=TODAY, latest=LATEST) == ({}, {}, [])


def test_free_text_never_stands_among_the_typed_values() -> None:
    values, texts, _ = take({"x": field("text")}, {"x": "张三来电"}, today=TODAY, latest=LATEST)
    assert (values, texts) == ({}, {"x": "张三来电"})


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def test_a_fault_never_quotes_what_was_given() -> None:
    for kind in sorted(TYPES):
        spec = field(kind, one_of={"a": {"zh": "甲", "en": "one"}} if kind == "code" else {})
        for fault in take({"x": spec}, {"x": "13800000000\x07"}, today=TODAY, latest=LATEST)[2]:
            assert "13800000000" not in f"{fault.zh} {fault.en}", kind


@given(kind=st.sampled_from(sorted(TYPES)), value=_ANYTHING)
def test_no_value_whatever_crashes_a_field(kind: str, value: Any) -> None:
    spec = field(kind, one_of={"a": {"zh": "甲", "en": "one"}} if kind == "code" else {})
    values, texts, faults = take({"x": spec}, {"x": value}, today=TODAY, latest=LATEST)
    assert len(values) + len(texts) + len(faults) == 1
    assert all(fault.field == "x" for fault in faults)
