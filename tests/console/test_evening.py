"""17:00 on a page: duties by person, breaches with their review."""

from collections.abc import Callable

from tests.api.conftest import Running
from tests.console.conftest import Browsing


def test_the_duties_of_a_day_stand_by_person_and_what_is_no_breach_cannot_be_reviewed(
    browse: Callable[..., Browsing], running: Running
) -> None:
    running.open("L1", "L2", days_past_due=10)
    someone = browse("B1")
    someone.get("/console/evening?on=2026-01-10")
    assert "员工R1 R1" in someone.text()
    assert "没有违规联系" in someone.text()
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    form = {"form_token": token, "contact_ref": "nobody's", "verdict": "explained", "on": "2026-01-10"}
    answer = someone.post("/console/evening/reviews", form)
    assert answer.status_code in (404, 422)
    assert 'role="alert"' in answer.text
    assert browse("AUD1").post("/console/evening/reviews", form).status_code == 403
