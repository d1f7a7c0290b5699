"""Photos are drawn to be checked again as anybody can draw them again; they are tasks, and their verdict is kept."""

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.lifecycle.commands import Done, Outcome, Record
from casework.log.tables import entries
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.photos.again import visits_drawn
from casework.work.photos.drawing import CHECK, draw_photos
from casework.work.photos.sampling import digest_of, drawn, size_of
from casework.work.tasks.acts import Addition, Desk
from casework.work.tasks.tables import task_standing, tasks
from tests.dialler.called import moment
from tests.feed.bank import Bank
from tests.test_pictures import scene, written
from tests.work.test_photos import LEADS, keep, kept, there
from tests.work.test_promises import at, day
from tests.work.test_visits import B9, REPORT, V1, codes, do, fire, ordered, visits

__all__ = ["ordered", "there"]


def test_a_draw_is_the_first_by_hash_of_seed_and_name_whatever_the_order_of_the_list() -> None:
    names = [f"L{number}" for number in range(25)]
    seed = bytes(range(32))
    by_hand = sorted(names, key=lambda one: hashlib.sha256(seed + b"\n" + one.encode()).hexdigest())
    assert drawn(seed, names[::-1], size_of(25, 10)) == by_hand[:3]
    assert digest_of(names) == digest_of(names[::-1]) == hashlib.sha256(
        "".join(f"{one}\n" for one in sorted(names)).encode()
    ).hexdigest()  # fmt: skip
    assert [size_of(count, 10) for count in (0, 1, 10, 11)] == [0, 1, 1, 2]


def told(bank: Bank, event: str) -> list[dict[str, Any]]:
    with reading(bank.started.engine) as conn:
        found = conn.execute(sa.select(entries.c.body).where(entries.c.event == event).order_by(entries.c.id))
        return [json.loads(bytes(body)) for body in found.scalars()]


def verdict(bank: Bank, photo: str, said: str = "genuine", actor: Actor = B9, number: int = 1) -> Outcome:
    data = {"photo": photo, "verdict": said}
    fact = Record(actor=actor, noun="visit", id=number, kind="recheck", on=day(0), evidence="look:1", data=data)
    (outcome,) = do(bank, fact)
    return outcome


def test_what_is_drawn_is_a_task_and_has_one_verdict(there: Bank) -> None:
    bank, files = there, there.started.branch.files
    photos = [kept(bank, files, written(scene(number))).photo for number in (1, 2, 3)]
    kept(bank, files, written(scene(5)), 2)  # of a visit that nobody has accepted
    draw = (bank.started.engine, bank.started.branch)
    with pytest.raises(CallerError, match="accepted"):
        draw_photos(*draw, B9, day(0), day(0), clock=at(day(0)))
    fire(bank, "check_out", at=moment(0, "10:30:00").isoformat())
    fire(bank, "report", **REPORT)
    fire(bank, "accept", B9)
    with pytest.raises(CallerError):
        draw_photos(*draw, V1, day(0), day(0), clock=at(day(0)))
    with pytest.raises(CallerError, match="ends before it begins"):
        draw_photos(*draw, B9, day(0), day(-1), clock=at(day(0)))
    made = draw_photos(*draw, B9, day(0), day(0), clock=at(day(0)))
    (committed,), (shown,) = told(bank, "sample.committed"), told(bank, "sample.drawn")
    assert (committed["actor"]["id"], committed["data"]["listed"], committed["stream_seq"]) == ("B9", 3, 1)
    seed = bytes.fromhex(shown["data"]["seed"])
    assert committed["data"]["seed_sha256"] == hashlib.sha256(seed).hexdigest()
    assert committed["data"]["list_sha256"] == digest_of(photos)
    assert made.photos == shown["data"]["photos"] == drawn(seed, photos, 1)
    with reading(bank.started.engine) as conn:
        assert conn.execute(sa.select(tasks.c.ref, tasks.c.owed_by, tasks.c.loan_id)).all() == [
            ("photo_recheck", "basic_risk_manager", "L1")
        ]
    (chosen,) = made.photos
    assert visits(bank)[0].drawn == (chosen,)
    other = next(one for one in photos if one != chosen)
    assert codes(verdict(bank, other)) == {"photo_was_drawn"}
    assert codes(verdict(bank, chosen, actor=V1)) == {"post_not_permitted"}
    assert isinstance(verdict(bank, chosen, "staged"), Done)
    assert codes(verdict(bank, chosen)) == {"photo_was_drawn"}, "once"
    (found,) = visits(bank)[0].rechecks
    assert (found.photo, found.verdict, found.by, visits(bank)[0].drawn) == (chosen, "staged", "B9", ())


def tasks_open(bank: Bank) -> list[int]:
    with reading(bank.started.engine) as conn:
        found = sa.select(tasks.c.id).join(task_standing, task_standing.c.task_id == tasks.c.id, isouter=True)
        return list(conn.execute(found.where(task_standing.c.done_on.is_(None)).order_by(tasks.c.id)).scalars())


def drawn_of(bank: Bank, *visited: int) -> list[str]:
    """A photo of each of these visits, which are accepted; all of them are drawn."""
    files = bank.started.branch.files
    photos = [kept(bank, files, written(scene(at)), visit).photo for at, visit in enumerate(visited, 1)]
    for number in set(visited):
        fire(bank, "check_out", LEADS[number], number, at=moment(0, "10:30:00").isoformat())
        fire(bank, "report", LEADS[number], number, **REPORT)
        fire(bank, "accept", B9, number)
    chosen: set[str] = set()
    while len(chosen) < len(photos):
        chosen.update(
            draw_photos(bank.started.engine, bank.started.branch, B9, day(0), day(0), clock=at(day(0))).photos
        )
    return photos


def test_the_last_verdict_on_a_debtors_photos_ends_their_task_though_it_was_put_off(there: Bank) -> None:
    first, others, second = drawn_of(there, 1, 2, 1)
    both = tasks_open(there)
    assert len(both) == 2, "one a debtor"
    with writing(there.started.engine) as conn:
        desk = Desk(conn, there.started.branch, B9, at(day(0))())
        assert [one.refused for one in desk.postpone(both, until=day(2), reason="other")] == [None, None]
        desk.close()
    for photo, visit, left in ((first, 1, 2), (others, 2, 1), (second, 1, 0)):
        assert isinstance(verdict(there, photo, number=visit), Done)
        assert len(tasks_open(there)) == left, photo
    ended = told(there, "tasks.done")
    assert [(one["actor"]["id"], one["data"]["visit"]) for one in ended] == [("B9", 2), ("B9", 1)]
    with reading(there.started.engine) as conn:
        assert visits_drawn(conn) == []


def test_nobody_adds_or_ends_by_hand_what_a_verdict_ends(there: Bank) -> None:
    drawn_of(there, 1)
    (task,) = tasks_open(there)
    with writing(there.started.engine) as conn:
        desk = Desk(conn, there.started.branch, B9, at(day(0))())
        wanted = Addition(there.case(1).id, CHECK, day(1))
        became = [*desk.finish([task]), *desk.add([wanted])]
        desk.close()
    assert [one.refused.code for one in became if one.refused] == ["not_by_hand", "unknown_task_kind"]
    assert tasks_open(there) == [task]


def test_who_was_not_there_neither_reports_nor_sends_photos(there: Bank) -> None:
    fire(there, "check_out", at=moment(0, "10:30:00").isoformat())
    colleague = Actor("V2", "staff", "cli", frozenset({"post_loan_officer"}), team="T1", region="R1")
    there.staff("V2", "post_loan_officer")
    refused = fire(there, "report", colleague, **REPORT, no_photo="forbidden", statement="不许拍照")
    assert codes(refused) == {"by_a_visitor", "proven"}
    with pytest.raises(CallerError) as caught:
        keep(there, there.started.branch.files, written(scene(1)), actor=colleague)
    assert caught.value.code == "not_a_visitor"
