"""Owners through the door: given by rule and by hand, every change dated, the past answered, SQL found out."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.lifecycle.commands import Done, Mistaken, Note, Record, Refused
from casework.people.staff import absence, acting, register
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.permissions import EVERYTHING, Reach
from casework.settings import load_keys
from casework.storage.database import reading, writing
from casework.work.cases.commands import Assign, Measure
from casework.work.cases.reassign import MoveWanted, Plan, plan
from casework.work.cases.responsible import owned_on, owners_of_case
from casework.work.cases.tables import cases, owner_history
from casework.work.four_eyes import requests
from tests.cases.test_advance import (
    FEED,
    TODAY,
    WHO,
    Branch,
    branch,
    fire,
    measure,
    only,
    opening,
    visit,
)
from tests.contacted import contact_day
from tests.fed import dated
from tests.log.built_log import guards_down

__all__ = ["branch"]  # a fixture
PLACE: dict[str, Any] = {"agency": "AG1", "term_until": "2024-06-01"}


def assign(case_id: int, owner: str, who: str = "B1", **more: Any) -> Assign:
    return Assign(actor=WHO[who], id=case_id, owner=owner, **{"reason": "workload", **more})


def cancel(branch: Branch, case_id: int) -> None:
    """Opened in error by one person's word; asked for, and approved by another."""
    branch.do(Record(actor=WHO["B1"], id=case_id, kind="opening_error", on=TODAY, evidence="doc:1"))
    with writing(branch.started.engine) as conn:
        asked = requests.ask(
            conn, branch.started.branch, actor=WHO["B1"], kind="event", subject=f"case:{case_id}", what="cancel",
            data={"reason": "opened_in_error"},
        )  # fmt: skip
        assert isinstance(asked, requests.Asked), asked
        moved = requests.approve(conn, branch.started.branch, asked.request_id, actor=WHO["V1"])
        assert isinstance(moved, requests.Moved), moved


def history(branch: Branch, case_id: int) -> list[tuple[str, str, str | None]]:
    """Owner, reason and rule of every row."""
    with reading(branch.started.engine) as conn:
        found = owners_of_case(conn, branch.started.branch, case_id).owners
    return [(one.owner, one.reason, one.rule) for one in found]


def business_date(branch: Branch, day: date) -> None:
    with writing(branch.started.engine) as conn:
        dated(conn, branch.started.branch, day)


def codes(outcome: Any) -> list[str]:
    assert isinstance(outcome, Refused), outcome
    return [reason.code for reason in outcome.reasons]


# ── by rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.every_postgres
def test_a_case_follows_its_state_to_the_post_that_owns_by_rule_and_comes_back_to_whoever_had_it(
    branch: Branch,
) -> None:
    (case_id,) = branch.open("L1", days_past_due=40)
    file = {"agency": "AG1", "active": True, "inspected_on": TODAY.isoformat(), "evaluated_on": TODAY.isoformat()}
    branch.do(contact_day(case_id, TODAY, connected=True))
    branch.do(Record(actor=WHO["G1"], id=case_id, kind="agency_file", on=TODAY, evidence="doc:7", data=file))
    placed = only(branch.do(fire("G1", case_id, "place", **PLACE)))
    assert isinstance(placed, Done), placed
    row, said = branch.case(case_id), branch.bodies(f"case:{case_id}")[-1]
    assert (placed.version, row.version, row.owner, row.handler) == (row.version, row.version, "G1", "G1")
    assert (said["event"], said["actor"]["id"], said["from"], said["to"]) == (
        "case.assigned", "G1", "outsourced", "outsourced",
    )  # fmt: skip
    assert (said["data"]["rule"], said["data"]["owner_post"], said["data"]["from_owner"]) == (
        "agency", "agency_post", "R1",
    )  # fmt: skip
    back = only(branch.do(fire("G1", case_id, "recall", reason="term_over", destruction_due_on="2024-04-01")))
    assert isinstance(back, Done)
    assert branch.case(case_id).owner == "R1"
    assert history(branch, case_id) == [
        ("R1", "by_rule", "own_customer"), ("G1", "by_rule", "agency"), ("R1", "by_rule", "own_customer"),
    ]  # fmt: skip
    branch.assert_sound()


def test_a_case_without_a_home_gets_its_owners(branch: Branch) -> None:
    loan = dict(opening("L1").loan) | {"team": None, "region": None}
    done = only(branch.do(replace(opening("L1"), loan=loan)))
    row = branch.case(done.id)
    assert (row.team, row.region) == ("T1", "R1")
    branch.assert_sound()


def measured(branch: Branch, case_id: int, **figures: Any) -> dict[str, Any]:
    """The last entry after a measure with other figures."""
    branch.do(Measure(actor=FEED, id=case_id, measure=measure(5) | figures, run=1))
    return branch.bodies(f"case:{case_id}")[-1]


@pytest.mark.every_postgres
def test_a_non_performing_date_that_is_learnt_later_moves_owner_and_handler_that_day(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    branch.do(assign(case_id, "R1", handler="T1"))
    said = measured(branch, case_id, npl_since="2023-12-31")
    row = branch.case(case_id)
    assert (row.owner, row.handler) == ("A1", "A1")
    assert (said["event"], said["data"]["reason"], said["data"]["rule"]) == ("case.assigned", "by_rule", "old_npl")
    assert (said["data"]["from_owner"], said["data"]["from_handler"], said["data"]["business_date"]) == (
        "R1", "T1", TODAY.isoformat(),
    )  # fmt: skip
    assert history(branch, case_id)[-1] == ("A1", "by_rule", "old_npl")
    branch.assert_sound()


STAYS: list[tuple[str, dict[str, Any]]] = [
    ("non-performing after the cut-off", {"npl_since": "2024-01-01"}),
    ("a worse class of a rep's own customer", {"risk_class": "loss"}),
    ("other amounts", {"overdue_principal_fen": 1, "overdue_interest_fen": 7}),
    ("an older bucket", {"bucket": "M2"}),
]


@pytest.mark.parametrize(("what", "figures"), STAYS, ids=[row[0] for row in STAYS])
def test_figures_under_which_the_same_rule_holds_move_nobody(
    branch: Branch, what: str, figures: dict[str, Any]
) -> None:
    (case_id,) = branch.open("L1")
    assert measured(branch, case_id, **figures)["event"] == "case.measured", what
    assert branch.case(case_id).owner == "R1"
    branch.assert_sound()


def test_a_placed_case_stays_with_the_agency_post_whatever_the_feed_learns_of_it(branch: Branch) -> None:
    (case_id,) = branch.open("L1", days_past_due=40)
    file = {"agency": "AG1", "active": True, "inspected_on": TODAY.isoformat(), "evaluated_on": TODAY.isoformat()}
    branch.do(Record(actor=WHO["G1"], id=case_id, kind="agency_file", on=TODAY, evidence="doc:7", data=file))
    assert isinstance(only(branch.do(fire("G1", case_id, "place", **PLACE))), Done)
    assert measured(branch, case_id, npl_since="2023-12-31")["event"] == "case.measured"
    assert branch.case(case_id).owner == "G1"
    branch.assert_sound()


def test_a_part_payment_makes_no_old_arrear_new(branch: Branch) -> None:
    """A leaver's old arrear stays the post-loan officer's when its oldest due date moves past the cut-off."""
    old = measure(5) | {"oldest_due_date": "2023-12-30", "bucket": "M3"}
    nobodys = dict(opening("L1").loan) | {"owner": None}
    case_id = only(branch.do(replace(opening("L1"), loan=nobodys, measure=old))).id
    assert branch.case(case_id).owner == "P1"
    business_date(branch, TODAY + timedelta(days=1))
    measured(branch, case_id)
    assert measured(branch, case_id, risk_class="substandard")["event"] == "case.measured"
    assert branch.case(case_id).owner == "P1"
    due_on_the_cut_off = measure(5) | {"oldest_due_date": "2023-12-31", "bucket": "M3"}
    nobodys |= {"loan_id": "L2"}
    case_id = only(branch.do(replace(opening("L2"), loan=nobodys, measure=due_on_the_cut_off))).id
    assert branch.case(case_id).owner == "T1", "in arrears first on 1 January"
    branch.assert_sound()


@pytest.mark.parametrize(
    ("was", "says", "days", "owner"),
    [
        pytest.param("2024-01-05", "2023-12-30", 0, "P1", id="older, that very day"),
        pytest.param("2024-01-05", "2023-12-30", 3, "P1", id="older, days later: only a mistake makes arrears older"),
        pytest.param("2023-12-30", "2024-01-05", 0, "T1", id="younger, that very day: a correction"),
        pytest.param("2023-12-30", "2024-01-05", 1, "P1", id="younger, the next day: a part payment"),
    ],
)
def test_an_oldest_due_date_that_was_reported_wrongly_moves_the_owner_and_a_part_payment_does_not(
    branch: Branch, was: str, says: str, days: int, owner: str
) -> None:
    first = measure(5) | {"oldest_due_date": was}
    nobodys = dict(opening("L1").loan) | {"owner": None}
    case_id = only(branch.do(replace(opening("L1"), loan=nobodys, measure=first))).id
    business_date(branch, TODAY + timedelta(days=days))
    measured(branch, case_id, oldest_due_date=says)
    assert branch.case(case_id).owner == owner
    branch.assert_sound()


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.every_postgres
def test_a_manager_gives_a_case_and_the_entry_names_from_whom_why_and_by_which_post(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    done = only(branch.do(assign(case_id, "P1", handler="T1", reason="absence")))
    assert done == Done(case_id, 2, "phone_collection", "phone_collection", f"case:{case_id}:2")
    row, said = branch.case(case_id), branch.bodies(f"case:{case_id}")[-1]["data"]
    assert (row.owner, row.handler) == ("P1", "T1")
    assert (said["from_owner"], said["reason"], said["post"], said["owner_post"], said["named"]) == (
        "R1", "absence", "basic_risk_manager", "post_loan_officer", "P1",
    )  # fmt: skip
    assert history(branch, case_id) == [("R1", "by_rule", "own_customer"), ("P1", "absence", None)]
    assert only(branch.do(visit(case_id))) == Mistaken("unknown_case", case_id), "he has lost his sight with the case"
    branch.assert_sound()


BARRED: list[tuple[str, Callable[[int], Assign], list[str]]] = [
    ("a collector may not", lambda c: assign(c, "P1", "T1"), ["post_not_permitted"]),
    ("to nobody", lambda c: assign(c, "Z9"), ["receiver_unknown"]),
    ("to the service itself", lambda c: assign(c, "system"), ["receiver_unknown"]),
    ("to somebody gone", lambda c: assign(c, "L9"), ["receiver_not_there"]),
    ("to somebody unverified", lambda c: assign(c, "U9"), ["receiver_not_there"]),
    ("to an approver", lambda c: assign(c, "V1"), ["receiver_without_post"]),
    ("to an approver, handled by somebody gone", lambda c: assign(c, "V1", handler="L9"), [
        "receiver_without_post", "receiver_not_there",
    ]),
    ("to whoever has it", lambda c: assign(c, "R1"), ["receiver_is_owner"]),
    ("to somebody full", lambda c: assign(c, "F9"), ["receiver_full"]),
    ("planned on another case", lambda c: assign(c, "P1", material_version=7), ["changed_since_asked"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "command", "expected"), BARRED, ids=[row[0] for row in BARRED])
def test_an_assignment_that_may_not_be_is_refused_with_every_reason_and_recorded(
    branch: Branch, what: str, command: Callable[[int], Assign], expected: list[str]
) -> None:
    with writing(branch.started.engine) as conn:
        trail, table = branch.started.branch.trail(now()), branch.started.branch.rulebook.permissions
        for staff_no, capacity in (("L9", None), ("F9", 0)):
            register.add(
                conn, trail, FEED, table, staff_no=staff_no, name="某员工", posts=["post_loan_officer"],
                capacity=capacity,
            )  # fmt: skip
        register.named_by_feed(conn, trail, FEED, ["U9"])
        register.leave(conn, trail, FEED, staff_no="L9", on=branch.started.branch.today(now()), cause={})
        trail.write(conn)
    (case_id,) = branch.open("L1")
    assert codes(only(branch.do(command(case_id)))) == expected, what
    assert branch.bodies(f"case:{case_id}")[-1]["event"] == "case.refused.assign"
    assert branch.case(case_id).owner == "R1"
    branch.assert_sound()


def test_a_closed_case_is_given_to_nobody_and_a_reason_nobody_knows_is_a_mistake(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    mistaken = only(branch.do(assign(case_id, "P1", reason="whim")))
    assert isinstance(mistaken, Mistaken)
    assert [fault.field for fault in mistaken.faults] == ["reason"]
    cancel(branch, case_id)
    assert codes(only(branch.do(assign(case_id, "P1")))) == ["case_closed"]
    branch.assert_sound()


# ── lists of cases ──────────────────────────────────────────────────────────────────────────────────────────────────


def planned(branch: Branch, named: list[int], wanted: MoveWanted) -> Plan:
    with reading(branch.started.engine, snapshot=True) as conn:
        return plan(conn, branch.started.branch, WHO["B1"], [(number, None) for number in named], wanted)


def test_cases_are_spread_by_rule_within_capacity_and_what_cannot_be_placed_is_told(branch: Branch) -> None:
    unnamed = [replace(opening(f"L{n}"), loan=dict(opening(f"L{n}").loan) | {"owner": None}) for n in range(6)]
    ids = [done.id for done in branch.do(*unnamed) if isinstance(done, Done)]
    assert {branch.case(number).owner for number in ids} == {"T1"}
    with writing(branch.started.engine) as conn:
        trail, table = branch.started.branch.trail(now()), branch.started.branch.rulebook.permissions
        for staff_no, capacity in (("C1", 2), ("C2", 1)):
            register.add(
                conn, trail, FEED, table, staff_no=staff_no, name="某员工", posts=["phone_collector"], team="T1",
                region="R1", capacity=capacity,
            )  # fmt: skip
        for staff_no, capacity in (("T1", 2), ("B1", 0), ("P1", 0), ("A1", 0)):
            register.change(conn, trail, FEED, staff_no=staff_no, figures={"capacity": capacity})
        trail.write(conn)
    made = planned(branch, ids, MoveWanted())
    assert made == planned(branch, ids, MoveWanted()), "the same again: a preview can be relied on"
    before = branch.dump()
    preview = branch.do(*made.commands, dry_run=True)
    assert branch.dump() == before
    done = branch.do(*made.commands)
    assert made.receivers(preview) == made.receivers(done)
    loads = {one.staff_no: (one.cases, one.before, one.after, one.capacity) for one in made.receivers(done)}
    assert loads == {"C1": (2, 0, 2, 2), "C2": (1, 0, 1, 1), "T1": (0, 6, 3, 2)}
    told = made.outcomes(done)
    assert [type(outcome) for outcome in told] == [Done] * 3 + [Refused] * 3
    assert [codes(outcome) for outcome in told[3:]] == [["all_full"]] * 3
    assert {row.owner for row in map(branch.case, ids)} == {"C1", "C2", "T1"}
    branch.assert_sound()


MISTAKES: list[tuple[MoveWanted, list[int], str]] = [
    (MoveWanted(owner="P1", reason="whim"), [1], "unknown_reason"),
    (MoveWanted(owner="P1", reason="by_rule"), [1], "unknown_reason"),
    (MoveWanted(owner="P1", reason="departure"), [1], "unknown_reason"),
    (MoveWanted(reason="departure"), [1], "unknown_reason"),
    (MoveWanted(owner="P1", reason="other"), [1, 1], "repeated_case"),
    (MoveWanted(owner="P1", reason="other"), list(range(1, 1_002)), "too_many_cases"),
]


@pytest.mark.parametrize(("wanted", "named", "code"), MISTAKES)
def test_a_list_that_cannot_be_meant_is_a_mistake(
    branch: Branch, wanted: MoveWanted, named: list[int], code: str
) -> None:
    with pytest.raises(CallerError) as told:
        planned(branch, named, wanted)
    assert told.value.code == code


def test_a_plan_of_unknown_stale_and_rightly_owned_cases_asks_the_door_nothing(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    with reading(branch.started.engine, snapshot=True) as conn:
        made = plan(conn, branch.started.branch, WHO["B1"], [(case_id, None), (999, None)], MoveWanted())
        stale = plan(conn, branch.started.branch, WHO["B1"], [(case_id, 9)], MoveWanted())
    assert made.commands == stale.commands == []
    right, unknown = made.outcomes([])
    assert codes(right) == ["receiver_is_owner"]
    assert unknown == Mistaken("unknown_case", 999)
    assert stale.outcomes([]) == [Mistaken("stale_version", case_id, 1)]


# ── deputies ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deputy_acts_on_his_principals_case_the_entry_names_both_and_his_own_reach_is_as_before(
    branch: Branch,
) -> None:
    today = branch.started.branch.today(now())
    with writing(branch.started.engine) as conn:
        trail, table = branch.started.branch.trail(now()), branch.started.branch.rulebook.permissions
        register.add(
            conn, trail, FEED, table, staff_no="R2", name="某员工", posts=["business_rep"], team="T2", region="R2"
        )
        trail.write(conn)
    ours, theirs = branch.open("L1", "L2")
    branch.do(assign(theirs, "P1"))

    def deputy() -> Actor:
        with reading(branch.started.engine) as conn:
            return acting.actor_for(conn, "R2", "api", today=branch.started.branch.today(now()))

    note = Note(actor=deputy(), id=ours, text="代理")
    assert only(branch.do(note)) == Mistaken("unknown_case", ours)
    with writing(branch.started.engine) as conn:
        trail = branch.started.branch.trail(now())
        absence.absent(
            conn, trail, FEED, table, staff_no="R1", from_on=today, until_on=today + timedelta(days=2), reason="leave",
            deputy="R2",
        )  # fmt: skip
        trail.write(conn)
    lent = deputy()
    assert lent.principals == (Principal("R1", frozenset({"business_rep"}), "T1", "R1"),)
    assert isinstance(only(branch.do(replace(note, actor=lent))), Done)
    said = branch.bodies(f"case:{ours}")[-1]
    assert (said["actor"]["id"], said["data"]) == (
        "R2", {"acting_for": "R1", "business_date": TODAY.isoformat(), "post": "business_rep"},
    )  # fmt: skip
    assert only(branch.do(replace(note, actor=lent, id=theirs))) == Mistaken("unknown_case", theirs)
    with writing(branch.started.engine) as conn:
        trail = branch.started.branch.trail(now())
        absence.end_absence(conn, trail, FEED, staff_no="R1", from_on=today, on=today)
        trail.write(conn)
    branch.assert_sound()


# ── who was responsible on a day ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.every_postgres
def test_who_was_responsible_on_a_day_is_answered_for_the_case_and_for_the_person(branch: Branch) -> None:
    first, second = branch.open("L1", "L2")
    days = [TODAY + timedelta(days=number) for number in range(4)]
    business_date(branch, days[1])
    branch.do(assign(first, "P1"))
    branch.do(assign(first, "T1", reason="skills"))
    business_date(branch, days[3])
    branch.do(assign(first, "R1", reason="misplaced"))

    def responsible(day: date) -> str | None:
        with reading(branch.started.engine) as conn:
            return owners_of_case(conn, branch.started.branch, first, on=day).responsible

    def theirs(staff_no: str, day: date) -> list[int]:
        with reading(branch.started.engine) as conn:
            return [one.case_id for one in owned_on(conn, staff_no, day, within=EVERYTHING).items]

    assert [responsible(day) for day in (TODAY - timedelta(days=1), *days)] == [None, "R1", "T1", "T1", "R1"]
    assert [theirs("R1", day) for day in days] == [[first, second], [second], [second], [first, second]]
    assert [theirs("T1", day) for day in days] == [[], [first], [first], []]
    assert theirs("P1", days[1]) == [], "the last change of a day counts for the whole day"
    assert theirs("R1", TODAY - timedelta(days=1)) == []
    with reading(branch.started.engine) as conn:
        assert owned_on(conn, "R1", days[3], within=Reach(teams=frozenset({"T9"}))).items == []
        page = owned_on(conn, "R1", days[3], within=EVERYTHING, limit=1)
        assert (page.items[0].case_id, page.next) == (first, first)
        rest = owned_on(conn, "R1", days[3], within=EVERYTHING, limit=1, after=page.next)
        assert ([one.case_id for one in rest.items], rest.next) == ([second], None)
        for bad in ({"limit": 0}, {"limit": 201}, {"after": -1}):
            with pytest.raises(CallerError) as told:
                owned_on(conn, "R1", days[3], within=EVERYTHING, **bad)
            assert told.value.code == "filter_malformed"
    branch.assert_sound()


def test_a_case_finally_closed_is_nobodys_from_that_day_on(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    business_date(branch, TODAY + timedelta(days=2))
    cancel(branch, case_id)
    with reading(branch.started.engine) as conn:
        held = [
            bool(owned_on(conn, "R1", TODAY + timedelta(days=number), within=EVERYTHING).items) for number in (0, 1, 2)
        ]
    assert held == [True, True, False]


# ── the history is the entries' ─────────────────────────────────────────────────────────────────────────────────────


def _row(conn: Connection, case_id: int) -> Any:
    return conn.execute(sa.select(owner_history).where(owner_history.c.case_id == case_id)).first()


ATTACKS: list[tuple[str, Callable[[Connection, int], Any], str]] = [
    ("a row changed", lambda conn, c: conn.execute(
        owner_history.update().where(owner_history.c.case_id == c, owner_history.c.stream_seq == 1).values(owner="T1")
    ), "owner_history_differs"),
    ("a day changed", lambda conn, c: conn.execute(
        owner_history.update().where(owner_history.c.case_id == c).values(since_on=date(2020, 1, 1))
    ), "owner_history_differs"),
    ("a reason changed", lambda conn, c: conn.execute(
        owner_history.update().where(owner_history.c.case_id == c).values(reason="other")
    ), "owner_history_differs"),
    ("a row deleted", lambda conn, c: conn.execute(
        owner_history.delete().where(owner_history.c.case_id == c, owner_history.c.stream_seq == 2)
    ), "owner_history_differs"),
    ("a row invented", lambda conn, c: conn.execute(
        owner_history.insert().values(_row(conn, c)._asdict() | {"stream_seq": 99, "owner": "T1"})
    ), "owner_history_differs"),
    ("a row of no case", lambda conn, c: conn.execute(
        owner_history.insert().values(_row(conn, c)._asdict() | {"case_id": 4_711})
    ), "row_without_entries"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "attack", "code"), ATTACKS, ids=[row[0] for row in ATTACKS])
def test_a_history_of_owners_changed_by_sql_is_found(
    branch: Branch, owner_engine: Engine, what: str, attack: Callable[[Connection, int], Any], code: str
) -> None:
    (case_id,) = branch.open("L1")
    branch.do(assign(case_id, "P1"))
    branch.assert_sound()
    with owner_engine.begin() as conn, guards_down(conn):
        attack(conn, case_id)
    keys = load_keys(branch.started.settings.keys_dir)
    with reading(branch.started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, branch.started.branch.vault)
    assert [finding.code for finding in report.findings] == [code], what


def test_nobody_can_change_the_history_of_owners_through_the_service(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    for statement in (
        owner_history.update().where(owner_history.c.case_id == case_id).values(owner="T1"),
        owner_history.delete().where(owner_history.c.case_id == case_id),
    ):
        with (
            pytest.raises(Exception, match=r"append_only|append-only|permission denied"),
            writing(branch.started.engine) as conn,
        ):
            conn.execute(statement)


_ANY = st.lists(
    st.tuples(st.sampled_from(["P1", "T1", "R1", "G1", "A1"]), st.integers(0, 2), st.booleans()), max_size=12
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_ANY)
def test_on_every_day_a_case_has_exactly_the_owner_that_the_last_entry_until_then_gave_it(
    branch: Branch, steps: list[tuple[str, int, bool]]
) -> None:
    day = TODAY + timedelta(days=400 * len(branch_cases(branch)))
    business_date(branch, day)
    (case_id,) = branch.open(f"L{day}")
    owners = {day: "R1"}
    for owner, days, settle in steps:
        day += timedelta(days=days)
        business_date(branch, day)
        if settle:
            branch.do(Measure(actor=FEED, id=case_id, measure=measure(6), run=1))
        done = only(branch.do(assign(case_id, owner)))
        if isinstance(done, Done):
            owners[day] = owner
    with reading(branch.started.engine) as conn:
        for number in range((day - min(owners)).days + 1):
            on = min(owners) + timedelta(days=number)
            expected = owners[max(known for known in owners if known <= on)]
            assert owners_of_case(conn, branch.started.branch, case_id, on=on).responsible == expected
            having = [
                who for who in ("P1", "T1", "R1", "G1", "A1")
                if case_id in {one.case_id for one in owned_on(conn, who, on, within=EVERYTHING, limit=200).items}
            ]  # fmt: skip
            assert having == [expected]


def branch_cases(branch: Branch) -> list[int]:
    with reading(branch.started.engine) as conn:
        return list(conn.execute(sa.select(cases.c.id)).scalars())
