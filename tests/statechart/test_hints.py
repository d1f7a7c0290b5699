"""What a form says beside a field is the field's hint: no label of it, which lists, reports and boards show."""

import re

import pytest

from casework.rules.statechart.fields import Field, read_fields
from casework.work.cases.options import fields_of
from tests.statechart.small import RULEBOOK

POLICY = RULEBOOK.policies.all[0]
FIELDS = [
    (chart.name, part.name, field)
    for chart in RULEBOOK.charts.values()
    for parts in (chart.openings, chart.events, chart.facts)
    for part in parts.values()
    for field in part.fields.values()
]


def test_no_label_says_what_is_meant_where_nothing_is_typed() -> None:
    asides = re.compile("不填|留空|默认|left out|default", re.IGNORECASE)
    assert [one for one in FIELDS if asides.search(f"{one[2].zh} {one[2].en}")] == []


@pytest.mark.parametrize(
    ("chart", "part", "name"), [("visit", "ordered", "visitor"), ("callback", "asked", "asked_by")]
)
def test_a_hint_is_offered_beside_the_label_in_both_languages(chart: str, part: str, name: str) -> None:
    opening = RULEBOOK.charts[chart].openings[part]
    (offer,) = fields_of({name: opening.fields[name]}, POLICY)
    assert (offer.hint_zh or "").startswith("不填为")
    assert (offer.hint_en or "").startswith("Left out: ")
    others = fields_of({key: one for key, one in opening.fields.items() if key != name}, POLICY)
    assert {one.hint_zh for one in others} == {None}


def test_a_field_without_a_hint_has_none() -> None:
    faults: list[str] = []
    read = read_fields("events.x", {"on": {"type": "date", "zh": "日", "en": "day"}}, {}, faults)
    assert (read["on"], faults) == (Field("on", "date", "日", "day", False, {}, False, False, ()), [])
