"""(e) A departure: one person's open cases handed over, beside a bare UPDATE and INSERT of as many rows, in one run.

Other users fire at the door meanwhile. The bare statements change owner and handler of the same rows of `cases` and
copy as many entries, in one transaction on the same database; nothing is decided, compared or linked.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count

import msgspec
import sqlalchemy as sa

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, opening, place_on, server_of
from casework.clock import now
from casework.errors import TryAgain
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Note
from casework.log.tables import entries
from casework.people.staff import register
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command, OpenCase
from casework.work.cases.tables import cases
from casework.work.handover.applying import Applied, apply
from casework.work.handover.approving import Approved, approve
from casework.work.handover.planning import plan

SMALL, LARGE = 100, 10_000
REPEATS = 3
RECEIVERS = 8
OTHERS_CASES = 500
_numbers = count(1)


@dataclass
class Departure:
    """One person's departure: how many cases, and the seconds that each part of it takes."""

    cases: int
    plan_s: float
    approve_s: float
    apply_s: float
    bare_s: float


def run(
    kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, sizes: tuple[int, ...] = (SMALL, LARGE), repeats: int = REPEATS,
    others_cases: int = OTHERS_CASES,
) -> None:  # fmt: skip
    """Measure, and write the section `departure`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            _people(place)
            found = {size: [_departure(place, size, others_cases) for _ in range(repeats)] for size in sizes}
            lines += [_line(kind, size, done) for size, done in found.items()]
            print(*lines, sep="\n", flush=True)
    header = ("", "cases", "plan s", "approve s", "apply s", "bare s", "apply ÷ bare", "apply µs a case")
    head = (
        f"Best of {repeats} departures each, with the spread; a user writes through the door all the while; {others}."
        " Bare: one UPDATE of owner and handler of those rows of `cases` and one INSERT of as many entries,"
        " before their commit."
    )
    write_section("departure", f"{head}\n\n{table(header, lines)}")


def _line(kind: str, size: int, done: list[Departure]) -> tuple[str, ...]:
    best = min(done, key=lambda one: one.apply_s)
    ratio = min(one.apply_s for one in done) / min(one.bare_s for one in done)
    applied = Spread(tuple(one.apply_s * 1e3 for one in done))
    return (
        kind, f"{size:,}", f"{best.plan_s:.2f}", f"{best.approve_s:.2f}", f"{best.apply_s:.2f} ({applied} ms)",
        f"{min(one.bare_s for one in done):.2f}", f"{ratio:.2f}", f"{best.apply_s / size * 1e6:.0f}",
    )  # fmt: skip


def _people(place: Place) -> None:
    posts = {f"C{n}": "phone_collector" for n in range(RECEIVERS)} | {
        f"P{n}": "post_loan_officer" for n in range(RECEIVERS)
    }
    _add(place, posts | {"B1": "basic_risk_manager", "V9": "approver", "U1": "business_rep"})


def _add(place: Place, posts: dict[str, str]) -> None:
    branch = place.started.branch
    with writing(place.started.engine) as conn:
        trail = branch.trail(now())
        for number, (staff_no, post) in enumerate(posts.items()):
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=staff_no, name=f"员工{staff_no}",
                posts=(post,), team=f"team{number % RECEIVERS}", region=f"R{number % RECEIVERS}", capacity=100_000,
            )  # fmt: skip
        trail.write(conn)


def _departure(place: Place, size: int, others_cases: int) -> Departure:
    leaver, engine, branch = f"L{next(_numbers)}", place.started.engine, place.started.branch
    _add(place, {leaver: "business_rep"})
    _open(place, leaver, size)
    _open(place, "U1", others_cases)
    place.settle()
    manager, approver, user = (_who(place, staff_no) for staff_no in ("B1", "V9", "U1"))
    bare_s = _bare(place, leaver)
    place.settle()

    def planned() -> None:
        with writing(engine) as conn:
            numbers.append(plan(conn, branch, actor=manager, staff_no=leaver))

    def approved() -> None:
        with writing(engine) as conn:
            assert isinstance(approve(conn, branch, numbers[0], actor=approver), Approved)

    def applied() -> None:
        with writing(engine) as conn:
            outcome = apply(conn, branch, numbers[0], actor=manager)
            assert isinstance(outcome, Applied), outcome
            assert outcome.cases == size

    numbers: list[int] = []
    plan_s, approve_s = clocked(planned), clocked(approved)
    with _busy(place, user):
        apply_s = clocked(applied)
    print(place.kind, size, f"{apply_s:.2f} s, bare {bare_s:.2f} s", flush=True)
    return Departure(size, plan_s, approve_s, apply_s, bare_s)


def _who(place: Place, staff_no: str) -> Actor:
    with reading(place.started.engine) as conn:
        return actor_for(conn, staff_no, "api", today=place.started.branch.today(now()))


def _open(place: Place, owner: str, size: int) -> None:
    with reading(place.started.engine) as conn:
        first = int(conn.execute(sa.select(sa.func.coalesce(sa.func.max(cases.c.id), 0))).scalar_one()) + 1
    for begin in range(first, first + size, 5_000):
        commands: list[Command] = [
            _owned(opening(number), owner) for number in range(begin, min(begin + 5_000, first + size))
        ]
        with writing(place.started.engine) as conn:
            outcomes = advance(conn, commands, place.started.branch)
        assert all(isinstance(one, Done) for one in outcomes), outcomes[:1]


def _owned(command: OpenCase, owner: str) -> OpenCase:
    return msgspec.structs.replace(command, loan={**command.loan, "owner": owner, "product": "consumer"})


def _bare(place: Place, leaver: str) -> float:
    """Seconds of the two bare statements and their commit; what they changed is put back afterwards."""
    names = [column.name for column in entries.columns if column.name not in ("id", "stream")]
    copied = f"INSERT INTO entries (stream, {', '.join(names)}) SELECT 'bare:' || stream, {', '.join(names)} FROM kept"
    engine = place.started.engine
    with writing(engine) as conn:
        keep = "TEMPORARY" if place.server is not None else ""
        size = conn.execute(sa.select(sa.func.count()).where(cases.c.owner == leaver)).scalar_one()
        conn.exec_driver_sql("DROP TABLE IF EXISTS kept")
        conn.exec_driver_sql(
            f"CREATE {keep} TABLE kept AS SELECT stream, {', '.join(names)} FROM entries"
            f" WHERE stream LIKE 'case:%' ORDER BY id DESC LIMIT {size}".replace("%", "%%" if place.server else "%")
        )
        began = time.perf_counter()
        inside = conn.begin_nested()
        conn.execute(cases.update().where(cases.c.owner == leaver).values(owner="C0", handler="C0"))
        conn.exec_driver_sql(copied)
        seconds = time.perf_counter() - began
        inside.rollback()
        conn.exec_driver_sql("DROP TABLE kept")
    return seconds


@contextmanager
def _busy(place: Place, user: Actor) -> Iterator[None]:
    """Somebody else writes notes on his own cases, one transaction each, until it is over."""
    over = threading.Event()
    with reading(place.started.engine) as conn:
        own = list(conn.execute(sa.select(cases.c.id).where(cases.c.owner == user.id).limit(OTHERS_CASES)).scalars())

    def work() -> None:
        for case_id in own * 1_000:
            if over.is_set():
                return
            with suppress(TryAgain), writing(place.started.engine) as conn:  # he waits, as SQLite has one writer
                advance(conn, [Note(actor=user, id=case_id, text="另一位同事")], place.started.branch)
            time.sleep(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    run()
