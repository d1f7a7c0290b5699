"""The database itself: no open case of somebody who has left, by whatever way and whoever comes first (1.1.1)."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.storage import migrate
from casework.storage.database import writing
from casework.work.cases.tables import cases
from casework.work.handover.applying import Applied
from casework.work.handover.orphans import orphans
from casework.work.handover.replanning import Replanned
from tests.handover.house import House


def gone(house: House, staff_no: str) -> None:
    """Somebody without cases has left."""
    with writing(house.started.engine) as conn:
        trail = house.started.branch.trail(now())
        register.leave(conn, trail, system("cli"), staff_no=staff_no, on=house.today, cause={})
        trail.write(conn)


@pytest.mark.parametrize("status", ["left", "merged"])
@pytest.mark.parametrize("settled", [False, True])
def test_nobody_is_made_to_leave_by_sql_while_he_owns_a_case_that_is_not_finally_closed(
    house: House, status: str, settled: bool
) -> None:
    (case_id,) = house.open("L1")
    if settled:
        house.settle(case_id)
    with pytest.raises(sa.exc.IntegrityError), writing(house.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(status=status))
    with writing(house.started.engine) as conn:  # the good twin: he owns nothing
        conn.execute(staff.update().where(staff.c.staff_no == "R2").values(status=status))


def test_nobody_is_made_to_leave_while_he_handles_a_case(house: House) -> None:
    (case_id,) = house.open("L1")
    with writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == case_id).values(handler="C1"))
    with pytest.raises(sa.exc.IntegrityError), writing(house.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "C1").values(status="left"))


@pytest.mark.parametrize("role", ["owner", "handler"])
@pytest.mark.parametrize("who", ["R2", "NOBODY"])
def test_no_case_is_given_by_sql_to_somebody_who_left_or_never_was(house: House, role: str, who: str) -> None:
    (case_id,) = house.open("L1")
    gone(house, "R2")
    with pytest.raises(sa.exc.IntegrityError), writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == case_id).values({role: who}))
    with writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == case_id).values({role: "C1"}))


def test_no_case_is_inserted_for_somebody_who_left(house: House) -> None:
    (case_id,) = house.open("L1")
    gone(house, "R2")
    copied = [column for column in cases.columns if column.name not in ("id", "kept", "apart", "loan_id", "owner")]

    def insert(owner: str) -> None:
        with writing(house.started.engine) as conn:
            source = sa.select(sa.literal("L2"), sa.literal(owner), *copied).where(cases.c.id == case_id)
            conn.execute(cases.insert().from_select(["loan_id", "owner", *(one.name for one in copied)], source))

    with pytest.raises(sa.exc.IntegrityError):
        insert("R2")
    insert("R1")


def test_a_handler_who_is_not_the_owner_is_looked_up_once_the_owner_changes(house: House) -> None:
    """Where both were one person, only the owner was (decision 0097)."""
    (case_id,) = house.open("L1")
    with writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == case_id).values(owner="C1"))
    with pytest.raises(sa.exc.IntegrityError), writing(house.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(status="left"))


def test_a_database_of_before_keeps_its_cases_and_asks_for_their_handlers_alike(house: House) -> None:
    """Revision 0004 writes the table anew, on SQLite by copying its rows."""
    first, second = house.open("L1", "L2")
    with writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == first).values(handler="C1"))
        before = conn.execute(sa.select(cases).order_by(cases.c.id)).all()
    assert [(row.id, row.apart) for row in before] == [(first, True), (second, None)]
    house.started.engine.dispose()
    migrate.downgrade(house.started.settings, "0003")
    migrate.upgrade(house.started.settings)
    with writing(house.started.engine) as conn:
        assert conn.execute(sa.select(cases).order_by(cases.c.id)).all() == before
    with pytest.raises(sa.exc.IntegrityError), writing(house.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "C1").values(status="left"))
    (third,) = house.open("L3")
    assert third == second + 1


def test_a_finally_closed_case_asks_for_nobody(house: House) -> None:
    (case_id,) = house.open("L1")
    with writing(house.started.engine) as conn:
        conn.execute(cases.update().where(cases.c.id == case_id).values(closed_as="archived"))
    gone(house, "R1")


def test_the_register_tells_it_in_words(house: House) -> None:
    house.open("L1")
    with pytest.raises(CallerError) as raised:
        gone(house, "R1")
    assert raised.value.code == "owns_open_cases"


# ── two at once ─────────────────────────────────────────────────────────────────────────────────────────────


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What each of them came to, begun at the same moment."""
    results: list[Any] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], Any]) -> None:
        ready.wait()
        try:
            results[place] = call()
        except (CallerError, TryAgain, sa.exc.IntegrityError) as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_departure_and_new_cases_of_the_same_moment_leave_no_orphan(house: House) -> None:
    house.open(*[f"L{n}" for n in range(40)])
    handover = house.plan("R1")
    house.approve(handover)
    feed = [f"N{n}" for n in range(5)]

    def apply() -> Any:
        return house.apply(handover)

    results = together(apply, *[lambda loan=loan: house.open(loan) for loan in feed])
    with house.started.engine.connect() as conn:
        assert orphans(conn, house.today) == []
    assert isinstance(results[0], Applied | Replanned | TryAgain), results[0]
    owners = {pair[0] for pair in house.owners().values()}
    if isinstance(results[0], Applied):
        assert "R1" not in owners
    else:
        assert "R1" in owners
    for result in results[1:]:
        assert isinstance(result, list | TryAgain), result


@pytest.mark.only("postgresql")
def test_who_opens_a_case_for_somebody_while_he_leaves_is_told_to_try_again(house: House) -> None:
    """He looked at the register before, and writes after; the next look finds another owner."""
    with house.started.engine.connect() as leaving:
        leaving.execute(staff.update().where(staff.c.staff_no == "R1").values(status="left"))
        results: list[Any] = []
        opening = threading.Thread(target=lambda: results.extend(together(lambda: house.open("L1"))))
        opening.start()
        opening.join(0.5)
        assert opening.is_alive(), "the foreign key waits for who is leaving"
        leaving.commit()
        opening.join(10)
    (result,) = results
    assert isinstance(result, TryAgain), result
    assert result.code == "database_busy"


@pytest.mark.only("postgresql")
def test_of_leaving_and_being_given_a_case_the_database_lets_only_one_happen(house: House) -> None:
    """Two bare transactions in both orders, each having looked before the other wrote."""
    url = str(house.started.settings.database_url)
    (case_id,) = house.open("L1")
    give = "UPDATE cases SET owner = 'R2', handler = 'R2' WHERE id = %s"
    leave = "UPDATE staff SET status = 'left' WHERE staff_no = 'R2'"
    for first, second in (((give, [case_id]), (leave, None)), ((leave, None), (give, [case_id]))):
        with psycopg.connect(url) as one, psycopg.connect(url) as two:
            one.execute(*first)
            refused: list[Exception] = []

            def follow(conn: Any = two, statement: Any = second, told: list[Exception] = refused) -> None:
                try:
                    conn.execute(*statement)
                    conn.commit()
                except psycopg.errors.ForeignKeyViolation as error:
                    told.append(error)
                    conn.rollback()

            waiting = threading.Thread(target=follow)
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive(), "the second waits for the first"
            one.commit()
            waiting.join(10)
            assert len(refused) == 1
            one.execute("UPDATE cases SET owner = 'R1', handler = 'R1' WHERE id = %s", [case_id])
            one.execute("UPDATE staff SET status = 'active' WHERE staff_no = 'R2'")
            one.commit()


def test_two_who_apply_the_same_plan_at_once_apply_it_once(house: House) -> None:
    house.open(*[f"L{n}" for n in range(20)])
    handover = house.plan("R1")
    house.approve(handover)
    results = together(lambda: house.apply(handover), lambda: house.apply(handover, by="B2"))
    done = [one for one in results if isinstance(one, Applied)]
    (other,) = [one for one in results if not isinstance(one, Applied)]
    assert len(done) == 1
    assert isinstance(other, CallerError)
    assert other.code == "handover_applied"


def test_two_who_plan_for_the_same_person_at_once_leave_one_open_plan(house: House) -> None:
    house.open("L1")
    results = together(lambda: house.plan("R1"), lambda: house.plan("R1", by="B2"))
    assert any(isinstance(one, int) for one in results)
    open_ones = [number for number in results if isinstance(number, int) and house.row(number).state == "planned"]
    assert len(open_ones) == 1
