"""Help in place: a refusal leads to its rule, and a rule to every place of what is in force that cites it."""

import re
from collections.abc import Callable

import pytest

from tests.api.conftest import Running
from tests.console.conftest import Browsing

Browse = Callable[..., Browsing]


def test_each_rule_that_a_case_cites_leads_to_its_line(browse: Browse, running: Running) -> None:
    (case,) = running.open("L1")
    someone = browse("R1")
    page = someone.get(f"/console/cases/{case}").text
    places = set(re.findall(r'href="(/console/rules/lines/[^"]+)"', page))
    assert places
    assert ('href="#chart"' in page, 'id="chart"' in page) == (True, True)
    for place in places:
        someone.get(place)
        assert "未引用" not in someone.text(), place


@pytest.mark.parametrize(
    ("rule", "told", "place"),
    [
        ("X9", "停催中：…", "/console/rules/charts/visit"),
        ("1.3.2a", "下户", "/console/rules/charts/visit#event.check_in"),
        ("X1", "停止催收时刻", "/console/rules#figure."), ("9.9", "均未引用此条", "/console/rules"),
    ],
)  # fmt: skip
def test_a_rule_says_where_it_is_kept(browse: Browse, rule: str, told: str, place: str) -> None:
    someone = browse("R1")
    page = someone.get(f"/console/rules/lines/{rule}").text
    assert told in someone.text()
    assert f'href="{place}' in page
    for target, anchor in re.findall(r'href="(/console/rules[^"#]*)#([^"]+)"', page)[:3]:
        assert f'id="{anchor}"' in someone.get(target).text
