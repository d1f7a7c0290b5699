"""Whatever people do to requests, in whatever order: never two hats, never twice, never after a change."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from casework.errors import CallerError
from casework.log.tables import entries
from casework.settings import Settings
from casework.storage.database import reading
from casework.work.four_eyes import requests
from casework.work.four_eyes.requests import Asked, Moved
from tests.conftest import LONGER, Database, Published
from tests.four_eyes.conftest import WRITE_OFF, World, fill
from tests.four_eyes.test_requests import SUE
from tests.fresh import Fresh

# Some hold the posts of two roles; nothing but the people keeps the roles apart then.
TWO_HATS = {"B1": "approver", "B2": "approver", "P1": "approver"}
PEOPLE = ["A1", "P1", "B1", "B2", "V1", "V2", "N1", "T1"]


@dataclass
class Known:
    """A request as the model knows it: who had which part, and whether its case was touched since."""

    case_id: int
    what: str
    asked_on: date
    asked: set[str]
    touched: bool = False
    reviewed: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)

    def over(self, people: "People") -> bool:
        """Its days are over, or its case has gone where the event no longer leads: the next asking ends it."""
        state = people.world.case(self.case_id).state
        gone = state == "written_off" or (state == "litigation" and self.what == "sue")
        return people.world.today > self.asked_on + timedelta(days=14) or gone


class People(RuleBasedStateMachine):
    """Proposers, reviewers, approvers, deputies and a case that changes."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        for who, post in TWO_HATS.items():
            self.world.grant(who, post)
        self.cases = [self.world.suable(), self.world.suable()]
        self.known: dict[int, Known] = {}
        self.ties: list[tuple[str, str, date, date]] = []

    def tied(self, one: str, other: str, since: date) -> bool:
        """Whether they were one person on some day since then."""
        return one == other or any(
            {one, other} == {principal, deputy} and until >= since and begun <= self.world.today
            for principal, deputy, begun, until in self.ties
        )

    def apart(self, some: set[str], others: set[str], since: date) -> bool:
        return not any(self.tied(one, other, since) for one in some for other in others)

    def parts(self, number: int, who: str) -> set[str]:
        """Who acted: himself, and his principal if he acted for one."""
        request = self.world.request(number)
        pairs = ((request.opened_by, request.asked_for), (request.reviewed_by, request.reviewed_for),
                 (request.decided_by, request.decided_for))  # fmt: skip
        return {who} | {principal for actor, principal in pairs if actor == who and principal is not None}

    def of(self, case_id: int) -> list[int]:
        return [number for number, known in self.known.items() if known.case_id == case_id and not known.over(self)]

    @rule(who=st.sampled_from(PEOPLE), case=st.integers(0, 1), suit=st.booleans())
    def somebody_asks(self, who: str, case: int, suit: bool) -> None:
        case_id = self.cases[case]
        what, data = ("sue", SUE) if suit else ("write_off", WRITE_OFF)
        if any(request.live and request.what == what for request in map(self.world.request, self.of(case_id))):
            with pytest.raises(CallerError, match="is asked for already"):
                self.world.ask(who, case_id, what, **data)
            return
        told = self.world.ask(who, case_id, what, **data)
        if isinstance(told, Asked):
            number = told.request_id
            self.known[number] = Known(case_id, what, self.world.today, self.parts(number, who))

    @precondition(lambda self: self.known)
    @rule(who=st.sampled_from(PEOPLE), act=st.sampled_from(["review", "approve", "review", "approve", "return"]),
          data=st.data())  # fmt: skip
    def somebody_decides(self, who: str, act: str, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        known, state = self.known[number], self.world.request(number).state
        told = self.world.turn(act, who, number)
        if not isinstance(told, Moved):
            return
        acted = self.parts(number, who)
        assert state in ("asked", "reviewed"), "what is decided is decided"
        if act == "return":
            assert who not in known.asked
            return
        assert self.apart(acted, known.asked, known.asked_on), "never two hats"
        assert not known.touched, "never after a change"
        if act == "review":
            known.reviewed = acted
            return
        assert known.reviewed, "suits and write-offs take a reviewer"
        assert self.apart(acted, known.reviewed, known.asked_on), "never two hats"
        assert self.world.today <= known.asked_on + timedelta(days=14)
        known.decided = acted
        self.touch(known.case_id)

    @precondition(lambda self: self.known)
    @rule(who=st.sampled_from(PEOPLE), data=st.data())
    def somebody_withdraws(self, who: str, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        if isinstance(self.world.turn("withdraw", who, number), Moved):
            known = self.known[number]
            assert not self.apart({who}, known.asked, known.asked_on)

    @rule(case=st.integers(0, 1))
    def the_case_changes(self, case: int) -> None:
        self.world.record(self.cases[case], "B1", "acceleration")
        self.touch(self.cases[case])

    def touch(self, case_id: int) -> None:
        for known in self.known.values():
            known.touched = known.touched or known.case_id == case_id

    @rule(who=st.sampled_from(PEOPLE), deputy=st.sampled_from(PEOPLE), days=st.integers(0, 3))
    def somebody_goes_on_leave(self, who: str, deputy: str, days: int) -> None:
        try:
            self.world.leave(who, deputy, days)
        except CallerError:
            return  # himself, away already, posts that conflict
        self.ties.append((who, deputy, self.world.today, self.world.today + timedelta(days=days)))

    @rule(days=st.sampled_from([1, 1, 2, 15]))
    def days_pass(self, days: int) -> None:
        self.world.pass_days(days)

    @rule()
    def the_sweep_runs(self) -> None:
        self.world.in_one(lambda conn: requests.expire_due(conn, self.world.started.branch, self.world.clock))

    @invariant()
    def what_was_approved_happened_once_and_nothing_else_did(self) -> None:
        steps = sa.select(entries.c.body).where(entries.c.event.in_(["case.step.sue", "case.step.write_off"]))
        with reading(self.world.started.engine) as conn:
            led = [json.loads(bytes(body))["data"]["four_eyes"]["request"] for body in conn.execute(steps).scalars()]
        assert sorted(led) == sorted(number for number, known in self.known.items() if known.decided)

    def teardown(self) -> None:
        assert self.world.findings() == []


def test_never_two_hats_never_twice_never_after_a_change(
    database: Database,
    settings: Settings,
    rulebook_published: None,
    published: Callable[[str], Published],
    tmp_path: Path,
) -> None:
    """Requests × cases × people × deputies, against a model that knows nothing of charts."""
    fresh = Fresh(database, settings, published(database.name), tmp_path)
    try:
        run_state_machine_as_test(
            lambda: People(fill(fresh())),  # type: ignore[arg-type]  # it calls it, which is all that it does with it
            settings=examples(15 if database.is_sqlite else 4),
        )
    finally:
        fresh.close()


def examples(number: int) -> Any:
    return hypothesis_settings(max_examples=number * LONGER, stateful_step_count=30, deadline=None,
                    suppress_health_check=list(HealthCheck))  # fmt: skip
