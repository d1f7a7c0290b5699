"""What is printed can be typed back: each form is read as the instant that was printed, in shell and address alike."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.frame import shown
from casework.cli.bundle import period_of
from casework.cli.changing import day as shell_day
from casework.clock import utc_text
from casework.errors import CallerError
from casework.evidence.past.instant import read_instant
from casework.evidence.searching import instant_asked
from casework.instants import branch_text, read_instant_text, read_text
from casework.rules.statechart.fields import MAX_INSTANT
from casework.spreadsheet import Column
from casework.table import shown as cell

ZONES: Final = ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "UTC")
PRESENT: Final = datetime(2099, 1, 1, tzinfo=UTC)
FINE: Final = {"minutes": timedelta(minutes=1), "seconds": timedelta(seconds=1), "auto": timedelta(microseconds=1)}
Read = Callable[[str, str], datetime]
READERS: Final[dict[str, Read]] = {
    "a parameter of times": read_instant_text,
    "as-of, diff": lambda text, zone: read_instant(text.replace(" ", "T", 1).replace(" ", ""), zone, PRESENT).at,
    "search --from": lambda text, zone: instant_asked("from", text, zone) or PRESENT,
    "search --to": lambda text, zone: instant_asked("to", text, zone, days=1) or PRESENT,
    "audit export --from": lambda text, zone: getattr(period_of(text, None, zone), "from_at", PRESENT),
}  # fmt: skip
instants = st.datetimes(datetime(1980, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def cut(at: datetime, fine: timedelta) -> datetime:
    """To the minute, the second, or all of it."""
    return at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % fine


@pytest.mark.parametrize("reader", READERS)
@given(at=instants, zone=st.sampled_from(ZONES), to=st.sampled_from(sorted(FINE)))
def test_a_printed_time_is_read_back_as_the_same_instant(reader: str, at: datetime, zone: str, to: str) -> None:
    """As the shell and pages print it, as JSON has it, and as an `isoformat` of another program."""
    wanted, read = cut(at, FINE[to]), READERS[reader]
    printed = [
        branch_text(wanted, zone, to), wanted.astimezone(ZoneInfo(zone)).isoformat(), utc_text(wanted),
        wanted.isoformat(), wanted.isoformat().replace("+00:00", "Z"), wanted.isoformat(" ").replace("+00:00", " +00"),
    ]  # fmt: skip
    assert [read(text, zone) for text in printed] == [wanted] * len(printed)
    assert read(shown.instant(at, zone), zone) == cut(at, FINE["minutes"])
    assert all(len(text) <= MAX_INSTANT for text in printed), "what parameters take of it"


@given(at=instants, zone=st.sampled_from(ZONES), to=st.sampled_from(["minutes", "seconds"]))
def test_as_of_a_printed_time_is_all_that_was_recorded_in_it(at: datetime, zone: str, to: str) -> None:
    """The entry that was printed so is in it, and the time is printed so again."""
    text = branch_text(at, zone, to)
    found = read_instant(text, zone, PRESENT).at
    assert at <= found < cut(at, FINE[to]) + FINE[to]
    assert branch_text(found, zone, to) == text


@given(at=instants, zone=st.sampled_from(ZONES), to=st.sampled_from(["minutes", "seconds"]))
def test_a_cell_of_a_file_is_the_branchs_time_unless_its_clock_shows_that_twice(
    at: datetime, zone: str, to: str
) -> None:
    local = cut(at, FINE[to]).astimezone(ZoneInfo(zone))
    text = cell(Column("at", "时间", "time", 16, to), local)  # type: ignore[arg-type]  # one of the two
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        with pytest.raises(ValueError, match="say its offset"):
            read_instant_text(text, zone)
    else:
        assert read_instant_text(text, zone) == local


@given(on=st.dates(date(1980, 1, 1), date(2090, 1, 1)), at=instants)
def test_a_printed_day_is_that_day_wherever_a_day_is_taken(on: date, at: datetime) -> None:
    for text in (str(on), shown.day(on, "zh"), shown.day(on, "en")):
        assert read_text(text, None).day == on
        assert shell_day.convert(text, None, None) == datetime.combine(on, time.min)
        assert instant_asked("from", text, "Asia/Shanghai") == datetime.combine(on, time.min, ZoneInfo("Asia/Shanghai"))
    zone = "Asia/Shanghai"
    printed = branch_text(at, zone)
    assert shell_day.convert(printed, None, None).date() == at.astimezone(ZoneInfo(zone)).date()


NEITHER: Final = (
    "", "now-1", "20260301", "2026-3-1", "2026-03-01T12", "2026-03-01 12:00 08:00", "2026-03-01T24:00", "2026-02-30",
    "2026-03-01 (周一)", "2026-03-01 (Mon)", "01/03/2026", "2026-03-01\n", "２０２６-03-01", "2026-03-01 12:00 CST",
)  # fmt: skip
"""1 March 2026 is a Sunday; an offset without its sign, and CST, may be two."""


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_neither_or_may_be_two_is_refused_with_what_is_allowed(text: str) -> None:
    for reader in ("as-of, diff", "search --from", "search --to", "audit export --from"):
        with pytest.raises(CallerError, match=r"2026|ISO|instant"):
            READERS[reader](text, "Asia/Shanghai")
    with pytest.raises(ValueError, match=r"."):
        read_instant_text(text, "Asia/Shanghai")
    with pytest.raises(click.BadParameter, match="such as 2026-03-01"):
        shell_day.convert(text, None, None)


def test_a_time_in_utc_is_no_day_of_the_branch_and_a_day_is_no_time() -> None:
    with pytest.raises(click.BadParameter, match="no day of the branch"):
        shell_day.convert("2026-03-01T20:00:00Z", None, None)
    with pytest.raises(ValueError, match="a time is needed"):
        read_instant_text("2026-03-01", "Asia/Shanghai")
    with pytest.raises(ValueError, match="needs its offset"):
        read_instant_text("2026-03-01 12:00", None)


ELSEWHERE: Final = {
    "casework/table.py": "cells of files, whose mark says the zone",
    "casework/evidence/ledger/sheets.py": "within a reason, in the ledger, whose mark says the zone",
    "casework/log/check/kinds.py": "what SQLite compares", "casework/pictures.py": "how a camera writes",
    "casework/operation/restore.py": "a name", "casework/demo/stage.py": "a name",
    "casework/demo/photos.py": "how a camera writes",
    "casework/work/photos/storing.py": "beside what a camera wrote, whose clock names no zone",
    "casework/settings.py": "an hour of each day",
    "casework/work/cases/task_rules.py": "an hour of each day",
}  # fmt: skip
"""Who writes hours and minutes in a form of their own, and why they may."""


def test_no_source_prints_a_time_in_a_form_of_its_own() -> None:
    source = Path(__file__).parents[1] / "src"
    found = {str(file.relative_to(source)) for file in source.rglob("*.py") if "%H" in file.read_text(encoding="utf-8")}
    assert found == ELSEWHERE.keys()
