"""The next version of a chart takes over the living: planned, approved by another, batch by batch, and verified."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.lifecycle import moves
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Move, Outcome
from casework.lifecycle.commands import Refused as RefusedByDoor
from casework.lifecycles import LIFECYCLES
from casework.log.format.entry import Entry
from casework.log.tables import entries
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.decide import Reason
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.event_names import label_of
from casework.work.cases.publish import publish
from casework.work.four_eyes import chart_moves, requests
from casework.work.four_eyes.chart_moves import Progress
from casework.work.four_eyes.recording import Asked, Moved, Refused
from tests.lifecycle.lived import STREAM_OF_CASE, live
from tests.lifecycle.next_version import RENAMED, branch_of_next
from tests.lifecycle.test_replay import deep_report
from tests.log.built_log import BuiltLog, built_log, clock, guards_down
from tests.log.resealed import Change, reseal
from tests.postgres_server import Server

TABLES = {noun.chart: noun.table for noun in LIFECYCLES}
WORDS = {noun.chart: noun.word for noun in LIFECYCLES}
ADMIN = Actor("ADM", "staff", "api", frozenset({"administrator"}))
RISK = Actor("R1", "staff", "api", frozenset({"basic_risk_manager"}))
CHARTS = list(RENAMED)


@dataclass
class Next:
    """A log that was lived in under the first versions; `branch` works by the second."""

    log: BuiltLog
    branch: Branch

    def look(self, name: str) -> Progress:
        with reading(self.log.engine) as conn:
            return chart_moves.look(conn, self.branch, name)

    def ask(self, name: str, actor: Actor = ADMIN) -> Asked | Refused:
        with writing(self.log.engine) as conn:
            return chart_moves.ask(conn, self.branch, name, actor=actor, clock=clock)

    def approve(self, number: int, actor: Actor = RISK) -> Moved | Refused:
        with writing(self.log.engine) as conn:
            return requests.approve(conn, self.branch, number, actor=actor, clock=clock)

    def run(self, name: str, at_once: int = 7) -> int:
        return chart_moves.run(self.log.engine, self.branch, name, actor=ADMIN, at_once=at_once, clock=clock)

    def move(self, name: str) -> int:
        asked = self.ask(name)
        assert isinstance(asked, Asked), asked
        assert isinstance(self.approve(asked.request_id), Moved)
        return self.run(name)

    def fire(self, name: str, number: int, event: str, **data: Any) -> Outcome:
        command = Fire(actor=system("cli"), noun=name, id=number, event=event, data=data)
        with writing(self.log.engine) as conn:
            (outcome,) = advance(conn, [command], self.branch, clock=clock)
        return outcome

    def moved_entries(self, name: str) -> int:
        counted = sa.select(sa.func.count()).where(entries.c.event == f"{WORDS[name]}.moved")
        with reading(self.log.engine) as conn:
            return int(conn.execute(counted).scalar_one())

    def versions(self, name: str) -> dict[tuple[str, str], int]:
        columns = TABLES[name].c
        by = (columns.chart, columns.state)
        with reading(self.log.engine) as conn:
            return {(row[0], row[1]): row[2] for row in conn.execute(sa.select(*by, sa.func.count()).group_by(*by))}

    def sound(self) -> None:
        """Live, and as a bundle would be judged."""
        with self.log.attacked() as conn:
            live_report, deep = self.log.verify(conn), deep_report(conn)
        assert (live_report.findings, live_report.doubts) == ([], [])
        assert (deep.findings, deep.doubts) == ([], [])


@pytest.fixture(params=["sqlite", "pg17"])
def fresh(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> Iterator[Next]:
    with built_log(request.param, tmp_path, migrated_sqlite, postgres_servers) as built:
        live(built)
        later = branch_of_next(built.branch)
        with writing(built.engine) as conn:
            publish(conn, later, system("cli"))
        yield Next(built, later)


def test_every_chart_takes_over_whoever_is_not_over_for_good_and_the_log_is_sound_live_and_deep(fresh: Next) -> None:
    for name in CHARTS:
        (old, new), before = next(iter(RENAMED[name].items())), fresh.versions(name)
        shown = fresh.look(name).plan
        assert shown.moving + shown.staying == sum(before.values())
        assert (shown.cannot, [group.to for group in shown.groups if group.state == old]) == (0, [new])
        assert fresh.move(name) == shown.moving == fresh.moved_entries(name)
        after, told = fresh.versions(name), fresh.look(name)
        assert after[f"{name}@2", new] == before[f"{name}@1", old]
        assert (told.moved, told.plan.moving, told.request_state) == (shown.moving, 0, "approved")
        assert moves.Way(old, new, before[f"{name}@1", old]) in told.ways
        assert told.batches == -(-shown.moving // 7)
        assert fresh.run(name) == 0  # nobody is moved twice
    fresh.sound()


def test_nobody_moves_before_somebody_else_has_approved_and_nobody_approves_what_they_asked_for(fresh: Next) -> None:
    with pytest.raises(CallerError) as told:
        fresh.run("promise")
    assert told.value.code == "move_not_approved"
    both = Actor("ADM", "staff", "api", frozenset({"administrator", "basic_risk_manager"}))
    asked = fresh.ask("promise", both)
    assert isinstance(asked, Asked), asked
    with pytest.raises(CallerError) as told:
        fresh.run("promise")
    assert told.value.code == "move_not_approved"
    refused = fresh.approve(asked.request_id, both)
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["not_involved"]
    assert isinstance(fresh.ask("hold", RISK), Refused)
    assert isinstance(fresh.approve(asked.request_id), Moved)
    assert fresh.run("promise") == 3  # one that waits, two that could be judged anew
    again = fresh.ask("promise")
    assert isinstance(again, Refused)
    assert [reason.code for reason in again.reasons] == ["nothing_to_move"]
    fresh.sound()


def test_what_lives_under_another_name_waits_for_its_move_and_what_has_the_same_goes_on(fresh: Next) -> None:
    """The sweep leaves it alone; its options say why; afterwards everything happens under the new version."""
    columns = TABLES["promise"].c
    with reading(fresh.log.engine) as conn:
        waiting = conn.execute(sa.select(columns.id).where(columns.state == "open")).scalar_one()
        kept = conn.execute(sa.select(columns.id).where(columns.state == "kept")).scalar_one()
    refused = fresh.fire("promise", waiting, "end", status="written_off")
    assert isinstance(refused, RefusedByDoor)
    assert codes(refused.reasons) == ["not_moved"]
    fresh.sound()
    fresh.move("promise")
    assert isinstance(fresh.fire("promise", waiting, "end", status="written_off"), Done)
    assert fresh.versions("promise")["promise@2", "kept"] == 1, kept
    fresh.sound()


def test_a_state_of_which_the_moves_say_nothing_cannot_go_and_is_told(
    tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    with built_log("sqlite", tmp_path, migrated_sqlite, postgres_servers) as built:
        live(built)
        later = branch_of_next(built.branch, {"promise": {"open": "given"}}, left_out=frozenset({"kept"}))
        with writing(built.engine) as conn:
            publish(conn, later, system("cli"))
        one = Next(built, later)
        shown = one.look("promise").plan
        assert shown.cannot == 1
        (stuck,) = [group for group in shown.groups if group.why == "no_move_named"]
        assert (stuck.state, stuck.count, stuck.why_en) == ("kept", 1, moves.REASONS["no_move_named"][1])
        with reading(built.engine) as conn:
            noun, chart, before = chart_moves.named(conn, later, "promise")
            found = {(line.state, line.to, line.why) for line in moves.lines(conn, noun, chart, before)}
        assert found == {("open", "given", None), ("partly_kept", "partly_kept", None), ("kept", None, "no_move_named")}
        assert one.move("promise") == shown.moving == 2
        assert one.versions("promise")["promise@1", "kept"] == 1
        one.sound()


def test_a_version_that_is_not_published_or_is_the_first_moves_nobody(fresh: Next) -> None:
    with reading(fresh.log.engine) as conn:
        for name, version, code in (
            ("nothing", None, "unknown_chart"), ("promise", 3, "unknown_version"), ("promise", 1, "no_version_before"),
        ):  # fmt: skip
            with pytest.raises(CallerError) as told:
                chart_moves.look(conn, fresh.branch, name, version)
            assert told.value.code == code


def test_a_run_that_breaks_off_leaves_whole_batches_and_goes_on_where_it_was(fresh: Next) -> None:
    asked = fresh.ask("overdue_loan")
    assert isinstance(asked, Asked)
    fresh.approve(asked.request_id)
    moving, done = fresh.look("overdue_loan").plan.moving, 0

    class PulledOutError(Exception):
        pass

    def pull(count: int) -> None:
        nonlocal done
        done += count
        if done >= 14:
            raise PulledOutError

    with pytest.raises(PulledOutError):
        chart_moves.run(
            fresh.log.engine, fresh.branch, "overdue_loan", actor=ADMIN, at_once=7, clock=clock, progress=pull
        )
    assert fresh.moved_entries("overdue_loan") == fresh.look("overdue_loan").moved == 14
    assert fresh.run("overdue_loan") == moving - 14
    assert fresh.moved_entries("overdue_loan") == moving
    fresh.sound()


def test_a_batch_that_is_undone_moves_nobody(fresh: Next) -> None:
    asked = fresh.ask("hold")
    assert isinstance(asked, Asked)
    fresh.approve(asked.request_id)
    with writing(fresh.log.engine) as conn:
        assert chart_moves.run_batch(conn, fresh.branch, "hold", actor=ADMIN, at_once=1, clock=clock).moved.total() == 1
        conn.rollback()
    assert (fresh.moved_entries("hold"), fresh.look("hold").moved) == (0, 0)


def elsewhere(entry: Entry) -> dict[str, Any]:
    return {"to": "broken"}


def from_another(entry: Entry) -> dict[str, Any]:
    return {"data": {**entry.data, "from_chart": "promise@7"}}


def unasked(entry: Entry) -> dict[str, Any]:
    return {"data": {**entry.data, "request": 9_999}}


def by_hand(entry: Entry) -> dict[str, Any]:
    return {"actor": msgspec.structs.replace(entry.actor, kind="staff")}


@pytest.mark.parametrize(
    ("change", "code"),
    [(elsewhere, "move_differs"), (from_another, "move_differs"), (unasked, "four_eyes_missing"),
     (by_hand, "move_not_allowed")],
)  # fmt: skip
def test_a_move_that_could_not_be_is_found(fresh: Next, change: Change, code: str) -> None:
    """By whoever holds every key of the log: the entry is forged, the chain behind it sealed anew."""
    fresh.move("promise")
    with fresh.log.attacked() as conn:
        with guards_down(conn):
            reseal(conn, fresh.branch.mac_key, STREAM_OF_CASE, "promise.moved", change)
        report, deep = fresh.log.verify(conn), deep_report(conn)
    assert code in {finding.code for finding in report.findings}
    assert code in {finding.code for finding in deep.findings} or change is unasked  # compared across parts


def test_a_row_that_says_another_version_than_its_entries_is_found(fresh: Next) -> None:
    fresh.move("overdue_loan")
    with fresh.log.attacked() as conn:
        conn.execute(
            TABLES["overdue_loan"].update().where(TABLES["overdue_loan"].c.id == 3).values(chart="overdue_loan@1")
        )
        (finding,) = fresh.log.verify(conn).findings
    assert (finding.code, finding.detail["columns"]) == ("row_differs", ["chart"])


def test_a_move_is_told_in_words_and_moves_nobody_of_another_version(fresh: Next) -> None:
    words = label_of(fresh.branch.rulebook, "case.moved")
    assert words == (
        "按新版状态图迁移",
        "Moved to the next version of its chart",
    )
    later = branch_of_next(fresh.branch, {"promise": {"given": "promised"}})
    with writing(fresh.log.engine) as conn:
        command = Move(actor=system("move"), noun="promise", id=1, chart=later.rulebook.charts["promise"], request=1)
        (outcome,) = advance(conn, [command], later, clock=clock)
    assert getattr(outcome, "code", None) == "other_version"


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]
