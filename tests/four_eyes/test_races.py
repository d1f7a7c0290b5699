"""At the same moment, and in the middle of it: exactly one approval, all of it or nothing."""

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from casework.errors import CallerError, TryAgain
from casework.settings import Settings
from casework.storage.database import open_engine, writing
from casework.work.four_eyes import requests
from casework.work.four_eyes.requests import Asked, Moved
from tests.four_eyes.conftest import World, codes
from tests.four_eyes.test_requests import SUE


def at_once(*works: Any) -> list[Any]:
    """What each work answered (or raised), begun together in a thread of its own."""
    ready = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)

    def run(place: int, work: Any) -> None:
        ready.wait()
        try:
            found[place] = work()
        except (CallerError, TryAgain) as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_of_two_approvers_at_the_same_instant_exactly_one_wins(world: World, database_url: str) -> None:
    """Each with an engine of its own, as two processes: one approves, the other learns that it is over."""
    branch, other = world.started.branch, open_engine(database_url)
    for _ in range(5):
        number = world.asked("P1", world.suable(), "sue", **SUE)
        world.turn("review", "B1", number)
        actors = world.actor("V1"), world.actor("V2")

        def approve(engine: Any, actor: Any, number: int = number) -> Any:
            with writing(engine) as conn:
                return requests.approve(conn, branch, number, actor=actor, clock=world.clock)

        told = at_once(lambda a=actors: approve(world.started.engine, a[0]), lambda a=actors: approve(other, a[1]))
        assert sorted(type(one).__name__ for one in told) == ["Moved", "Refused"], told
        loser = next(one for one in told if not isinstance(one, Moved))
        assert codes(loser) == ["wrong_state"]
        assert world.entries_of(world.request(number).subject).count("case.step.sue") == 1
    other.dispose()
    assert world.findings() == []


def test_of_two_who_ask_for_the_same_at_the_same_instant_one_is_told_so(world: World, database_url: str) -> None:
    branch, other = world.started.branch, open_engine(database_url)
    case_id = world.suable()
    actors = world.actor("P1"), world.actor("A1")

    def ask(engine: Any, actor: Any) -> Any:
        with writing(engine) as conn:
            return requests.ask(conn, branch, actor=actor, kind="event", subject=f"case:{case_id}", what="sue",
                                data=SUE, clock=world.clock)  # fmt: skip

    told = at_once(lambda: ask(world.started.engine, actors[0]), lambda: ask(other, actors[1]))
    assert sum(isinstance(one, Asked) for one in told) == 1, told
    assert next(one.code for one in told if isinstance(one, CallerError | TryAgain)) in (
        "request_open_already", "database_busy",
    )  # fmt: skip
    other.dispose()
    assert world.findings() == []


def test_approval_and_change_at_the_same_instant_never_both(world: World, database_url: str) -> None:
    """A hold is set while somebody approves: the suit is either before it, or refused."""
    branch, other = world.started.branch, open_engine(database_url)
    for _ in range(5):
        case_id = world.suable()
        number = world.asked("P1", case_id, "sue", **SUE)
        world.turn("review", "B1", number)
        actor = world.actor("V1")

        def approve(number: int = number, actor: Any = actor) -> Any:
            with writing(other) as conn:
                return requests.approve(conn, branch, number, actor=actor, clock=world.clock)

        told, _ = at_once(approve, lambda case_id=case_id: world.hold(case_id))
        story = world.entries_of(f"case:{case_id}")
        if isinstance(told, Moved):
            assert story.index("case.step.sue") < story.index("case.fact.hold")
        else:
            assert codes(told) == ["subject_unchanged"]
            assert "case.step.sue" not in story
    other.dispose()
    assert world.findings() == []


KILLED = """
import os, signal, sys
from casework.settings import Settings
from casework.operation.startup import start
from casework.people.staff.acting import actor_for
from casework.storage.database import writing
from casework.storage import rows
from casework.work.four_eyes import recording, requests
from casework.lifecycle import advance

moment, number = sys.argv[1], int(sys.argv[2])
def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "after the step":
    recording.Moment.move = die
elif moment == "after the row":
    write = rows.update_many
    def update(conn, table, *more):
        write(conn, table, *more)
        if table.name == "requests":
            die()
    rows.update_many = update
branch = start(Settings.from_environment())
from datetime import UTC, datetime
at = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
with writing(branch.engine) as conn:
    actor = actor_for(conn, "V1", "cli", today=branch.branch.today(at))
    told = requests.approve(conn, branch.branch, number, actor=actor, clock=lambda: at)
    print(told, file=sys.stderr)
    if moment == "before the commit":
        die()
"""


@pytest.mark.parametrize("moment", ["after the step", "after the row", "before the commit"])
def test_killed_between_approval_and_commit_nothing_has_happened(world: World, settings: Settings, moment: str) -> None:
    """Kill -9 of a real process: the request is open still, the case where it was, and it can be approved again."""
    case_id = world.suable()
    number = world.asked("P1", case_id, "sue", **SUE)
    world.turn("review", "B1", number)
    before = world.counts()
    environment = {
        **os.environ, "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
        "CASEWORK_STATECHARTS": str(settings.statecharts),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", KILLED, moment, str(number)], env=environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert world.counts() == before
    assert (world.request(number).state, world.case(case_id).state) == ("reviewed", "phone_collection")
    assert isinstance(world.turn("approve", "V1", number), Moved)
    assert world.findings() == []
