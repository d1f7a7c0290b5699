"""Visits that were ordered early on their day, whatever the hour is now: nobody arrives before a visit is ordered."""

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from casework.clock import now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Open
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.settings import shipped
from casework.storage.database import writing

REP: Final = Actor("R1", "staff", "api", frozenset({"business_rep"}), team="T1", region="R1")


def charts_at_noon(place: Path) -> Path:
    """The charts, copied there, of a branch for which it is about noon, whatever the hour."""
    west = now().hour - 12  # POSIX zones count the hours west of Greenwich
    zone = f"Etc/GMT{west:+d}" if west else "UTC"
    shutil.copytree(shipped("statecharts"), place)
    for policy in (place / "policy").glob("*.toml"):
        policy.write_text(policy.read_text().replace('"Asia/Shanghai"', f'"{zone}"', 1))
    return place


def ordered_early(started: Started, case_id: int, on: date, by: Actor = REP, **data: Any) -> int:
    """By R1, if by nobody else, for that day, at 08:00 branch time of it: the visit's number."""
    branch = started.branch
    at = datetime(on.year, on.month, on.day, 8, tzinfo=ZoneInfo(branch.time_zone))
    given = {"address_kind": "home", "visit_on": str(on), **data}
    order = Open(actor=by, noun="visit", ground="ordered", of=case_id, data=given)
    with writing(started.engine) as conn:
        (outcome,) = advance(conn, [order], branch, clock=lambda: at)
    assert isinstance(outcome, Done), outcome
    return outcome.id
