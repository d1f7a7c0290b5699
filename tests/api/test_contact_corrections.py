"""Wrong outcomes put right over HTTP: each an entry that counts from then on, within the caller's reach."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Running, findings
from tests.api.test_contacts import begins, case, listed, logged, record, results, row
from tests.hours import by_day
from tests.round_trips import RoundTrips

__all__ = ["begins", "case"]  # fixtures


def put_right(running: Running, *corrections: dict[str, Any], staff_no: str = "R1", **more: Any) -> Any:
    return running.post("/contacts/corrections", staff_no, json={"corrections": list(corrections), **more})


def right(ref: str = "c1", result: str = "third_party", **more: Any) -> dict[str, Any]:
    return {"contact_ref": ref, "result": result, **more}


def events(running: Running, stream: str) -> list[dict[str, Any]]:
    page = running.get("/audit/entries", "AUD1", params={"stream": stream, "limit": 200}).json()
    return [one["body"] for one in page["items"]]


def test_a_wrong_outcome_is_put_right_by_an_entry_and_the_case_learns_of_the_day_anew(
    running: Running, case: int
) -> None:
    record(running, row(result="debtor"))
    answer = put_right(running, right(reason="客户家人接听"))
    assert results(answer) == [("done", 200, None)]
    assert answer.headers["receipt"]
    assert [(one.result, one.outcome) for one in logged(running)] == [("third_party", "third_party")]
    assert listed(running, case_id=case).json()["items"][0]["result"] == "third_party"
    (entry,) = [one for one in events(running, "borrower:wuhan~B-L1") if one["event"] == "contact.corrected"]
    assert entry["data"] == {
        "contact_ref": "c1", "source": "sheet", "result": "third_party", "outcome": "third_party", "was": "debtor",
    }  # fmt: skip
    assert (entry["actor"]["id"], list(entry["personal"])) == ("R1", ["remark"])
    days = [one["data"]["given"] for one in events(running, f"case:{case}") if one["event"] == "case.fact.contact_day"]
    assert [one["connected"] for one in days] == [True, False]
    assert findings(running.started) == []


def test_what_is_right_already_stays_and_the_last_of_two_corrections_counts(running: Running, case: int) -> None:
    record(running, row())
    answer = put_right(running, right(result="无人接听"), right(result="busy"), right(result="debtor"), right())
    assert [one[0] for one in results(answer)] == ["repeated", "done", "done", "done"]
    assert logged(running)[0].result == "third_party"
    said = [one["data"] for one in events(running, "borrower:wuhan~B-L1") if one["event"] == "contact.corrected"]
    assert [one["was"] for one in said] == ["no_answer", "busy", "debtor"]
    assert findings(running.started) == []


# (what is wrong, the correction, who asks, outcome, status, column)
BAD: list[tuple[str, dict[str, Any], str, str, int, str | None]] = [
    ("no such contact", right("c9"), "R1", "unknown_contact_ref", 404, "contact_ref"),
    ("of another source", right(source="api"), "R1", "unknown_contact_ref", 404, "contact_ref"),
    ("no such result", right(result="odd"), "R1", "unknown_result", 422, "result"),
    ("not by this channel", right(result="found"), "R1", "result_not_of_channel", 422, "result"),
    ("somebody else's", right(), "T1", "not_your_own", 422, "staff_no"),
]  # fmt: skip


@pytest.mark.parametrize("atomic", [False, True], ids=["each", "atomic"])
@pytest.mark.parametrize(("what", "bad", "who", "outcome", "status", "column"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_correction_is_told_alone_and_only_an_atomic_request_leaves_out_the_others(
    running: Running, case: int, what: str, bad: dict[str, Any], who: str, outcome: str, status: int,
    column: str | None, *, atomic: bool,
) -> None:  # fmt: skip
    record(running, row())
    record(running, row("m1"), staff_no=who)
    answer = put_right(running, right("m1"), bad, staff_no=who, atomic=atomic)
    good = ("not_done", 409, None) if atomic else ("done", 200, None)
    assert results(answer) == [good, (outcome, status, column)], what
    assert answer.json()["by_reason"] == {outcome: 1}
    assert findings(running.started) == []


def test_whoever_reaches_every_case_puts_right_the_contacts_of_others(running: Running, case: int) -> None:
    record(running, row())
    assert results(put_right(running, right(), staff_no="B1")) == [("done", 200, None)]


def test_where_two_sources_have_the_reference_the_source_is_needed(running: Running, case: int) -> None:
    record(running, row(), row(agency="A01"), staff_no="B1")
    answer = put_right(running, right(), right(source="agency:A01"), staff_no="B1")
    assert results(answer) == [("source_needed", 409, "source"), ("done", 200, None)]


def test_50_outcomes_are_put_right_by_one_request(running: Running, case: int) -> None:
    at = by_day(3)
    made = [row(f"c{n}", started_at=(at + timedelta(minutes=n)).isoformat()) for n in range(50)]
    record(running, *made)
    answer = put_right(running, *(right(f"c{n}", "busy") for n in range(50)))
    assert answer.json()["by_outcome"] == {"done": 50}
    assert put_right(running, *(right() for _ in range(51))).status_code == 422
    assert findings(running.started) == []


@pytest.mark.only("postgresql")
def test_fifty_contacts_and_their_corrections_cost_as_many_statements_as_five(running: Running, case: int) -> None:
    recording, correcting = list[int](), list[int]()
    for turn, number in enumerate((5, 50)):
        refs = [f"k{turn}-{one}" for one in range(number)]
        with RoundTrips() as statements:
            assert {one for one, *_ in results(record(running, *(row(contact_ref=ref) for ref in refs)))} == {"done"}
            recording.append(len(statements))
        with RoundTrips() as statements:
            told = put_right(running, *(right(ref, "debtor") for ref in refs))
            correcting.append(len(statements))
        assert {one for one, *_ in results(told)} == {"done"}
    assert 5 < recording[1] <= recording[0] + 2
    assert 5 < correcting[1] <= correcting[0] + 2
