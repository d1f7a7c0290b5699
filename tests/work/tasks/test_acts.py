"""What people do with tasks: each act an entry, refused with its reason, and kept when a list is made again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.log.tables import entries
from casework.operation.morning import make_lists
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import places, register
from casework.people.staff.actor import Actor, system
from casework.storage import rows
from casework.storage.database import open_engine, reading, writing
from casework.storage.driver_errors import again_on_conflict
from casework.work.tasks import acts, checks
from casework.work.tasks.acts import Addition, Became, Desk
from casework.work.tasks.own import tasks_of
from casework.work.tasks.pulling import take_next
from casework.work.tasks.tables import task_standing
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.tasks.test_lists import close, listed
from tests.work.test_promises import at, day

BOOKS = [loan(number, outstanding_principal="9000.00") for number in range(1, 6)]
SNAPSHOT = [arrears(number, 5, outstanding_principal="9000.00") for number in range(1, 6)]
REP = Actor("S1", "staff", "api", frozenset({"business_rep"}), "T1", "R1")
RISK = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))
CALLER = Actor("P1", "staff", "api", frozenset({"phone_collector"}), "T1", "R1")
STRANGER = Actor("P7", "staff", "api", frozenset({"phone_collector"}), "T9", "R9")
TODAY = day(1)


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Five cases of the rep S1, whose lists of the next day are made; log and rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    for actor in (REP, RISK, CALLER, STRANGER):
        with writing(bank.started.engine) as conn:
            trail = bank.started.branch.trail(at(DAY)())
            for region, team in (("R1", "T1"), ("R9", "T9")):
                if actor.team == team:
                    register_places(conn, trail, region, team)
            register.add(
                conn, trail, system("cli"), bank.started.branch.rulebook.permissions, staff_no=actor.id, name="某员工",
                posts=actor.posts, team=actor.team, region=actor.region,
            )  # fmt: skip
            trail.write(conn)
    bank.send(DAY, SNAPSHOT, loans=BOOKS)
    close(bank, 0)
    listed(bank, 1)


def register_places(conn: Any, trail: Any, region: str, team: str) -> None:
    """The team and its region, if they are not there."""
    places.set_region(conn, trail, system("cli"), code=region, name=region)
    places.set_team(conn, trail, system("cli"), code=team, name=team, region=region)


def desk(bank: Bank, conn: Any, actor: Actor = REP, on: date = TODAY) -> Desk:
    return Desk(conn, bank.started.branch, actor, at(on)())


def told(became: Sequence[Became]) -> list[str]:
    return [one.refused.code if one.refused else "done" for one in became]


def do(bank: Bank, what: str, ids: Sequence[int], actor: Actor = REP, on: date = TODAY, **more: Any) -> list[str]:
    with writing(bank.started.engine) as conn:
        opened = desk(bank, conn, actor, on)
        became = getattr(opened, what)(ids, **more)
        opened.close()
    return told(became)


def add(bank: Bank, *wanted: Addition, actor: Actor = REP, on: date = TODAY, **more: Any) -> list[str]:
    return do(bank, "add", wanted, actor, on, **more)  # type: ignore[arg-type]  # additions in the place of ids


def ids(bank: Bank, number: int = 1, who: str = "S1", *posts: str) -> dict[str, int]:
    """The tasks of somebody's list by loan and kind."""
    return {f"{one.loan_id} {one.task}": one.id for one in listed(bank, number, who, *posts)}


def test_a_task_goes_to_somebody_else_and_stays_with_them_while_it_is_the_same_task(house: Bank) -> None:
    """What was added is the same task the next morning; dialling of the next day is another."""
    add(house, Addition(house.case(1).id, "papers", day(5)))
    mine = ids(house)
    given = ["L1 by_hand", "L2 dial"]
    assert do(house, "move", [mine[one] for one in given], RISK, to="P1", reason="workload") == ["done", "done"]
    assert set(ids(house, 1, "P1")) == set(given)
    assert set(ids(house)) == mine.keys() - set(given)
    house.send(TODAY, SNAPSHOT)
    close(house, 1)
    assert ids(house, 2, "P1") == {"L1 by_hand": mine["L1 by_hand"]}, "another day's dialling is another task"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"to": "P1", "reason": "because"}, "unknown_task_reason"), ({"to": "X1", "reason": "other"}, "unknown_staff"),
        ({"to": "P7", "reason": "other"}, "receiver_out_of_reach"), ({"to": "S1", "reason": "other"}, "there_already"),
    ],
)  # fmt: skip
def test_whom_a_task_cannot_go_to_is_refused_by_name(house: Bank, more: dict[str, Any], code: str) -> None:
    try:
        found = do(house, "move", [ids(house)["L1 dial"]], RISK, **more)
    except CallerError as mistake:
        found = [mistake.code]
    assert found == [code]


def test_a_task_goes_to_nobody_who_could_not_do_it(house: Bank) -> None:
    """A visit is recorded by posts that visit: a phone collector who reaches the case cannot."""
    case_id = house.case(1).id
    assert add(house, Addition(case_id, "visit", day(5)), Addition(case_id, "papers", day(5))) == ["done", "done"]
    mine = {one.ref: one.id for one in listed(house, 1, "S1") if one.task == "by_hand"}
    wanted = [mine["visit"], mine["papers"]]
    assert do(house, "move", wanted, RISK, to="P1", reason="workload") == ["receiver_lacks_post", "done"]
    assert add(house, Addition(case_id, "visit", TODAY, "P1"), actor=RISK) == ["receiver_lacks_post"]
    with writing(house.started.engine) as conn:
        (refused,) = [one.refused for one in desk(house, conn, RISK).move([mine["visit"]], to="P1", reason="other")]
    assert refused is not None
    assert "business_rep" in refused.facts["any_of_posts"]


def test_what_was_moved_to_who_is_off_is_that_day_on_the_list_of_who_answers(house: Bank) -> None:
    add(house, Addition(house.case(1).id, "papers", day(5)))
    number = ids(house)["L1 by_hand"]
    assert do(house, "move", [number], RISK, to="P1", reason="workload") == ["done"]
    with writing(house.started.engine) as conn:
        trail, branch = house.started.branch.trail(at(TODAY)()), house.started.branch
        enter_shifts(conn, trail, RISK, branch.rulebook.shifts, [ShiftGiven(day(2), "P1", "rest", "S1")], closed=None)
        trail.write(conn)
    for later in (1, 2):
        house.send(day(later), SNAPSHOT)
        close(house, later)
    listed(house, 2)
    with reading(house.started.engine) as conn:
        for on, theirs in ((day(1), False), (day(2), True)):
            actor = house.started.branch.actor(conn, "S1", "api", on)
            assert (number in {one.id for one in tasks_of(conn, house.started.branch, on, actor)}) is theirs


def test_nobody_touches_a_list_that_is_not_theirs_but_the_basic_risk_post(house: Bank) -> None:
    number = ids(house)["L1 dial"]
    put_off: dict[str, Any] = {"until": day(2), "reason": "debtor_asked"}
    assert do(house, "postpone", [number], CALLER, **put_off) == ["unknown_task"]
    assert do(house, "postpone", [number, 99_999], RISK, **put_off) == ["done", "unknown_task"]


def test_what_is_put_off_is_off_the_list_until_its_day_and_then_it_is_back(house: Bank) -> None:
    assert add(house, Addition(house.case(1).id, "papers", day(9))) == ["done"]
    added = ids(house)["L1 by_hand"]
    assert do(house, "postpone", [added], until=day(3), reason="papers_missing") == ["done"]
    assert "L1 by_hand" not in ids(house)
    for number in (1, 2):
        house.send(day(number), SNAPSHOT)
        close(house, number)
    assert "L1 by_hand" not in ids(house, 2)
    assert ids(house, 3)["L1 by_hand"] == added


@pytest.mark.parametrize(
    ("until", "code"), [(TODAY, "postponed_to_past"), (DAY, "postponed_to_past"), (day(16), "postponed_too_far")]
)
def test_nothing_is_put_off_into_the_past_or_beyond_the_policy(house: Bank, until: date, code: str) -> None:
    with pytest.raises(CallerError) as refused:
        do(house, "postpone", [ids(house)["L1 dial"]], until=until, reason="workload")
    assert (refused.value.code, refused.value.facts["field"]) == (code, "until")


def test_what_was_added_stays_until_it_is_done_and_only_that_is_ended_by_hand(house: Bank) -> None:
    case_id = house.case(2).id
    assert add(house, Addition(case_id, "call", day(2))) == ["done"]
    assert add(house, Addition(case_id, "call", day(2))) == ["task_exists"]
    number = ids(house)["L2 by_hand"]
    house.send(TODAY, SNAPSHOT)
    close(house, 1)
    assert ids(house, 2)["L2 by_hand"] == number
    assert do(house, "finish", [ids(house, 2)["L2 dial"], number], on=day(2)) == ["not_by_hand", "done"]
    assert "L2 by_hand" not in ids(house, 2)
    house.send(day(2), SNAPSHOT)
    close(house, 2)
    assert "L2 by_hand" not in ids(house, 3)
    assert add(house, Addition(case_id, "call", day(4)), on=day(3)) == ["done"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"what": "dance"}, "unknown_task_kind"), ({"due_on": DAY}, "due_in_past"),
        ({"due_on": day(200)}, "due_too_far"), ({"case_id": 99_999}, "unknown_case"),
        ({"to": "P1"}, "post_not_permitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_refused_by_name(house: Bank, wanted: dict[str, Any], code: str) -> None:
    one = Addition(**({"case_id": house.case(1).id, "what": "call", "due_on": TODAY} | wanted))
    assert add(house, one) == [code]
    assert add(house, one, Addition(house.case(1).id, "visit", TODAY), atomic=True) == [code, "not_done"]
    assert "L1 by_hand" not in ids(house)


def test_the_basic_risk_post_adds_to_anothers_list(house: Bank) -> None:
    assert add(house, Addition(house.case(1).id, "repair", TODAY, "P1"), actor=RISK) == ["done"]
    assert set(ids(house, 1, "P1")) == {"L1 by_hand"}
    assert add(house, Addition(house.case(1).id, "repair", day(2), "P7"), actor=RISK) == ["receiver_out_of_reach"]


def test_a_case_that_left_between_list_and_act_is_said_so(house: Bank) -> None:
    number = ids(house)["L3 dial"]
    house.send(TODAY, [one for one in SNAPSHOT if one["loan_id"] != "L3"])
    assert not house.case(3).live
    assert do(house, "postpone", [number], until=day(2), reason="workload") == ["case_left"]
    assert add(house, Addition(house.case(3).id, "call", day(2))) == ["case_left"]
    with writing(house.started.engine) as conn:
        begun = [take_next(conn, house.started.branch, REP, at(TODAY)()).loan_id for _ in range(4)]
        assert "L3" not in begun
        with pytest.raises(CallerError) as over:
            take_next(conn, house.started.branch, REP, at(TODAY)())
    assert over.value.code == "nothing_left"


def test_in_a_batch_all_or_none_where_that_is_asked(house: Bank) -> None:
    mine = ids(house)
    both = [mine["L1 dial"], 99_999]
    assert do(house, "postpone", both, until=day(2), reason="workload", atomic=True) == ["not_done", "unknown_task"]
    assert ids(house) == mine
    assert do(house, "postpone", both, until=day(2), reason="workload") == ["done", "unknown_task"]


def test_the_next_task_is_begun_by_one_in_order_and_then_comes_what_the_team_has_left(house: Bank) -> None:
    order = [one.id for one in listed(house, 1)]
    with writing(house.started.engine) as conn:
        branch, clock = house.started.branch, at(TODAY)
        first = take_next(conn, branch, REP, clock())
        assert (first.id, first.held_by) == (order[0], "S1")
    assert listed(house, 1)[0].held_by == "S1"
    with writing(house.started.engine) as conn:
        with pytest.raises(CallerError) as other_post:
            take_next(conn, house.started.branch, CALLER, at(TODAY)())
        assert other_post.value.code == "nothing_left", "S1 is of the team, but no phone collector"
        with pytest.raises(CallerError) as not_made:
            take_next(conn, house.started.branch, REP, at(day(5))())
        assert not_made.value.code == "lists_not_made"


def test_sixty_four_collectors_at_once_never_begin_the_same_task(house: Bank) -> None:
    """All of one post whose tasks they share: 64 ask at once, for more than there is; meanwhile some are put off."""
    books = [loan(number, outstanding_principal="9000.00") for number in range(1, 151)]
    late = [arrears(number, 40, outstanding_principal="9000.00") for number in range(1, 151)]
    house.send(day(1), late, loans=books, confirm=True)
    close(house, 1)
    agents = [Actor(f"G{number}", "staff", "api", frozenset({"agency_post"})) for number in range(64)]
    shared = [one.id for one in listed(house, 2, "G0", "agency_post") if one.task == "place"]
    assert len(shared) == 150
    engine, branch = house.started.engine, house.started.branch

    def begin(agent: Actor) -> list[int]:
        found = []
        for _ in range(3):
            try:
                found.append(again_on_conflict(lambda: one_more(agent)))
            except CallerError:  # nothing is left
                break
        return found

    def one_more(agent: Actor) -> int:
        with writing(engine) as conn:
            return take_next(conn, branch, agent, at(day(2))()).id

    def put_off(agent: Actor) -> list[int]:
        told = do(house, "postpone", shared[::-15], agent, day(2), until=day(3), reason="workload")
        assert set(told) == {"done"}
        return []

    with ThreadPoolExecutor(65) as threads:
        later = threads.submit(put_off, agents[0])
        begun = [number for numbers in threads.map(begin, agents) for number in numbers]
        later.result()
    assert len(begun) == len(set(begun))
    off = set(shared[::-15])
    assert set(shared) - off <= set(begun) <= set(shared)
    assert acts_on_record(house).count("tasks.begun") == len(begun)
    with reading(engine) as conn:
        stands = {row.task_id: row for row in conn.execute(sa.select(task_standing))}
    assert stands.keys() == set(shared)
    assert {number for number, stand in stands.items() if stand.held_by is None} == off
    house.assert_sound()


def standing_now(bank: Bank) -> dict[str, list[tuple[Any, ...]]]:
    """What everybody's list says of each task, by person; places in it left out."""
    return {
        who: sorted((one.id, one.list_of, one.held_by) for one in listed(bank, 1, who, *posts))
        for who, *posts in (("S1",), ("P1",), ("B9", "basic_risk_manager"))
    }


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 30), st.sampled_from(["P1", "S1"])),
        st.tuples(st.just("postpone"), st.integers(0, 30), st.integers(2, 5)),
        st.tuples(st.just("add"), st.integers(1, 5), st.sampled_from(["call", "visit", "papers"])),
        st.tuples(st.just("finish"), st.integers(0, 30), st.none()),
        st.tuples(st.just("next"), st.none(), st.none()),
        st.tuples(st.just("again"), st.none(), st.none()),
    ),
    min_size=3, max_size=8,
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_a_list_made_again_keeps_every_act(house: Bank, acts: list[tuple[str, Any, Any]]) -> None:
    """Whatever was moved, put off, added, begun or ended, lists made again say the same of every task."""
    branch = house.started.branch

    def again() -> None:
        with writing(house.started.engine) as conn:
            make_lists(conn, branch, TODAY, system("cli"), clock=at(TODAY), again=True)

    for what, which, more in acts:
        numbers = sorted({one.id for who in ("S1", "P1") for one in listed(house, 1, who)})
        some = [numbers[which % len(numbers)]] if which is not None and numbers else []
        if what == "move" and some:
            do(house, "move", some, RISK, to=more, reason="workload")
        elif what == "postpone" and some:
            do(house, "postpone", some, RISK, until=day(more), reason="other")
        elif what == "add":
            add(house, Addition(house.case(which).id, more, day(3)))
        elif what == "finish" and some:
            do(house, "finish", some, RISK)
        elif what == "next":
            try:
                with writing(house.started.engine) as conn:
                    take_next(conn, branch, REP, at(TODAY)())
            except CallerError:  # nothing is left
                continue
        elif what == "again":
            again()
        before, said = standing_now(house), acts_on_record(house)
        again()
        assert (standing_now(house), acts_on_record(house)) == (before, said)
    house.assert_sound()


def acts_on_record(bank: Bank) -> list[str]:
    """Of lists and of every task, in the order written."""
    wanted = sa.select(entries.c.event).where(entries.c.stream.startswith("tasks:")).order_by(entries.c.id)
    with reading(bank.started.engine) as conn:
        said = conn.execute(wanted).scalars()
        return [event for event in said if event not in {"tasks.made", "tasks.taken"}]


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("column", ["list_of", "until", "held_by"])
def test_where_a_task_stands_changed_by_sql_is_found(bank: Bank, column: str) -> None:
    bank.staff("S1", "business_rep")
    bank.send(DAY, SNAPSHOT, loans=BOOKS)
    close(bank, 0)
    do(bank, "postpone", [listed(bank, 1)[0].id], until=day(2), reason="workload")
    bank.assert_sound()
    engine = open_engine(bank.started.settings.database_url)
    with engine.begin() as conn:
        conn.execute(task_standing.update().values({column: day(4) if column == "until" else "P1"}))
    engine.dispose()
    assert ("row_differs", "tasks:1") in [(one.code, one.stream) for one in bank.verified().findings]


@pytest.mark.only("sqlite")
def test_what_was_added_is_found_by_case_and_by_loan_however_many_lists_there_are(house: Bank) -> None:
    """By an index of what was added alone, in the plan of each statement that asks for it."""
    asked: list[tuple[str, Any]] = []
    with reading(house.started.engine) as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
        rows.select_by_keys(conn, acts._ADDED, "case_id", [1])
        rows.select_by_keys(conn, checks._OPEN, "loan_id", ["L1"])
    with reading(house.started.engine) as conn:
        for (statement, values), column in zip(asked, ("case_id", "loan_id"), strict=True):
            plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert any(f"ix_tasks_added_{column.partition('_')[0]} ({column}=?)" in line for line in plan), plan
            assert not any(line.startswith("SCAN tasks") for line in plan), plan
