"""Four eyes over HTTP and at the shell: journeys, who sees what, refusals as problems, repeats."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.clock import now
from casework.lifecycle.commands import Done, Record
from casework.people.staff.acting import actor_for
from tests.api.conftest import BUSINESS_DATE, Running, findings

SUE = {"claim_fen": 100}


def suable(running: Running, loan: str = "L1", limitation_ends_on: str = "2027-01-01") -> int:
    """A case for which every guard of a suit holds."""
    (case_id,) = running.open(loan, days_past_due=40)
    facts: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("P1", "disposal_form", {}),
        ("A1", "limitation_check", {"ends_on": limitation_ends_on}),
        ("A1", "acceleration", {}),
    )
    with running.started.engine.connect() as conn:
        actors = {who: actor_for(conn, who, "api", today=running.started.branch.today(now())) for who, *_ in facts}
    outcomes = running.do(
        *(Record(actor=actors[who], id=case_id, kind=kind, on=BUSINESS_DATE, evidence="d:1", data=data)
          for who, kind, data in facts)
    )  # fmt: skip
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    return case_id


def asked(running: Running, case_id: int, who: str = "A1", **headers: str) -> Any:
    body = {"kind": "event", "subject": f"case:{case_id}", "what": "sue", "data": SUE}
    return running.post("/requests", who, json=body, headers=headers)


def inbox(running: Running, who: str, **query: Any) -> list[int]:
    answer = running.get("/requests", who, params=query)
    assert answer.status_code == 200, answer.text
    return [line["id"] for line in answer.json()["items"]]


def test_a_suit_goes_from_the_proposer_to_the_reviewer_to_the_approver(running: Running) -> None:
    """Each finds it in his inbox when it is his turn, and nobody else does."""
    case_id = suable(running)
    answer = asked(running, case_id)
    assert answer.status_code == 201
    number = answer.json()["request_id"]
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/requests/{number}", '"1"')
    boxes = {who: inbox(running, who) for who in ("A1", "B1", "V1", "R1", "AUD1", "ADM1")}
    assert boxes == {"A1": [], "B1": [number], "V1": [], "R1": [], "AUD1": [], "ADM1": []}
    assert inbox(running, "A1", box="mine") == [number]
    options = {one["event"]: one for one in running.get(f"/cases/{case_id}/options", "B1").json()["events"]}
    assert options["sue"]["request"]["id"] == number
    assert options["sue"]["request"]["missing"] == ["review", "approve"]
    assert options["write_off"]["request"] is None
    detail = running.get(f"/requests/{number}", "B1").json()
    assert detail["data"] == SUE
    allowed = {step["event"]: step["allowed"] for step in detail["options"]}
    assert allowed == {"review": True, "approve": False, "return": True, "withdraw": False}
    assert running.post(f"/requests/{number}/review", "B1", json={"remark": "材料齐全"}).status_code == 200
    assert (inbox(running, "B1"), inbox(running, "V1"), inbox(running, "V2")) == ([], [number], [number])
    done = running.post(f"/requests/{number}/approve", "V1", json={})
    assert done.status_code == 200
    assert done.json()["state"] == "approved"
    assert done.json()["carried_out"].startswith(f"case:{case_id}:")
    assert running.get(f"/cases/{case_id}", "A1").json()["state"] == "litigation"
    assert inbox(running, "V1") == []
    assert inbox(running, "V1", subject=f"case:{case_id}") == [number]
    assert findings(running.started) == []


def test_a_refusal_is_a_problem_with_every_reason_and_stays_on_record(running: Running) -> None:
    case_id = suable(running)
    number = asked(running, case_id).json()["request_id"]
    early = running.post(f"/requests/{number}/approve", "V1", json={})
    assert (early.status_code, early.json()["code"]) == (409, "refused")
    assert [reason["code"] for reason in early.json()["reasons"]] == ["review_done"]
    assert early.json()["entry_id"] == f"request:{number}:2"
    own = running.post(f"/requests/{number}/review", "A1", json={})
    assert (own.status_code, own.json()["code"]) == (403, "post_not_permitted"), "the route is not for his posts"
    (unready,) = running.open("L2", days_past_due=40)
    refused = asked(running, unready)
    assert refused.status_code == 409
    assert {reason["code"] for reason in refused.json()["reasons"]} == {"disposal_form_filed", "limitation_checked"}
    again = asked(running, case_id, "P1")
    assert (again.status_code, again.json()["code"], again.json()["request"]) == (409, "request_open_already", number)
    assert findings(running.started) == []


def test_a_suit_after_limitation_is_told_as_a_flag_wherever_the_request_is_seen(running: Running) -> None:
    """In the answers, the inbox, the request's page, the options of the case, at the shell; twin: no flag at all."""
    expected = [("limitation_running", ["CC188", "CC193"], "诉讼时效已于2020-01-01届满，债务人可据此抗辩",
                 "limitation ended on 2020-01-01: the debtor may plead it")]  # fmt: skip

    def told(flags: Any) -> list[tuple[Any, ...]]:
        return [(flag["code"], flag["rules"], flag["zh"], flag["en"]) for flag in flags]

    for loan, ends_on, flags in (("L1", "2020-01-01", expected), ("L2", "2027-01-01", [])):
        case_id = suable(running, loan, ends_on)
        options = {one["event"]: one for one in running.get(f"/cases/{case_id}/options", "A1").json()["events"]}
        assert (told(options["sue"]["flags"]), options["sue"]["allowed"]) == (flags, True)
        answer = asked(running, case_id)
        assert (answer.status_code, told(answer.json()["flags"])) == (201, flags)
        number = answer.json()["request_id"]
        (line,) = [one for one in running.get("/requests", "B1").json()["items"] if one["id"] == number]
        assert told(line["flags"]) == flags
        assert told(running.get(f"/requests/{number}", "V1").json()["request"]["flags"]) == flags
        for text in (shell(running, "list", "--as", "B1").stdout, shell(running, "show", str(number)).stdout):
            assert ("limitation ended" in " ".join(text.split())) is bool(flags)
        assert told(running.post(f"/requests/{number}/review", "B1", json={}).json()["flags"]) == flags
        done = shell(running, "approve", str(number), "--as", "V1")
        assert (done.exit_code, "to weigh: limitation_running" in done.stdout) == (0, bool(flags))
        assert running.get(f"/cases/{case_id}", "A1").json()["state"] == "litigation"
    assert findings(running.started) == []


# the event, its data, the reasons it is refused for: the loan owes ¥50,000 and ¥21 of interest and penalty
ABOVE_THE_BOOKS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("sue", {"claim_fen": 999_999_999_999}, {"claim_within_debt"}),
    ("sue", {"claim_fen": 5_002_101}, {"claim_within_debt"}),
    ("sue", {"claim_fen": 5_002_100}, set()),
    ("write_off", {"criterion": "other", "principal_fen": 400_000_000, "interest_fen": 0},
     {"fit_to_write_off", "whole_principal"}),
    ("write_off", {"criterion": "death", "principal_fen": 1, "interest_fen": 0}, {"whole_principal"}),
    ("write_off", {"criterion": "death", "principal_fen": 5_000_000, "interest_fen": 2_101}, {"interest_within_books"}),
    ("write_off", {"criterion": "death", "principal_fen": 5_000_000, "interest_fen": 2_100}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("event", "data", "expected"), ABOVE_THE_BOOKS)
def test_what_is_above_the_books_is_not_even_asked_for_and_the_refusal_names_the_amounts(
    running: Running, event: str, data: dict[str, Any], expected: set[str]
) -> None:
    case_id = suable(running)
    body = {"kind": "event", "subject": f"case:{case_id}", "what": event, "data": data | _evidence(event)}
    answer = running.post("/requests", "A1", json=body)
    assert answer.status_code == (409 if expected else 201), answer.text
    reasons = {reason["code"]: reason for reason in answer.json().get("reasons", [])}
    assert reasons.keys() == expected
    for name, figure in (("claim_within_debt", "50,021.00"), ("whole_principal", "50,000.00"),
                         ("interest_within_books", "21.00")):  # fmt: skip
        if name in reasons:
            assert figure in reasons[name]["zh"]
            assert figure in reasons[name]["en"]


def _evidence(event: str) -> dict[str, str]:
    return {"evidence": "doc:1"} if event == "write_off" else {}


def test_a_claim_of_nothing_is_a_mistake_that_is_named(running: Running) -> None:
    body = {"kind": "event", "subject": f"case:{suable(running)}", "what": "sue", "data": {"claim_fen": 0}}
    answer = running.post("/requests", "A1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "faulty_data")
    (fault,) = answer.json()["faults"]
    assert (fault["field"], fault["zh"]) == ("claim_fen", "诉讼请求金额须大于零")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "event", "subject": "case:99", "what": "sue", "data": SUE}, 404, "unknown_case"),
        ({"kind": "event", "subject": "case:0", "what": "sue", "data": SUE}, 422, "invalid_request"),
        ({"kind": "event", "subject": "case:1", "what": "vanish", "data": {}}, 422, "unknown_event"),
        ({"kind": "event", "subject": "case:1", "what": "reached", "data": {}}, 422, "no_request_needed"),
        ({"kind": "event", "subject": "case:1", "what": "sue", "data": {}}, 422, "faulty_data"),
        ({"kind": "handover", "subject": "case:1", "what": "sue", "data": {}}, 422, "invalid_request"),
        ({"kind": "event", "subject": "case:1", "what": "sue", "colour": 1}, 422, "invalid_request"),
    ],
)
def test_mistakes_are_told_one_by_one(running: Running, body: dict[str, Any], status: int, code: str) -> None:
    assert suable(running) == 1
    answer = running.post("/requests", "A1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_versions_and_keys_are_honoured(running: Running) -> None:
    """A stale ETag changes nothing; a repeat with the same key gets the first answer and asks nothing twice."""
    case_id = suable(running)
    assert asked(running, case_id, **{"If-Match": '"1"'}).status_code == 412
    first = asked(running, case_id, **{"Idempotency-Key": "k1"})
    repeat = asked(running, case_id, **{"Idempotency-Key": "k1"})
    assert (first.status_code, first.json()) == (201, repeat.json())
    assert repeat.headers["Idempotent-Replay"] == "true"
    other = running.post("/requests", "A1", headers={"Idempotency-Key": "k1"},
                         json={"kind": "event", "subject": "case:7", "what": "sue", "data": SUE})  # fmt: skip
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    number = first.json()["request_id"]
    stale = running.post(f"/requests/{number}/review", "B1", json={}, headers={"If-Match": '"9"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert running.post(f"/requests/{number}/review", "B1", json={}, headers={"If-Match": '"1"'}).status_code == 200


def test_who_has_nothing_to_do_with_a_request_does_not_see_it(running: Running) -> None:
    """A rep sees those of his cases; an administrator sees no cases; the auditor sees all and changes none."""
    number = asked(running, suable(running)).json()["request_id"]
    assert running.get(f"/requests/{number}", "AUD1").status_code == 200
    refused = running.get(f"/requests/{number}", "ADM1")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_request")
    assert running.get("/requests/99", "B1").status_code == 404
    for act in ("review", "approve", "return", "withdraw"):
        body = {"reason": "other"} if act == "return" else {}
        assert running.post(f"/requests/{number}/{act}", "AUD1", json=body).status_code == 403


@pytest.mark.parametrize(("who", "sees_it"), [("AUD1", True), ("B1", True), ("ADM1", False)])
def test_whoever_may_see_open_requests_can_list_them_without_deciding_them(
    running: Running, who: str, sees_it: bool
) -> None:
    """The auditor decides none and lists all; the administrator sees no cases and so not what is asked for them."""
    number = asked(running, suable(running)).json()["request_id"]
    page = running.get("/requests", who, params={"box": "open"}).json()
    assert [line["id"] for line in page["items"]] == ([number] if sees_it else [])
    running.post(f"/requests/{number}/withdraw", "A1", json={})
    assert running.get("/requests", who, params={"box": "open"}).json()["items"] == []


def test_the_shell_without_a_person_lists_every_open_request(running: Running) -> None:
    number = asked(running, suable(running)).json()["request_id"]
    alone = json.loads(shell(running, "list", "--json").stdout)["items"]
    auditor = json.loads(shell(running, "list", "--open", "--as", "AUD1", "--json").stdout)["items"]
    assert [line["id"] for line in alone] == [line["id"] for line in auditor] == [number]
    assert json.loads(shell(running, "list", "--as", "AUD1", "--json").stdout)["items"] == []


def test_pages_follow_each_other_without_gap_or_repeat(running: Running) -> None:
    numbers = [asked(running, suable(running, f"L{n}")).json()["request_id"] for n in range(5)]
    seen: list[int] = []
    after = 0
    while True:
        page = running.get("/requests", "B1", params={"limit": 2, "after": after}).json()
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == numbers
    assert running.get("/requests", "B1", params={"colour": "red"}).status_code == 422


def test_a_post_is_asked_for_and_granted(running: Running) -> None:
    body = {"kind": "post", "subject": "staff:R1", "what": "post_loan_officer", "data": {"from_on": "2020-01-01"}}
    answer = running.post("/requests", "ADM1", json=body)
    assert answer.status_code == 201, answer.text
    number = answer.json()["request_id"]
    assert inbox(running, "V1") == [number]
    done = running.post(f"/requests/{number}/approve", "V1", json={})
    assert done.json()["carried_out"].startswith("staff:R1:")
    assert findings(running.started) == []


def shell(running: Running, *arguments: str) -> Result:
    settings = running.started.settings
    environment = {
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
        "CASEWORK_STATECHARTS": str(settings.statecharts), "CASEWORK_DATABASE_OWNER_URL": "",
    }  # fmt: skip
    return CliRunner().invoke(main, ["request", *arguments], env=environment)


def test_the_same_at_the_shell(running: Running) -> None:
    """Asked, listed, shown, returned, asked anew, reviewed, approved; refusals end with exit code 1."""
    case_id = suable(running)
    done = shell(running, "ask", f"case:{case_id}", "sue", "--data", "claim_fen=100", "--as", "A1", "--json")
    assert done.exit_code == 0, done.output
    number = str(json.loads(done.stdout)["request_id"])
    assert json.loads(shell(running, "list", "--as", "B1", "--json").stdout)["items"][0]["id"] == int(number)
    assert "sue" in shell(running, "list", "--as", "B1").stdout
    assert "may not" in shell(running, "show", number, "--as", "V1").stdout
    refused = shell(running, "approve", number, "--as", "V1")
    assert (refused.exit_code, "review_done" in refused.stderr) == (1, True)
    alone = shell(running, "approve", number)
    assert (alone.exit_code, "post_not_permitted" in alone.stderr) == (1, True), "the service itself approves nothing"
    assert shell(running, "return", number, "--reason", "other", "--as", "B1").exit_code == 0
    assert shell(running, "withdraw", number, "--as", "A1").exit_code == 1
    number = str(asked(running, case_id).json()["request_id"])
    assert shell(running, "review", number, "--as", "B1", "--remark", "同意").exit_code == 0
    done = shell(running, "approve", number, "--as", "V2")
    assert (done.exit_code, "carried out as" in done.stdout) == (0, True)
    assert findings(running.started) == []
