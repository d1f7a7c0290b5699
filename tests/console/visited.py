"""A small branch behind a server, fed up to today, with cases of a rep and visits that they make today."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from casework.clock import now
from casework.demo.stage import DemoTold
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open, Outcome, Record
from casework.people.identity import passwords
from casework.people.staff.actor import Actor, system
from casework.settings import Settings, default_loans_dir, ensure_keys
from casework.storage.database import writing
from casework.work.photos.storing import PhotoKept, PhotoSent, keep_photo
from casework.work.photos.tables import photos
from tests.api.conftest import POSTS_OF_EVERYBODY, furnish, opening
from tests.api.server import serving
from tests.console.browser import PASSWORD, Demo
from tests.fed import dated
from tests.ordered import REP, charts_at_noon, ordered_early

ADDRESS: Final = "江岸区示例路1号2单元301"
_CASES: Final = 20
REPORT: Final = {
    "outcome": "not_found", "person_met": "neighbour", "house": "confirmed", "workplace": "not_checked",
    "attitude": "not_met", "ability": "not_known", "next_step": "visit_again",
}  # fmt: skip
_next: Final = itertools.count(1)


@contextmanager
def small_branch_on_show(place: Path) -> Iterator[Demo]:
    """Those of `tests.api.conftest`, with a password each; R1 has twenty cases. It is about noon, whatever the hour."""
    url = f"sqlite:///{place / 'casework.db'}"
    settings = Settings(
        database_url=url, database_owner_url=url, keys_dir=place / "keys",
        statecharts=charts_at_noon(place / "statecharts"), loans_dir=default_loans_dir(url, os.environ),
    )  # fmt: skip
    ensure_keys(settings.keys_dir)
    started, issued = furnish(settings)
    stored = passwords.hash_password(PASSWORD)
    with writing(started.engine) as conn:
        dated(conn, started.branch, started.branch.today(now()))
        trail = started.branch.trail(now())
        for staff_no in issued:
            passwords.keep_password(conn, trail, staff_no, stored)
        trail.write(conn)
        advance(conn, [opening(f"L{number}") for number in range(1, _CASES + 1)], started.branch)
    people = {post: no for no, posts in POSTS_OF_EVERYBODY.items() for post in posts}
    with serving(settings, place, CASEWORK_STATECHARTS=str(settings.statecharts)) as server:
        yield Demo(server.url, started, DemoTold(), people)
    started.engine.dispose()


def ordered(demo: Demo) -> int:
    """A visit for today at the next of R1's cases, with P1: its number."""
    today = demo.started.branch.today(now())
    return ordered_early(demo.started, next(_next), today, address=ADDRESS, area="A3", second_visitor="P1")


def fired(demo: Demo, visit: int, event: str, **data: str) -> Outcome:
    """By R1."""
    with writing(demo.started.engine) as conn:
        (outcome,) = advance(
            conn, [Fire(actor=REP, noun="visit", id=visit, event=event, data=data)], demo.started.branch
        )  # fmt: skip
    return outcome


def reported(demo: Demo, content: bytes) -> int:
    """A visit of today that was made, with this photo, and waits for its review."""
    branch, engine, visit = demo.started.branch, demo.started.engine, ordered(demo)
    day = branch.today(now())

    def fire(event: str, **data: str) -> None:
        assert isinstance(fired(demo, visit, event, **data), Done)

    arrived = datetime.combine(day, time(10), ZoneInfo(branch.time_zone)).isoformat()
    fire("check_in", at=arrived)
    kept = keep_photo(engine, branch, branch.files, REP, PhotoSent(visit, content, {"shows": "building"}))
    assert isinstance(kept, PhotoKept), kept
    fire("check_out", at=arrived)  # so that they can be elsewhere at that time
    fire("report", **REPORT)
    return visit


def judged(demo: Demo, content: bytes, verdict: str) -> int:
    """One whose report was accepted, and whose photo was drawn and given this verdict, by B1."""
    visit, branch = reported(demo, content), demo.started.branch
    with writing(demo.started.engine) as conn:
        (photo,) = conn.execute(sa.select(photos.c.photo).where(photos.c.visit_id == visit)).scalars()
        day, risk = branch.today(now()), Actor("B1", "staff", "api", frozenset({"basic_risk_manager"}))
        told = (
            Fire(actor=risk, noun="visit", id=visit, event="accept", data={}),
            Record(actor=system("api"), noun="visit", id=visit, kind="drawn", on=day, evidence="draw:1",
                   data={"photo": photo}),
            Record(actor=risk, noun="visit", id=visit, kind="recheck", on=day, evidence="look:1",
                   data={"photo": photo, "verdict": verdict}),
        )  # fmt: skip
        done = advance(conn, told, branch)
    assert all(isinstance(one, Done) for one in done), done
    return visit


def repair_begun(demo: Demo) -> int:
    """An information repair of the next of R1's cases."""
    command = Open(actor=REP, noun="repair", ground="started", of=next(_next), data={"because": "wrong_number"})
    with writing(demo.started.engine) as conn:
        (outcome,) = advance(conn, [command], demo.started.branch)
    assert isinstance(outcome, Done), outcome
    return outcome.id
