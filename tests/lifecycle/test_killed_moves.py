"""A move of many cases whose process is killed in the middle, again and again: everybody moves exactly once.

4,000 cases in the suite, 100,000 with CASEWORK_LONG=1 (`make check-long`).
"""

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.log.tables import entries
from casework.operation.startup import Started, start, upgrade
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import system
from casework.settings import Settings, load_keys
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.four_eyes import chart_moves, requests
from casework.work.four_eyes.recording import Asked, Moved
from tests.api.conftest import opening
from tests.api.server import CASEWORK, environment
from tests.lifecycle.next_version import folder_of_next
from tests.lifecycle.test_replay import deep_report

NAME = "overdue_loan"
LONG = "CASEWORK_LONG" in os.environ
MANY = 100_000 if LONG else 4_000
KILLED_AT = [MANY * share // 10 for share in ((1, 2, 5, 8) if LONG else (2, 5))]


@pytest.fixture
def later(settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Path) -> Iterator[Started]:
    """The branch with many cases; its chart has gone on to an invented second version, and the move is approved."""
    started, _ = branch
    for first in range(0, MANY, 5_000):
        loans = range(first, min(first + 5_000, MANY))
        with writing(started.engine) as conn:
            outcomes = advance(conn, [opening(f"L{number}") for number in loans], started.branch)
        assert all(isinstance(outcome, Done) for outcome in outcomes)
    renamed = {"phone_collection": "phone_desk"}
    folder = folder_of_next(settings.statecharts, tmp_path / "statecharts", started.branch, NAME, renamed)
    renewed = dataclasses.replace(settings, statecharts=folder)
    upgrade(renewed, system("cli"))
    opened = start(renewed)
    with writing(opened.engine) as conn:
        today = opened.branch.today(now())
        admin, risk = (actor_for(conn, who, "cli", today=today) for who in ("ADM1", "B1"))
        asked = chart_moves.ask(conn, opened.branch, NAME, actor=admin)
        assert isinstance(asked, Asked), asked
        assert isinstance(requests.approve(conn, opened.branch, asked.request_id, actor=risk), Moved)
    yield opened
    opened.engine.dispose()


RUN = [*CASEWORK, "chart", "moves", "run", NAME, "--json"]


def moved(started: Started) -> int:
    with reading(started.engine) as conn:
        counted = sa.select(sa.func.count()).where(cases.c.chart == f"{NAME}@2")
        return int(conn.execute(counted).scalar_one())


def told_of(later: Started) -> dict[str, str]:
    """Its environment."""
    return environment(later.settings, CASEWORK_STATECHARTS=str(later.settings.statecharts))


def killed_at(later: Started, at: int) -> bool:
    """Run until so many have moved, and kill it; whether it was killed before it was done."""
    running = subprocess.Popen(RUN, env=told_of(later), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while moved(later) < at and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    return running.wait() == -signal.SIGKILL and moved(later) < MANY


def test_a_run_that_is_killed_again_and_again_moves_every_case_exactly_once(later: Started) -> None:
    killed = [killed_at(later, at) for at in KILLED_AT]
    assert any(killed), "it was always done, or failed, before it could be killed"
    last = subprocess.run(RUN, env=told_of(later), stdout=subprocess.PIPE, check=True)
    told = json.loads(last.stdout)
    assert (told["moved"], told["plan"]["moving"], moved(later)) == (MANY, 0, MANY)
    with reading(later.engine, snapshot=True) as conn:
        each = sa.select(entries.c.stream, sa.func.count()).where(entries.c.event == "case.moved")
        times = [row[1] for row in conn.execute(each.group_by(entries.c.stream))]
        keys = load_keys(later.settings.keys_dir)
        report, deep = verify(conn, keys.mac, later.branch.vault), deep_report(conn)
    assert times == [1] * MANY
    assert (report.findings, report.doubts) == ([], [])
    assert (deep.findings, deep.doubts) == ([], [])
