"""When data may go: bases, what each waits for, calendar years; a corrupt twin beside the good file."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from casework.errors import RulesBroken
from casework.oversight.privacy.deciding import (
    HOLD_PLACED,
    HOLD_RELEASED,
    ErasureSituation,
    after_years,
    open_holds,
    reasons_against,
)
from casework.settings import Settings
from casework.work.cases.privacy_rules import ALWAYS, CHECKS, parse_privacy_rules
from tests.cases.worlds import POLICY

BODY = (Settings.from_environment({}).statecharts / "rules" / "privacy.toml").read_bytes()
RULES = parse_privacy_rules(BODY)
TODAY = date(2026, 3, 2)
FREE = ErasureSituation(TODAY, (), (), (), (), None, None)
EVERYTHING = ErasureSituation(TODAY, (3,), (2,), (7,), ("complaint",), TODAY, TODAY)


def against(basis: str, now: ErasureSituation) -> list[str]:
    return [reason.code for reason in reasons_against(RULES.basis(basis), now, POLICY)]


@pytest.mark.parametrize("basis", list(RULES.bases))
def test_nothing_stands_against_a_borrower_without_a_past(basis: str) -> None:
    assert against(basis, FREE) == []


@pytest.mark.parametrize("basis", list(RULES.bases))
def test_every_reason_is_named_at_once_as_far_as_the_basis_waits_for_it(basis: str) -> None:
    waits = RULES.basis(basis).waits_for
    assert set(against(basis, EVERYTHING)) == waits
    assert waits >= set(ALWAYS)


def test_what_was_taken_unlawfully_need_not_be_kept() -> None:
    kept = replace(FREE, last_record_on=TODAY, last_ended_on=TODAY)
    assert against("unlawful", kept) == against("ordered", kept) == []
    assert against("purpose_achieved", kept) == ["retention", "retention_after_settlement"]


@pytest.mark.parametrize(
    ("since", "years", "last"),
    [
        ("2021-03-01", 5, "2026-03-01"), ("2020-02-29", 5, "2025-02-28"), ("2020-02-29", 4, "2024-02-29"),
        ("2024-02-29", 3, "2027-02-28"), ("2023-02-28", 1, "2024-02-28"), ("2021-12-31", 3, "2024-12-31"),
    ],
)  # fmt: skip
def test_years_are_calendar_years(since: str, years: int, last: str) -> None:
    assert after_years(date.fromisoformat(since), years) == date.fromisoformat(last)


@pytest.mark.parametrize(("days_after", "kept"), [(-1, True), (0, True), (1, False)])
def test_retention_ends_with_its_last_day(days_after: int, kept: bool) -> None:
    since = date(2021, 3, 1)  # five years: through 2026-03-01
    now = replace(FREE, last_record_on=since, today=date(2026, 3, 1) + timedelta(days=days_after))
    found = reasons_against(RULES.basis("retention_over"), now, POLICY)
    assert [reason.code for reason in found] == (["retention"] if kept else [])
    assert [reason.opens_on for reason in found] == ([date(2026, 3, 2)] if kept else [])


def test_the_stricter_of_two_periods_wins() -> None:
    """Three years after the case ended are over, five after the last record are not, and the other way round."""
    assert against("retention_over", replace(FREE, last_record_on=TODAY, last_ended_on=date(2020, 1, 1))) == [
        "retention"
    ]
    assert against("retention_over", replace(FREE, last_record_on=date(2010, 1, 1), last_ended_on=TODAY)) == [
        "retention_after_settlement"
    ]


def test_holds_are_open_until_they_are_released_each_by_its_reason() -> None:
    placed = [(HOLD_PLACED, {"reason": "litigation"}), (HOLD_PLACED, {"reason": "complaint"})]
    assert open_holds(placed) == ["litigation", "complaint"]
    assert open_holds([*placed, (HOLD_RELEASED, {"reasons": ["litigation"]})]) == ["complaint"]
    assert open_holds([*placed, (HOLD_RELEASED, {"reasons": ["litigation", "complaint"]}), placed[0]]) == ["litigation"]


TWINS = [
    ('waits_for = ["live_case", "hold", "litigation", "request"]', 'waits_for = ["live_case", "litigation", "request"]',
     "hold is missing"),
    ('"retention_after_settlement"]', '"full_moon"]', "unknown check full_moon"),
    ('"hold", "litigation", "request"]', '"hold", "hold", "litigation", "request"]', "names a check twice"),
    ("version = 1", "version = 0", "version"),
    ("version = 1", 'version = 1\ncolour = "red"', "colour: unknown key"),
    ('source = "PIPL art. 47 (1)"', "", "source: missing"),
    ('source = "PIPL art. 47 (1)"', 'source = ""', "source: is not a text"),
    ('zh = "诉讼、仲裁"', "", "holds.litigation.zh: missing label"),
    ("[holds.litigation]", "[holds.litigation", "privacy.toml"),
    ("[bases.ordered]", "[bases.Ordered]", "is not a name"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "told"), TWINS, ids=lambda value: str(value)[:24])
def test_a_corrupt_twin_of_the_rules_is_refused(good: str, bad: str, told: str) -> None:
    text = BODY.decode()
    assert good in text
    with pytest.raises(RulesBroken) as broken:
        parse_privacy_rules(text.replace(good, bad, 1).encode())
    assert told in "\n".join(broken.value.faults)


def test_every_check_is_waited_for_by_some_basis() -> None:
    assert set().union(*(basis.waits_for for basis in RULES.bases.values())) == set(CHECKS)
