"""Working days: the official calendar, the branch's own table, and a year that neither knows."""

from datetime import date

import pytest

from casework.rules.calendar import Calendar


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2024-04-03", True), ("2024-04-04", False), ("2024-04-06", False), ("2024-04-07", True), ("2024-04-13", False),
        ("2005-09-03", False), ("2005-09-05", True),
        ("2027-01-01", True), ("2027-01-02", False),
    ],
)  # fmt: skip
def test_holidays_are_off_and_the_weekend_worked_in_their_place_is_not(day: str, worked: bool) -> None:
    assert Calendar().is_working(date.fromisoformat(day)) is worked


def test_the_branchs_table_goes_before_the_library_and_makes_a_year_known() -> None:
    calendar = Calendar({date(2027, 1, 1): False, date(2027, 1, 3): True, date(2024, 4, 4): True})
    assert not Calendar().knows(2027)
    assert calendar.knows(2027)
    assert [calendar.is_working(date(2027, 1, day)) for day in (1, 2, 3, 4)] == [False, False, True, True]
    assert calendar.is_working(date(2024, 4, 4))


def test_working_days_are_counted_from_the_day_after() -> None:
    calendar = Calendar()
    assert calendar.working_days_after(date(2024, 3, 29), 3) == date(2024, 4, 3)
    assert calendar.working_days_after(date(2024, 4, 1), 3) == date(2024, 4, 7)
    assert calendar.working_days_after(date(2024, 4, 7), 0) == date(2024, 4, 7)
