"""(o) 17:00: the page of a team and of the whole branch, the workbook of the ledger, and what the close keeps of a day.

A tenth of the people have handed in. Teams have eight people; cases are spread over all of them. Before the close
duties are reckoned, after it they are read. The ledger is that of the whole branch, with every contact of the day.
"""

from collections.abc import Callable
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks.duties import SMALL, call_debtors
from benchmarks.machine import Others, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.clock import now
from casework.evidence.evening.closing import keep
from casework.evidence.evening.handing_in import hand_in
from casework.evidence.evening.of_day import ledger_of, workbook_of
from casework.evidence.evening.standing import evening_of
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.duties.taking import Taken, take

PEOPLE, A_TEAM = 160, 8
EACH: Final = 21
_AT: Final = datetime.combine(BUSINESS_DATE, time(17, 1), ZoneInfo("Asia/Shanghai"))
_RISK: Final = Actor("K1", "staff", "cli", frozenset({"basic_risk_manager"}))
_HEADER: Final = ("", "open cases", "of", "best", "p95")


def run(
    kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, case_count: int = SMALL, people: int = PEOPLE, each: int = EACH
) -> None:  # fmt: skip
    """Measure, and write the section `evening`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            _staff(place, people)
            call_debtors(place)
            place.settle()
            found = _measured(place, people, each)
            lines += [(kind, f"{case_count:,}", name, f"{low:.2f} s", f"{high:.2f} s") for name, low, high in found]
            print(*lines, sep="\n", flush=True)
    write_section("evening", f"{each} of each page, one of the rest; {others}.\n\n{table(_HEADER, lines)}")


def _staff(place: Place, people: int) -> None:
    """People in teams, and every case with one of them as owner and handler; for reading only: no entry says so."""
    branch, names = place.started.branch, [f"C{number:04d}" for number in range(people)]
    with writing(place.started.engine) as conn:
        trail = branch.trail(now())
        for number, name in enumerate(names):
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=name, name=f"员工{name}",
                posts=("phone_collector",), team=f"team{number // A_TEAM}",
            )  # fmt: skip
        trail.write(conn)
        for number, name in enumerate(names):
            conn.execute(cases.update().where(cases.c.id % people == number).values(owner=name, handler=name))


def _measured(place: Place, people: int, each: int) -> list[tuple[str, float, float]]:
    engine, branch = place.started.engine, place.started.branch
    with writing(engine) as conn:
        theirs = [f"C{number:04d}" for number in range(0, people, 10)]
        hand_in(conn, branch, BUSINESS_DATE, theirs, _RISK, clock=lambda: _AT)

    def page(team: str | None = None) -> None:
        with reading(engine, snapshot=True) as conn:
            evening_of(conn, branch, BUSINESS_DATE, team, clock=lambda: _AT)

    def ledger(team: str | None = None) -> None:
        with reading(engine, snapshot=True) as conn:
            workbook_of(conn, branch, ledger_of(conn, branch, BUSINESS_DATE, team, clock=lambda: _AT), _RISK)

    taken: list[Taken | None] = []

    def close() -> None:
        with writing(engine) as conn:
            taken.append(take(conn, branch, "wuhan", BUSINESS_DATE, clock=lambda: _AT))

    def kept() -> None:
        assert taken[0] is not None
        with writing(engine) as conn:
            keep(conn, branch, "wuhan", BUSINESS_DATE, taken[0], clock=lambda: _AT)

    found = [
        _timed("a team's page", lambda: page("team1"), each),
        _timed("the branch's page", page, max(1, each // 4)),
        _timed("a team's workbook", lambda: ledger("team1"), max(1, each // 4)),
        _timed("the branch's workbook", ledger, 1),
        _timed("duties taken at the close", close, 1),
        _timed("cases kept at the close", kept, 1),
    ]
    place.settle()
    return [
        *found,
        _timed("a team's page, closed", lambda: page("team1"), each),
        _timed("the branch's page, closed", page, max(1, each // 4)),
        _timed("a team's workbook, closed", lambda: ledger("team1"), max(1, each // 4)),
        _timed("the branch's workbook, closed", ledger, 1),
    ]


def _timed(name: str, work: Callable[[], None], times: int) -> tuple[str, float, float]:
    seconds = sorted(clocked(work) for _ in range(times))
    return name, seconds[0], seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))]


if __name__ == "__main__":
    run()
