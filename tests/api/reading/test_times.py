"""Every parameter of times takes a time as it is printed, and as JSON has it; what may be two instants it refuses."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from api.console.frame import shown
from casework.clock import now, utc_text
from casework.instants import branch_text
from tests.api.conftest import Running

ZONE: Final = "Asia/Shanghai"
FORMS: Final[dict[str, Callable[[datetime], str]]] = {
    "as the shell prints it": lambda at: branch_text(at, ZONE),
    "to the microsecond": lambda at: branch_text(at, ZONE, "auto"),
    "as a page has it": lambda at: shown.instant(at, ZONE), "as JSON has it": utc_text,
    "in branch time": lambda at: at.astimezone(ZoneInfo(ZONE)).isoformat(),
}  # fmt: skip
PLACES: Final = {
    "/cases?updated_since={}": "B1", "/promises?updated_since={}": "B1", "/contacts?case_id=1&since={}": "R1",
    "/cases/1/as-of?at={}": "B1", "/cases/1/diff?from={}&to=now": "B1", "/portfolio?at={}": "AUD1",
    "/audit/entries?from={}": "AUD1", "/audit/entries?to={}": "AUD1", "/audit/entries.csv?from={}": "AUD1",
}  # fmt: skip


@pytest.mark.only("sqlite")
def test_each_parameter_takes_each_printed_form_and_refuses_what_may_be_two(running: Running) -> None:
    running.open("L1")
    moment: datetime = now()
    for place, staff_no in PLACES.items():
        for name, form in FORMS.items():
            answer = running.get(place.format(quote(form(moment))), staff_no)
            assert answer.status_code == 200, (place, name, answer.text)
        for text in ("2026-03-01 12:00:00 08:00", "2026-03-01 12:00 CST", "yesterday"):
            answer = running.get(place.format(quote(text)), staff_no)
            assert (answer.status_code, answer.json()["code"][-9:]) == (422, "malformed"), (place, text, answer.text)
            assert "2026-" in answer.text or "ISO" in answer.text, "what is allowed"
    answer = running.get("/cases?updated_since=2026-03-01", "B1")
    assert answer.json()["detail"].startswith("updated_since must be a time such as")


@pytest.mark.only("sqlite")
def test_a_printed_time_of_a_history_shows_the_case_with_that_entry(running: Running) -> None:
    (case,) = running.open("L1")
    recorded = running.get(f"/cases/{case}/history", "B1").json()["items"][-1]["recorded_at"]
    for to in ("seconds", "minutes"):
        text = quote(branch_text(datetime.fromisoformat(recorded), ZONE, to))
        answer = running.get(f"/cases/{case}/as-of?at={text}", "B1")
        assert (answer.status_code, answer.json()["last_entry_id"]) == (200, f"case:{case}:1"), answer.text
