"""What lies beyond the caller's posts is not shown: cases, borrowers, loans, files; what is shown is on record."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.customer import Customer
from casework.log.tables import entries
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.people.staff.tables import absences
from casework.storage.database import reading, writing
from tests.api.conftest import Running, findings
from tests.api.reading.conftest import ADDRESS, ID_NUMBER, NAME, PHONE
from tests.on_books import put_contact


def newcomer(running: Running, staff_no: str, *posts: str, team: str | None = None, region: str | None = None) -> None:
    """Somebody of another team and region, with a token."""
    with writing(running.started.engine) as conn:
        branch = running.started.branch
        trail, actor = branch.trail(now()), system("cli")
        register.add(
            conn,
            trail,
            actor,
            branch.rulebook.permissions,
            staff_no=staff_no,
            name=staff_no,
            posts=posts,
            team=team,
            region=region,
        )
        running.tokens[staff_no] = tokens.issue(conn, trail, actor, staff_no=staff_no)
        trail.write(conn)


@pytest.fixture
def strange(known: Running) -> Running:
    """`known`, and two who have nothing to do with it: a rep, and a phone collector of another region."""
    newcomer(known, "R9", "business_rep", team="T9", region="R9")
    newcomer(known, "T9", "phone_collector", team="T9", region="R9")
    return known


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def alike(there: Any, absent: Any) -> bool:
    """Whether what is there and what is not got the same 404, but for the request's own id and what was asked for."""
    one, other = ({**answer.json(), "instance": "", "case_id": ""} for answer in (there, absent))
    assert one == other
    assert [*there.headers] == [*absent.headers]
    return bool(one["status"] == 404 and one["code"].startswith("unknown_"))


def written(running: Running) -> int:
    """How many entries there are."""
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


def bodies(running: Running, event: str) -> list[dict[str, Any]]:
    page = running.get("/audit/entries", "AUD1", params={"event": event}).json()
    return [entry["body"] for entry in page["items"]]


@pytest.mark.parametrize("path", ["", "/history", "/notes", "/options"])
def test_a_case_beyond_reach_and_all_below_it_answers_as_one_that_is_not_there(strange: Running, path: str) -> None:
    assert strange.get(f"/cases/1{path}", "R1").status_code == 200
    for staff_no in ("R9", "T9"):
        assert alike(strange.get(f"/cases/1{path}", staff_no), strange.get(f"/cases/999{path}", staff_no))


def test_lists_counts_and_dry_runs_hold_what_is_within_reach(strange: Running) -> None:
    (elsewhere,) = strange.open("L9", owner="R9", team="T9", region="R9")
    for staff_no, expected in (("R1", [1]), ("R9", [elsewhere]), ("T9", [elsewhere]), ("B1", [1, elsewhere])):
        assert [item["id"] for item in strange.get("/cases", staff_no).json()["items"]] == expected
        totals = strange.post("/cases/options", staff_no, json={"filter": {}, "events": ["reached"]}).json()
        assert totals["cases"] == len(expected)
        named = strange.post("/cases/options", staff_no, json={"cases": [1, elsewhere, 999]}).json()
        assert (named["cases"], named["unknown"]) == (len(expected), [*sorted({1, elsewhere} - set(expected)), 999])


def test_a_bulk_request_finds_only_cases_within_reach_and_knows_no_others_that_it_names(strange: Running) -> None:
    (elsewhere,) = strange.open("L9", owner="R9", team="T9", region="R9")
    body = {"event": "reached", "filter": {}, "dry_run": True}
    assert [one["case_id"] for one in strange.post("/cases/events", "T9", json=body).json()["results"]] == [elsewhere]
    named = {"event": "reached", "cases": [{"id": 1}]}
    (result,) = strange.post("/cases/events", "T9", json=named).json()["results"]
    assert result == {"case_id": 1, "outcome": "unknown_case", "status": 404}
    assert bodies(strange, "case.refused.*") == []


ACTS: list[tuple[str, dict[str, Any]]] = [
    ("events", {"event": "reached"}), ("events", {"event": "recall", "data": {"reason": "whim"}}),
    ("facts", {"kind": "call", "on": "2026-01-02", "evidence": "rec:1", "data": {}}), ("notes", {"text": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("act", "body"), ACTS)
@pytest.mark.parametrize("version", ["*", '"1"', '"7"', 'W/"1"'])
def test_acting_on_a_case_beyond_reach_tells_neither_state_nor_version_and_writes_nothing(
    strange: Running, act: str, body: dict[str, Any], version: str
) -> None:
    before = written(strange)
    for staff_no in ("R9", "T9"):
        answers = [
            strange.post(f"/cases/{case_id}/{act}", staff_no, json=body, headers={"If-Match": version})
            for case_id in (1, 999)
        ]
        assert alike(*answers)
    assert written(strange) == before


def test_who_sees_a_case_on_which_he_may_not_act_is_told_why_with_an_entry(strange: Running) -> None:
    answer = strange.post("/cases/1/events", "B1", json={"event": "reached"}, headers={"If-Match": '"1"'})
    assert code(answer) == (403, "post_not_permitted")
    assert (answer.json()["state"], answer.json()["entry_id"]) == ("phone_collection", "case:1:2")
    stale = strange.post("/cases/1/events", "B1", json={"event": "reached"}, headers={"If-Match": '"7"'})
    assert code(stale) == (412, "stale_version")


def test_a_borrower_or_loan_beyond_reach_answers_as_one_that_is_not_there(strange: Running) -> None:
    for staff_no in ("R9", "T9"):
        assert alike(strange.get("/borrowers/B-L1", staff_no), strange.get("/borrowers/B-L999", staff_no))
        assert strange.post("/find", staff_no, json={"name": NAME}).json() == {"items": [], "cut": False}
        assert alike(strange.get("/loans/L1/openings", staff_no), strange.get("/loans/L999/openings", staff_no))
        for fields in (["name"], ["id_number"], ["shoe_size"]):
            body = {"fields": fields, "purpose": "collection"}
            asked = [strange.post(f"/borrowers/{who}/reveal", staff_no, json=body) for who in ("B-L1", "B-L999")]
            assert alike(*asked)
    misuse = {"ground": "misuse", "data": {"finding": "f:1", "recall_demand": "d:1"}}
    assert alike(*[strange.post("/cases", "R9", json=misuse | {"loan_id": loan}) for loan in ("L1", "L999")])
    assert bodies(strange, "personal.*") == bodies(strange, "case.refused*") == []


def test_of_a_borrower_shared_with_others_only_what_is_within_reach_is_shown(strange: Running) -> None:
    (theirs,) = strange.open("L8", owner="R9", team="T9", region="R9", borrower_id="B-L1")
    page = strange.get("/borrowers/B-L1", "R9").json()
    assert ([case["id"] for case in page["cases"]], page["loans"], page["beyond"]) == ([theirs], [], True)
    (found,) = strange.post("/find", "R9", json={"name": NAME}).json()["items"]
    assert [case["id"] for case in found["cases"]] == [theirs]
    whole = strange.get("/borrowers/B-L1", "B1").json()
    assert ([case["id"] for case in whole["cases"]], whole["beyond"]) == ([theirs, 1], False)


def test_a_deputy_sees_the_cases_of_whom_he_stands_in_for_and_whose_they_are(strange: Running) -> None:
    assert strange.get("/me/cases", "R9").json()["items"] == []
    with writing(strange.started.engine) as conn:
        day = strange.started.branch.today(now())
        conn.execute(absences.insert().values(staff_no="R1", from_on=day, until_on=day, reason="leave", deputy="R9"))
        register.bump(conn)
    strange.client.app.state["serving"].tokens._held.clear()
    (line,) = strange.get("/me/cases", "R9").json()["items"]
    assert (line["id"], line["owner"]) == (1, "R1")
    assert strange.get("/cases/1", "R9").status_code == 200
    assert strange.post("/cases/1/notes", "R9", json={"text": "代办"}).status_code == 200
    (entry,) = bodies(strange, "case.noted")
    assert (entry["actor"]["id"], entry["data"]["acting_for"]) == ("R9", "R1")


# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_options_name_the_posts_that_could_do_what_the_caller_may_not(strange: Running) -> None:
    offers = {offer["event"]: offer for offer in strange.get("/cases/1/options", "R1").json()["events"]}
    place = offers["place"]
    assert not place["allowed"]
    assert place["posts"] == ["agency_post", "basic_risk_manager"]
    assert place["reasons"][0]["code"] == "post_not_permitted"
    assert place["reasons"][0]["needs"] == {"any_of_posts": ["agency_post", "basic_risk_manager"]}


def test_an_event_under_four_eyes_shows_who_asks_reviews_and_approves(strange: Running) -> None:
    offers = {offer["event"]: offer for offer in strange.get("/cases/1/options", "A1").json()["events"]}
    topic = strange.started.branch.rulebook.requests.approvals["suit"]
    assert offers["sue"]["four_eyes"] == {
        "topic": "suit", "ask": sorted(topic.proposed_by), "review": sorted(topic.reviewed_by),
        "approve": sorted(topic.approved_by),
    }  # fmt: skip
    assert offers["place"]["four_eyes"] is None


def test_facts_and_openings_are_offered_by_post_and_reach_alike(strange: Running) -> None:
    facts = {offer["kind"]: offer for offer in strange.get("/cases/1/options", "AUD1").json()["facts"]}
    assert not any(offer["allowed"] for offer in facts.values())
    assert {offer["reasons"][0]["code"] for offer in facts.values()} == {"post_not_permitted"}
    grounds = {offer["ground"]: offer for offer in strange.get("/loans/L2/openings", "T1").json()["openings"]}
    assert grounds["misuse"]["reasons"][0]["code"] == "post_not_permitted"
    assert strange.get("/loans/L2/openings", "R1").json()["openings"][1]["allowed"]


# ── in clear ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def reveal(running: Running, staff_no: str = "P1", **body: Any) -> Any:
    return running.post("/borrowers/B-L1/reveal", staff_no, json={"fields": ["name"], "purpose": "collection", **body})


def test_fields_are_shown_in_clear_for_a_purpose_and_the_entry_says_so(known: Running) -> None:
    answer = reveal(known, fields=["name", "id_number", "phone", "contact_name", "address"], purpose="judicial")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["name"], body["id_number"]) == (NAME, ID_NUMBER)
    (contact,) = body["contacts"]
    assert (contact["name"], contact["phone"], contact["address"]) == (NAME, PHONE, ADDRESS)
    (entry,) = bodies(known, "personal.revealed")
    assert entry["data"] == {
        "fields": ["address", "contact_name", "id_number", "name", "phone"], "purpose": "judicial", "masked": False,
        "contact_ids": [contact["id"]],
    }  # fmt: skip
    assert (entry["stream"], entry["actor"]["id"]) == ("borrower:wuhan~B-L1", "P1")
    assert findings(known.started) == []


def test_only_what_was_asked_for_is_shown(known: Running) -> None:
    body = reveal(known, fields=["phone"]).json()
    assert (body["name"], body["id_number"]) == (None, None)
    (contact,) = body["contacts"]
    assert set(contact) == {"id", "phone"}
    assert reveal(known, fields=["name"]).json()["contacts"] == []


@pytest.mark.parametrize(
    ("staff_no", "body", "wanted"),
    [
        ("R1", {"fields": ["id_number"]}, (403, "reveal_not_permitted")),
        ("R1", {"fields": ["name", "id_number"]}, (403, "reveal_not_permitted")),
        ("ADM1", {}, (403, "post_not_permitted")),
        ("AUD1", {"purpose": "collection"}, (403, "purpose_not_permitted")),
        ("R1", {"purpose": "curiosity"}, (422, "purpose_unknown")),
        ("R1", {"purpose": "因为好奇"}, (422, "purpose_unknown")),
        ("R1", {"fields": ["note"]}, (403, "reveal_not_permitted")),
        ("R1", {"fields": ["shoe_size"]}, (422, "unknown_field")),
        ("R1", {"fields": []}, (422, "invalid_request")),
        ("R1", {"fields": ["phone"], "contact_ids": [999]}, (404, "unknown_contact")),
        ("R1", {"fields": ["phone"], "contact_ids": list(range(1, 60))}, (422, "invalid_request")),
        ("R1", {"mood": 1}, (422, "invalid_request")),
    ],
)
def test_what_may_not_be_shown_is_told_and_shown_to_nobody(
    known: Running, staff_no: str, body: dict[str, Any], wanted: tuple[int, str]
) -> None:
    answer = reveal(known, staff_no, **body)
    assert code(answer) == wanted
    assert not {NAME, ID_NUMBER, PHONE} & set(answer.text.split('"'))
    assert bodies(known, "personal.*") == []


def test_without_names_at_most_fifty_contacts_are_shown_at_once(known: Running) -> None:
    with writing(known.started.engine) as conn:
        for n in range(50):
            put_contact(conn, known.started.branch, Customer("wuhan", "B-L1"), role="kin", row_hash=b"%d" % n)
    assert code(reveal(known, fields=["phone"])) == (422, "too_many_contacts")
    assert len(reveal(known, fields=["phone"], contact_ids=[1, 2, 3]).json()["contacts"]) == 3


def test_nothing_is_shown_that_could_not_be_recorded(known: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry first: where it cannot be written, the answer is an error and holds nothing."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("casework.intake.feed.reveal.record_revealed", broken)
    answer = reveal(known)
    assert answer.status_code == 500
    assert NAME not in answer.text


def test_a_reader_who_names_no_purpose_reads_for_his_posts(known: Running) -> None:
    for staff_no in ("R1", "AUD1", "V1"):
        assert known.get("/borrowers/B-L1", staff_no).status_code == 200
    purposes = {body["actor"]["id"]: body["data"]["purpose"] for body in bodies(known, "personal.read")}
    assert purposes == {"R1": "collection", "AUD1": "audit", "V1": "approval"}
    assert code(known.get("/borrowers/B-L1", "AUD1", params={"purpose": "visit"})) == (403, "purpose_not_permitted")


def test_a_post_sees_of_a_borrower_what_the_table_lists_for_it(known: Running) -> None:
    newcomer(known, "CS1", "customer_service")
    page = known.get("/borrowers/B-L1", "CS1").json()
    (contact,) = page["contacts"]
    assert (page["name"], contact["phone"], contact["address"], contact["name"]) == ("张**", "138****0000", None, None)
    (entry,) = bodies(known, "personal.read")
    assert entry["data"]["fields"] == ["id_number", "name", "phone"]


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_taking_a_list_out_is_an_entry_with_filter_rows_and_format(known: Running, kind: str) -> None:
    assert known.get(f"/cases.{kind}", "B1", params={"dpd_min": 1, "state": "phone_collection"}).status_code == 200
    (entry,) = bodies(known, "cases.exported")
    assert entry["stream"] == "exports:B1"
    digest = entry["data"].pop("digest")
    assert (len(digest), entry["data"]) == (
        64, {"filter": {"dpd_min": 1, "state": ["phone_collection"]}, "rows": 1, "format": kind}
    )  # fmt: skip
    assert findings(known.started) == []


@pytest.mark.parametrize("staff_no", ["R1", "T1", "P1", "G1", "A1", "V1", "ADM1"])
def test_whoever_may_look_at_cases_may_not_for_that_take_them_out(known: Running, staff_no: str) -> None:
    for path in ("/cases.csv", "/cases.xlsx"):
        assert code(known.get(path, staff_no)) == (403, "post_not_permitted")
    with reading(known.started.engine) as conn:
        assert conn.execute(sa.select(entries.c.id).where(entries.c.event == "cases.exported")).all() == []
