"""kill -9 in the middle of an application: every case has moved and he has left, or nothing has happened at all."""

import signal
import subprocess
import time

import pytest
import sqlalchemy as sa

from casework.evidence.verifying import verify
from casework.log.write.trail import Trail
from casework.people.staff import register
from casework.people.staff.tables import staff
from casework.settings import load_keys
from casework.storage.database import reading
from casework.work.handover import applying
from casework.work.handover.orphans import orphans
from tests.api.server import CASEWORK, environment
from tests.conftest import LONGER
from tests.handover.house import House

CASES = 1_500
MOMENTS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.1) if LONGER > 1 else (0.35, 0.65, 0.95, 1.1)
"""Of the time that an application takes from the start of its process to its end; each costs a second and a half."""


def applied(house: House, handover: int, kill_after_s: float | None) -> float:
    """`casework handover apply` as a process; the seconds it took, killed or not."""
    command = [*CASEWORK, "handover", "apply", str(handover), "--as", "B1"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment(house.started.settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return time.perf_counter() - began


def test_killed_at_any_moment_all_have_moved_or_none(house: House) -> None:
    takes, before, killed, finished = 0.0, "R1", 0, 0
    house.open(*[f"L{n}" for n in range(CASES)])
    for number, moment in enumerate((None, *MOMENTS)):
        to = f"N{number}"
        house.add(to, ("business_rep",), "T1", "G1", capacity=10_000)
        handover = house.plan(before, receivers=(to,))
        house.approve(handover)
        took = applied(house, handover, None if moment is None else takes * moment)
        takes = took if moment is None else takes
        owners = set(house.owners().values())
        (row,) = house.read(sa.select(staff.c.status).where(staff.c.staff_no == before))
        status = house.row(handover).state
        assert (owners, row.status, status) in (
            ({(before, before)}, "active", "approved"),
            ({(to, to)}, "left", "applied"),
        ), f"killed after {moment}"
        with reading(house.started.engine) as conn:
            assert orphans(conn, house.today) == []
        if status == "applied":
            before, finished = to, finished + 1
        else:
            killed += 1
            house.withdraw(handover)
    assert killed, "at least one was killed before its commit"
    assert finished, "at least one came through"
    keys = load_keys(house.started.settings.keys_dir)
    with reading(house.started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, house.started.branch.vault)
    assert report.verdict == "sound", report.as_json()


@pytest.mark.parametrize("point", ["advance", "register.leave", "trail.write"])
def test_an_error_anywhere_in_it_undoes_all_of_it(house: House, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house.open("L1", "L2")
    handover = house.plan("R1")
    house.approve(handover)
    before = house.owners()

    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("the machine stops here")

    if point == "advance":
        monkeypatch.setattr(applying, "_finish", broken)
    elif point == "register.leave":
        monkeypatch.setattr(register, "leave", broken)
    else:
        monkeypatch.setattr(Trail, "write", broken)
    with pytest.raises(RuntimeError):
        house.apply(handover)
    monkeypatch.undo()
    assert house.owners() == before
    assert house.row(handover).state == "approved"
    house.apply(handover)
