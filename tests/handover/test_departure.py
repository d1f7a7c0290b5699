"""A departure from plan to receipt: every case goes by rule, all at once, and what else was his ends."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.lifecycle.commands import Done, Mistaken, Note, Refused
from casework.people.staff import register, tokens
from casework.people.staff.absence import absent
from casework.people.staff.actor import system
from casework.people.staff.tables import absences, posts_held, staff
from casework.people.staff.tables import tokens as token_rows
from casework.settings import load_keys
from casework.storage.database import reading, writing
from casework.work.cases.commands import Assign
from casework.work.cases.queries import find_case
from casework.work.four_eyes import recording
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.tables import requests
from casework.work.handover import queries
from casework.work.handover.applying import Applied, apply
from casework.work.handover.approving import Approved
from casework.work.handover.replanning import Replanned
from casework.work.handover.tables import handovers
from tests.handover.house import House, at


def shown(house: House, handover: int) -> queries.Handover:
    with reading(house.started.engine) as conn:
        return queries.find(conn, handover)


def assert_sound(house: House) -> None:
    keys = load_keys(house.started.settings.keys_dir)
    with reading(house.started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, house.started.branch.vault)
    assert report.verdict == "sound", report.findings


def refused(code: str, call: Any, *args: Any, **more: Any) -> CallerError:
    with pytest.raises(CallerError) as raised:
        call(*args, **more)
    assert raised.value.code == code, raised.value
    assert raised.value.zh
    return raised.value


# ── the whole way ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_case_of_a_leaver_goes_by_rule_and_he_has_left_in_the_same_transaction(house: House) -> None:
    new = house.open("L1", "L2", days_past_due=5)
    old = house.open("L3", days_past_due=90)  # due before the cut-off
    bad = house.open("L4", days_past_due=200, npl_since="2023-10-01")
    finding = house.open("L5", ground="arrears", owner="R2")  # not his
    settled = house.open("L6")
    house.settle(settled[0])
    handover = house.plan("R1")
    assert isinstance(house.approve(handover), Approved)
    applied = house.apply(handover)
    assert applied.cases == 4
    owners = house.owners()
    assert {owners[case_id] for case_id in new} == {("C1", "C1")}, "newly overdue: phone collection of his team"
    assert owners[old[0]] == ("P1", "P1"), "overdue before the cut-off: a post-loan officer"
    assert owners[bad[0]][0] in ("A1", "A2"), "old non-performing: asset preservation"
    assert owners[finding[0]] == ("R2", "R2")
    assert owners[settled[0]] == ("C1", "C1"), "a settled case may come back, and must not come back to nobody"
    assert house.events(f"handover:{handover}") == ["handover.planned", "handover.approved", "handover.applied"]
    assert house.events("staff:R1")[-1] == "staff.left"
    (row,) = house.read(sa.select(staff).where(staff.c.staff_no == "R1"))
    assert (row.status, row.left_on) == ("left", house.today)
    for case_id, move in house.moves(handover).items():
        *_, last = house.history(case_id)
        assert move.entry_id == f"case:{case_id}:{last.stream_seq}", "a receipt per case"
        assert (last.owner, last.reason, last.rule) == (move.receiver, "departure", move.rule)
        assert house.events(f"case:{case_id}")[-1] == "case.assigned"
    assert_sound(house)


def test_what_a_case_carries_and_who_is_full_before_and_after_is_in_the_preview(house: House) -> None:
    first, second, visited = house.open("L1", "L2", "L3")
    house.connect(first)
    house.promise("R1", first, date(2024, 3, 9))
    house.connect(second)
    house.promise("R1", second, date(2024, 3, 5))
    house.hold("B1", second, "dispute")
    house.fire("R1", visited, "start_visit", address_kind="home", address="虚构路1号", visit_on="2024-03-04")
    house.change("C1", capacity=10)
    preview = shown(house, house.plan("R1")).preview
    to, visits = preview.receivers
    assert (to.receiver, to.cases, to.overdue_fen, to.outstanding_principal_fen) == ("C1", 2, 200_000, 10_000_000)
    assert (to.open_before, to.open_after, to.capacity) == (0, 2, 10)
    assert (to.by_state, visits.by_state) == ({"phone_collection": 2}, {"home_visit": 1})
    assert [(one.kind, one.cases, str(one.earliest)) for one in (*to.carried, *visits.carried)] == [
        ("promise", 2, "2024-03-05"), ("hold", 1, "None"), ("visit", 1, "2024-03-04"),
    ]  # fmt: skip
    assert preview.unplaced == 0


def test_marks_and_facts_move_with_the_case(house: House) -> None:
    (case_id,) = house.open("L1")
    house.connect(case_id)
    house.promise("R1", case_id, date(2024, 3, 9))
    handover = house.plan("R1")
    house.approve(handover)
    house.apply(handover)
    with reading(house.started.engine) as conn:
        case = find_case(conn, case_id)
    assert str(case.facts.promise_pay_by) == "2024-03-09"
    assert case.facts.named == "C1", "nothing of it comes back to who has left"


def test_a_colleague_who_works_on_his_case_goes_on_and_a_case_he_only_handled_goes_to_its_owner(house: House) -> None:
    owned, handled = house.open("L1"), house.open("L2", owner="R2")
    boss = house.who("B1")
    house.do(
        Assign(actor=boss, id=owned[0], owner="R1", handler="C2", reason="other"),
        Assign(actor=boss, id=handled[0], owner="R2", handler="R1", reason="other"),
    )
    handover = house.plan("R1")
    house.approve(handover)
    house.apply(handover)
    assert house.owners() == {owned[0]: ("C1", "C2"), handled[0]: ("R2", "R2")}
    assert house.moves(handover)[handled[0]].reason == "owner_stays"
    assert_sound(house)


def test_his_tokens_posts_leave_deputising_and_proposals_end_with_him(house: House) -> None:
    (case_id,) = house.open("L1", owner="R2")
    with writing(house.started.engine) as conn:
        branch, actor = house.started.branch, system("cli")
        trail = branch.trail(now())
        token = tokens.issue(conn, trail, actor, staff_no="R1")
        of_program = tokens.new_key(conn, trail, actor, staff_no="R1", commands=["service.read"], program="prometheus")
        absent(
            conn, trail, actor, branch.rulebook.permissions, staff_no="R2", from_on=house.today,
            until_on=house.today + timedelta(days=9), reason="leave", deputy="R1",
        )  # fmt: skip
        trail.write(conn)
    handover = house.plan("R1")
    ending = shown(house, handover).preview.ending
    assert (ending.tokens, ending.deputises_for, ending.posts) == (2, ["R2"], ["business_rep"])
    assert ending.programs == ["prometheus"]
    house.approve(handover)
    applied = house.apply(handover)
    assert applied.access_ended >= 1
    with reading(house.started.engine) as conn:
        hashes = [tokens.hash_of(text) for text in (token, of_program.token)]
        revoked = sa.select(token_rows.c.revoked_at).where(token_rows.c.token_hash.in_(hashes))
        assert None not in conn.execute(revoked).scalars().all(), "a leaver's token, and a program's that they own"
        rows = conn.execute(sa.select(absences).where(absences.c.until_on > house.today)).all()
        assert [row.deputy for row in rows] == [None], "nobody deputises through him"
        open_posts = sa.select(posts_held).where(posts_held.c.staff_no == "R1", posts_held.c.until_on.is_(None))
        assert conn.execute(open_posts).all() == []
    assert house.owners()[case_id] == ("R2", "R2"), "his principal keeps what is his own"
    with pytest.raises(CallerError, match="has left"):
        house.who("R1")
    assert_sound(house)


def test_a_leavers_pending_proposals_are_returned(house: House) -> None:
    house.open("L1")
    with writing(house.started.engine) as conn:
        asked = four_eyes.ask(
            conn, house.started.branch, actor=house.who("D1"), kind="post", subject="staff:R2",
            what="post_loan_officer", data={"from_on": house.today.isoformat()},
        )  # fmt: skip
    assert isinstance(asked, recording.Asked)
    handover = house.plan("D1")
    assert [one.id for one in shown(house, handover).preview.ending.proposals] == [asked.request_id]
    house.approve(handover)
    assert house.apply(handover).returned == [asked.request_id]
    assert house.events(f"request:{asked.request_id}")[-1] == "request.step.return"
    assert_sound(house)


def test_somebody_who_returns_gets_no_old_cases(house: House) -> None:
    (case_id,) = house.open("L1")
    handover = house.plan("R1")
    house.approve(handover)
    house.apply(handover)
    with writing(house.started.engine) as conn:
        trail = house.started.branch.trail(now() + timedelta(days=30))
        register.come_back(conn, trail, system("cli"), staff_no="R1", team="T1", region="G1")
        trail.write(conn)
    assert house.owners()[case_id] == ("C1", "C1")
    assert shown(house, house.plan("R1", on=house.today)).preview.cases == 0


def test_nobody_with_no_cases_needs_no_receiver(house: House) -> None:
    handover = house.plan("C3")
    house.approve(handover)
    assert house.apply(handover).cases == 0
    assert_sound(house)


# ── who receives ────────────────────────────────────────────────────────────────────────────────────────────


def test_receivers_named_by_hand_share_the_load(house: House) -> None:
    house.open(*[f"L{n}" for n in range(9)])
    house.change("C1", capacity=10)
    house.change("C2", capacity=20)
    preview = shown(house, house.plan("R1", receivers=("C1", "C2"))).preview
    assert {one.receiver: one.cases for one in preview.receivers} == {"C1": 3, "C2": 6}


@pytest.mark.parametrize(
    ("receivers", "code"),
    [
        (("NOBODY",), "receiver_unknown"),
        (("R1",), "receiver_is_leaver"),
        (("X9",), "receiver_not_there"),
        (("X1",), "receiver_without_post"),
        (("C3",), "receiver_leaving"),
        (("C2",), "receiver_full"),
    ],
)
def test_a_receiver_who_cannot_receive_is_told_and_nothing_is_planned(
    house: House, receivers: tuple[str, ...], code: str
) -> None:
    house.open("L1", "L2")
    house.open("L9", owner="X9")
    with writing(house.started.engine) as conn:
        conn.execute(staff.insert().values(staff_no="X9", name="X9", status="unverified", added_at=now()))
    house.change("C2", capacity=1)
    house.change("C3", leaves_on=house.today + timedelta(days=3))
    refused(code, house.plan, "R1", receivers=receivers)
    assert house.plan("R1", receivers=("C1",)) == 1, "the good twin"


def test_a_case_that_cannot_be_placed_is_told_with_why_and_the_plan_is_not_asked_for(house: House) -> None:
    house.open("L1", "L2", "L3")
    for staff_no in ("C1", "C2", "C3", "B1", "B2", "P1", "A1", "A2"):
        house.change(staff_no, capacity=1 if staff_no == "C1" else 0)
    handover = house.plan("R1")
    found = shown(house, handover)
    assert found.request is None
    assert (found.preview.unplaced, found.preview.unplaced_by_reason) == (2, {"all_full": 2})
    assert {one.post for one in found.preview.unplaced_cases} == {"phone_collector"}
    refused("handover_unplaced", house.approve, handover)
    refused("handover_planned", house.apply, handover)
    house.change("C2", capacity=9)
    again = house.plan("R1")
    assert shown(house, again).preview.unplaced == 0
    assert house.row(handover).replaced_by == again


# ── four eyes ───────────────────────────────────────────────────────────────────────────────────────────────


def test_planner_leaver_and_their_deputies_cannot_approve(house: House) -> None:
    house.add("BV1", ("basic_risk_manager", "approver"), None, "G1")
    house.add("LV1", ("business_rep", "approver"), "T1", "G1")
    house.open("L1", owner="LV1")
    with writing(house.started.engine) as conn:
        trail = house.started.branch.trail(now())
        permissions = house.started.branch.rulebook.permissions
        absent(conn, trail, system("cli"), permissions, staff_no="LV1", from_on=house.today, until_on=house.today,
               reason="leave", deputy="V2")  # fmt: skip
        trail.write(conn)
    handover = house.plan("LV1", by="BV1")
    for who, code in (("BV1", "not_involved"), ("LV1", "not_concerned"), ("V2", "not_concerned")):
        outcome = house.approve(handover, by=who)
        assert isinstance(outcome, recording.Refused), outcome
        assert code in [reason.code for reason in outcome.reasons]
    assert house.row(handover).state == "planned"
    assert isinstance(house.approve(handover, by="V1"), Approved)


@pytest.mark.parametrize("who", ["R1", "B1", "X1", "D1", "C1"])
def test_who_holds_no_approving_post_cannot_approve(house: House, who: str) -> None:
    house.open("L1")
    handover = house.plan("R1", by="B2")
    refused("post_not_permitted", house.approve, handover, by=who)


def test_planning_and_applying_take_their_posts(house: House) -> None:
    house.open("L1")
    refused("post_not_permitted", house.plan, "R1", by="V1")
    handover = house.plan("R1")
    house.approve(handover)
    refused("post_not_permitted", house.apply, handover, by="R2")


def test_a_manager_who_leaves_does_not_carry_out_his_own_departure(house: House) -> None:
    house.open("L1", owner="R2")
    handover = house.plan("B1", by="B2")
    house.approve(handover)
    refused("handover_of_oneself", house.apply, handover, by="B1")
    assert isinstance(house.apply(handover, by="B2"), Applied)


# ── the world moves ─────────────────────────────────────────────────────────────────────────────────────────


def settle(house: House, ids: list[int]) -> None:
    house.settle(ids[0])


def come(house: House, ids: list[int]) -> None:
    house.open("L99")


def go(house: House, ids: list[int]) -> None:
    house.do(Assign(actor=house.who("B1"), id=ids[0], owner="R2", reason="other"))


def hold(house: House, ids: list[int]) -> None:
    house.hold("B1", ids[0], "dispute")


def receiver_leaves(house: House, ids: list[int]) -> None:
    handover = house.plan("C1", by="B2")
    house.approve(handover, by="V2")
    house.apply(handover, by="B2")


def receiver_full(house: House, ids: list[int]) -> None:
    house.change("C1", capacity=1)


MOVED = [settle, come, go, hold, receiver_leaves]


@pytest.mark.parametrize("change", MOVED)
def test_a_plan_whose_world_moved_before_its_approval_is_planned_anew(house: House, change: Any) -> None:
    ids = house.open("L1", "L2")
    handover = house.plan("R1")
    change(house, ids)
    outcome = house.approve(handover)
    assert isinstance(outcome, Replanned), outcome
    assert (house.row(handover).state, house.row(handover).replaced_by) == ("replaced", outcome.by)
    assert house.row(outcome.by).planned_by == "B1"
    assert isinstance(house.approve(outcome.by), Approved)
    assert isinstance(house.apply(outcome.by), Applied)
    assert_sound(house)


# Once it is approved and its day has come no case can come (test_going).
@pytest.mark.parametrize("change", [*(moved for moved in MOVED if moved is not come), receiver_full])
def test_a_plan_whose_world_moved_after_its_approval_is_not_applied_but_planned_anew(house: House, change: Any) -> None:
    ids = house.open("L1", "L2")
    handover = house.plan("R1")
    house.approve(handover)
    change(house, ids)
    before, events = house.owners(), [house.events(f"case:{case_id}") for case_id in ids]
    outcome = house.apply(handover)
    assert isinstance(outcome, Replanned), outcome
    assert outcome.differences
    assert house.owners() == before
    assert [house.events(f"case:{case_id}") for case_id in ids] == events, "nothing was done to any case"
    refused("handover_planned", house.apply, outcome.by)
    refused("handover_replaced", house.apply, handover)
    assert isinstance(house.approve(outcome.by), Approved)
    assert isinstance(house.apply(outcome.by), Applied)
    assert_sound(house)


def test_a_note_changes_nothing_that_was_approved(house: House) -> None:
    (case_id,) = house.open("L1")
    handover = house.plan("R1")
    house.approve(handover)
    house.do(Note(actor=house.who("R1"), id=case_id, text="明天再打"))
    assert isinstance(house.apply(handover), Applied)


def test_who_planned_first_cannot_approve_what_the_service_planned_anew(house: House) -> None:
    house.add("BV1", ("basic_risk_manager", "approver"), None, "G1")
    (case_id,) = house.open("L1")
    handover = house.plan("R1", by="BV1")
    house.approve(handover)
    hold(house, [case_id])
    outcome = house.apply(handover, by="B1")
    assert isinstance(outcome, Replanned)
    again = house.approve(outcome.by, by="BV1")
    assert isinstance(again, recording.Refused)
    assert [reason.code for reason in again.reasons] == ["not_concerned"]


def test_through_the_requests_a_changed_plan_is_refused_too(house: House) -> None:
    house.open("L1")
    handover = house.plan("R1")
    house.open("L2")
    with writing(house.started.engine) as conn:
        outcome = four_eyes.approve(conn, house.started.branch, house.row(handover).request, actor=house.who("V1"))
    assert isinstance(outcome, recording.Refused)
    assert [reason.code for reason in outcome.reasons] == ["plan_changed"]


def reviewed_suit(house: House) -> tuple[int, int]:
    """A case, and a suit of it that waits for the approver alone."""
    (case_id,) = house.open("L9", days_past_due=200)
    house.record("P1", case_id, "disposal_form")
    house.record("P1", case_id, "limitation_check", ends_on="2030-01-01")
    with writing(house.started.engine) as conn:
        branch, who = house.started.branch, house.who
        asked = four_eyes.ask(
            conn, branch, actor=who("P1"), kind="event", subject=f"case:{case_id}", what="sue",
            data={"claim_fen": 100},
        )  # fmt: skip
        assert isinstance(asked, recording.Asked), asked
        assert isinstance(four_eyes.review(conn, branch, asked.request_id, actor=who("B1")), recording.Moved)
    return case_id, asked.request_id


def test_a_request_about_a_case_goes_along_with_it_until_it_expires(house: House) -> None:
    case_id, _ = reviewed_suit(house)
    owner = house.owners()[case_id][0]
    preview = shown(house, house.plan(owner)).preview
    (told,) = (thing for one in preview.receivers for thing in one.carried if thing.kind == "request")
    (request,) = house.read(sa.select(requests).where(requests.c.subject == f"case:{case_id}"))
    assert (told.kind, told.zh, told.en, told.cases, told.earliest) == (
        "request", "申请", "Request", 1, request.expires_on,
    )  # fmt: skip


def test_who_approves_a_plan_sues_nobody_though_a_writer_of_rows_made_it_name_a_suit(house: House) -> None:
    """Kind and subject are compared at the approval; another plan's request is no better than a suit's."""
    case_id, suit = reviewed_suit(house)
    handover, other = house.plan("R1"), house.plan("R2")
    mine = house.row(handover).request
    for named in (suit, house.row(other).request):
        with writing(house.started.engine) as conn:
            conn.execute(handovers.update().where(handovers.c.id == handover).values(request=named))
        refused("handover_request_differs", house.approve, handover)
    assert house.events(f"request:{suit}")[-1] == "request.step.review"
    assert "case.step.sue" not in house.events(f"case:{case_id}")
    with writing(house.started.engine) as conn:
        conn.execute(handovers.update().where(handovers.c.id == handover).values(request=mine))
    assert isinstance(house.approve(handover), Approved), "the good twin"


def test_a_plan_whose_request_was_returned_is_asked_for_again_and_approved(house: House) -> None:
    house.open("L1")
    handover, before = house.plan("R1"), 0
    with writing(house.started.engine) as conn:
        branch, before = house.started.branch, house.row(handover).request
        four_eyes.send_back(conn, branch, before, actor=house.who("V1"), reason="evidence_missing")
    with writing(house.started.engine) as conn:
        asked = four_eyes.ask(
            conn, branch, actor=house.who("B1"), kind="handover", subject=f"handover:{handover}", what="departure",
            data={"digest": house.row(handover).plan_digest},
        )  # fmt: skip
    assert isinstance(asked, recording.Asked), asked
    assert house.row(handover).request == asked.request_id != before
    assert isinstance(house.approve(handover), Approved)
    assert house.events(f"handover:{handover}") == ["handover.planned", "handover.asked", "handover.approved"]
    assert_sound(house)


# ── statuses and days ───────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_applied_once(house: House) -> None:
    house.open("L1")
    handover = house.plan("R1")
    refused("handover_planned", house.apply, handover)
    house.approve(handover)
    refused("handover_approved", house.approve, handover)
    house.apply(handover)
    refused("handover_applied", house.apply, handover)
    refused("handover_applied", house.withdraw, handover)
    refused("staff_left", house.plan, "R1")
    refused("unknown_handover", house.apply, 99)
    refused("unknown_handover", house.apply, 2**60)


def test_a_withdrawn_plan_is_neither_approved_nor_applied_and_its_request_is_returned(house: House) -> None:
    house.open("L1")
    handover = house.plan("R1")
    house.withdraw(handover)
    request = shown(house, handover).request
    assert request is not None
    assert request.state == "returned"
    refused("handover_withdrawn", house.approve, handover)
    assert isinstance(house.approve(house.plan("R1")), Approved)
    assert_sound(house)


def test_a_departure_is_applied_from_its_day_on(house: House) -> None:
    house.open("L1")
    day = house.today + timedelta(days=5)
    handover = house.plan("R1", on=day)
    house.approve(handover)
    refused("handover_not_yet", house.apply, handover)
    with writing(house.started.engine) as conn:
        applied = apply(conn, house.started.branch, handover, actor=system("sweep"), clock=at(day))
    assert isinstance(applied, Applied)
    (row,) = house.read(sa.select(staff).where(staff.c.staff_no == "R1"))
    assert row.left_on == day


def test_the_known_last_day_is_the_day_of_the_plan(house: House) -> None:
    house.change("R1", leaves_on=house.today + timedelta(days=7))
    assert house.row(house.plan("R1")).effective_on == house.today + timedelta(days=7)


@pytest.mark.parametrize(("days", "code"), [(400, "day_out_of_range"), (-400, "day_out_of_range")])
def test_a_day_far_away_is_a_slip(house: House, days: int, code: str) -> None:
    refused(code, house.plan, "R1", on=house.today + timedelta(days=days))
    refused("unknown_staff", house.plan, "NOBODY")
    refused("home_not_wanted", house.plan, "R1", team="T2")


# ── transfers ───────────────────────────────────────────────────────────────────────────────────────────────


def test_who_moves_leaves_the_cases_of_his_old_territory_and_keeps_those_of_the_new(house: House) -> None:
    old, new = house.open("L1", team="T1"), house.open("L2", team="T2")
    handover = house.plan("R1", kind="transfer", team="T2")
    assert shown(house, handover).preview.stays == 1
    house.approve(handover)
    house.apply(handover)
    assert house.owners() == {old[0]: ("C1", "C1"), new[0]: ("R1", "R1")}
    assert house.who("R1").team == "T2"
    assert house.events("staff:R1")[-1] == "staff.moved"
    assert_sound(house)


def test_a_post_that_is_bound_to_no_place_keeps_its_cases(house: House) -> None:
    (case_id,) = house.open("L1", days_past_due=200, npl_since="2023-10-01")
    owner = house.owners()[case_id][0]
    handover = house.plan(owner, kind="transfer", region="G7")
    assert (shown(house, handover).preview.cases, shown(house, handover).preview.stays) == (0, 1)


@pytest.mark.parametrize(
    ("home", "code"),
    [({}, "home_needed"), ({"team": "T1", "region": "G1"}, "nothing_changes")],
)
def test_a_transfer_leads_somewhere_else(house: House, home: dict[str, str], code: str) -> None:
    refused(code, house.plan, "R1", kind="transfer", **home)


def test_the_door_itself_still_refuses_what_a_plan_may_not_do(house: House) -> None:
    """Nobody assigns under the name of a hand-over without its post."""
    (case_id,) = house.open("L1")
    (outcome,) = house.do(
        Assign(actor=house.who("R1"), id=case_id, owner="C1", reason="departure", permitted_by="handover.apply")
    )
    assert isinstance(outcome, Refused)
    assert outcome.forbidden
    (outcome,) = house.do(
        Assign(actor=house.who("R2"), id=case_id, owner="C1", reason="departure", permitted_by="handover.apply")
    )
    assert outcome == Mistaken("unknown_case", case_id)
    (good,) = house.do(
        Assign(actor=house.who("B1"), id=case_id, owner="C1", reason="departure", permitted_by="handover.apply")
    )
    assert isinstance(good, Done)
