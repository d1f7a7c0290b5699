"""How people name instants, and which of them have no answer."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.evidence.past.instant import Instant, in_order, read_instant

BRANCH = "Asia/Shanghai"
PRESENT = datetime(2026, 3, 9, 4, 0, 0, 7, tzinfo=UTC)  # noon at the branch

READ = {
    "2026-03-01T12:00+08:00": ("2026-03-01T04:00:00+00:00", "offset"),
    "2026-03-01T12:00:01.000001-05:30": ("2026-03-01T17:30:01.000001+00:00", "offset"),
    "2026-03-01T12:00:00Z": ("2026-03-01T12:00:00+00:00", "offset"),
    "2026-03-01T12:00": ("2026-03-01T04:00:00+00:00", "branch_time"),
    "2026-03-01 12:00:30.5": ("2026-03-01T04:00:30.500000+00:00", "branch_time"),
    "2026-03-01": ("2026-03-01T15:59:59.999999+00:00", "end_of_branch_day"),
    "2026-03-08": ("2026-03-08T15:59:59.999999+00:00", "end_of_branch_day"),
    "2026-03-01 12:00:30 +08:00": ("2026-03-01T04:00:30.999999+00:00", "offset"),  # as it is printed: all of it
    "2026-03-01 12:00": ("2026-03-01T04:00:59.999999+00:00", "branch_time"),
    "2026-03-09 12:00 +08:00": ("2026-03-09T04:00:00.000007+00:00", "offset"),  # up to now
    "now": ("2026-03-09T04:00:00.000007+00:00", "now"),
    "2026-03-09T12:00:00.000007": ("2026-03-09T04:00:00.000007+00:00", "branch_time"),
}
REFUSED = {
    "2026-03-09T12:00:00.000008": "instant_in_future",
    "2026-03-09": "instant_in_future",  # the day is not over
    "9999-12-31": "instant_malformed",  # its end cannot be written
    "2026-03-01T12:00 08:00": "instant_malformed",  # a + that a query lost
    "2026-03-01T12": "instant_malformed",
    "2026-03-01T24:00": "instant_malformed",
    "2026-02-30": "instant_malformed",
    "2026-03-01T12:00+24:00": "instant_malformed",
    "0001-01-01T00:00+01:00": "instant_malformed",
    "20260301": "instant_malformed",
    "2026-W09-1": "instant_malformed",
    "２０２６-03-01": "instant_malformed",
    "2026-03-01\n": "instant_malformed",
    "yesterday": "instant_malformed",
    "": "instant_malformed",
}


@pytest.mark.parametrize("text", READ)
def test_an_instant_is_read_by_its_offset_else_in_branch_time_a_date_as_its_end(text: str) -> None:
    instant = read_instant(text, BRANCH, PRESENT)
    assert (instant.at.isoformat(), instant.read_as) == READ[text]
    assert datetime.fromisoformat(instant.branch_time) == instant.at
    assert (instant.branch_time[-6:], instant.time_zone) == ("+08:00", BRANCH)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_over_or_no_instant_is_refused(text: str) -> None:
    with pytest.raises(CallerError) as refused:
        read_instant(text, BRANCH, PRESENT)
    assert refused.value.code == REFUSED[text]


@pytest.mark.parametrize("text", ["2025-03-30T02:30", "2025-10-26T02:30"])
def test_a_branch_time_that_the_clock_skips_or_shows_twice_needs_its_offset(text: str) -> None:
    with pytest.raises(CallerError, match="where the clock shows it once"):
        read_instant(text, "Europe/Berlin", PRESENT)
    assert read_instant(f"{text}+02:00", "Europe/Berlin", PRESENT).read_as == "offset"


@given(day=st.dates(date(1980, 1, 1), date(2026, 3, 8)), zone=st.sampled_from([BRANCH, "Europe/Berlin", "UTC"]))
def test_a_date_is_the_last_microsecond_of_its_branch_day(day: date, zone: str) -> None:
    end = read_instant(day.isoformat(), zone, PRESENT).at.astimezone(ZoneInfo(zone))
    after = (end.astimezone(UTC) + timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert (end.date(), after.date()) == (day, day + timedelta(days=1))


def test_an_earlier_end_is_told_and_the_same_instant_twice_is_none() -> None:
    early, late = (read_instant(text, BRANCH, PRESENT) for text in ("2026-03-01", "2026-03-02"))
    assert isinstance(early, Instant)
    in_order(early, late)
    in_order(late, late)
    with pytest.raises(CallerError) as refused:
        in_order(late, early)
    assert refused.value.code == "instants_reversed"
