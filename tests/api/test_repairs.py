"""Information repairs over HTTP: an agency's, entered by the post that answers for the case while it is placed."""

from typing import Any

from casework.customer import Customer
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.api.test_every_event import event, repaired
from tests.api.test_every_event import preparation as prepared
from tests.on_books import put_borrower, put_loan

ANY = {"If-Match": "*"}
WHY = {"because": "wrong_number"}


def on_books(running: Running, loan_id: str) -> int:
    """A case of R1's, 31 days past due, whose debtor is on the books."""
    branch, customer = running.started.branch, Customer("wuhan", f"B-{loan_id}")
    with writing(running.started.engine) as conn:
        put_loan(
            conn, branch, loan_id=loan_id, **customer._asdict(), product="consumer", owner_staff_no="R1", team="T1",
            region="R1", principal_fen=9_000_000, outstanding_principal_fen=5_000_000, row_hash=loan_id.encode(),
        )  # fmt: skip
        put_borrower(conn, branch, customer, name="甄不存", id_number=f"{loan_id:0>18}")
    (case_id,) = running.open(loan_id, days_past_due=31)
    return case_id


def test_what_is_placed_the_agency_repairs_through_its_post_and_nothing_in_house(running: Running) -> None:
    placed, at_home = on_books(running, "L1"), on_books(running, "L2")
    running.do(*prepared("place", placed), repaired(placed), event(placed, "G1", "place"))
    assert running.get(f"/cases/{placed}", "G1").json()["owner"] == "G1"

    def begun(case_id: int, ground: str, staff_no: str = "G1") -> tuple[int, dict[str, Any]]:
        answer = running.post("/repairs", staff_no, json={"of": case_id, "ground": ground, "data": WHY})
        return answer.status_code, answer.json()

    status, told = begun(at_home, "placed")
    assert (status, [one["code"] for one in told["reasons"]]) == (409, ["case_is_placed"])
    assert begun(at_home, "started")[0] == 403
    theirs = begun(at_home, "started", "R1")[1]["id"]
    tried = {"event": "try_source", "data": {"source": "court"}}
    problem(running.post(f"/repairs/{theirs}/events", "G1", json=tried, headers=ANY), 403, "out_of_reach")

    status, told = begun(placed, "placed")
    assert status == 201, told
    number = told["id"]
    assert running.post(f"/repairs/{number}/events", "G1", json=tried, headers=ANY).status_code == 200
    found = {"role": "debtor", "phone": "12000000001", "source": "liable_person", "legal_basis": "contract"}
    done = running.post(f"/repairs/{number}/findings", "G1", json=found, headers=ANY)
    assert (done.status_code, done.json()["state"]) == (200, "found"), done.text
    case = running.get(f"/cases/{placed}", "G1").json()
    assert (case["state"], case["facts"]["repaired_on"]) == ("outsourced", "2026-01-10")
