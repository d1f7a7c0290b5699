"""A noun that nobody has heard of: a chart, a struct and a line are enough, and the engine names no noun at all."""

import dataclasses
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Refused
from casework.lifecycle.kept import Kept
from casework.lifecycle.listing import every
from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import Situation
from casework.lifecycle.subject import Child, Rows
from casework.lifecycle.sweep import fire_due
from casework.lifecycle.tables import table_of
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import parse_chart
from casework.rules.statechart.registry import Params, Registry, Verdict
from casework.storage.database import metadata, reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import LIFECYCLES
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import bank

__all__ = ["bank"]

CALLER = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
ENGINE = Path(__file__).parents[2] / "src" / "casework" / "lifecycle"

# ── all that the noun is ────────────────────────────────────────────────────────────────────────────────────────────

CHART = """
name = "callback"
version = 1
zh = "回电"
en = "Call-back"
posts.post_loan_officer = { zh = "贷后管理人员", en = "post-loan officer" }
posts.system = { zh = "系统", en = "the service itself" }
[states.wanted]
zh = "待回电"
en = "Wanted"
initial = true
deadline = { zh = "约定日", en = "the day agreed" }
due = { from = "call_on", days = 1 }
[states.done]
zh = "已回电"
en = "Done"
closed = true
final = true
deadline = { zh = "无", en = "none" }
[states.missed]
zh = "已错过"
en = "Missed"
closed = true
final = true
deadline = { zh = "无", en = "none" }
[openings.agreed]
zh = "约定回电"
en = "Agreed"
posts = ["post_loan_officer"]
rules = ["1.3.1d"]
guards = [{ guard = "not_on_a_sunday" }]
[openings.agreed.data]
call_on = { type = "date", zh = "回电日", en = "day of the call", not_before_today = true }
[events.called]
zh = "已回电"
en = "Called"
posts = ["post_loan_officer"]
rules = ["1.3.1d"]
effects = [{ effect = "count_call" }]
arcs = [{ from = ["wanted"], to = "done" }]
[events.miss]
zh = "错过"
en = "Missed"
posts = ["system"]
rules = ["1.3.1d"]
arcs = [{ from = ["wanted"], to = "missed" }]
[guards.not_on_a_sunday]
rules = ["1.3.1d"]
zh = "{call_on}是星期日"
en = "{call_on} is a Sunday"
"""
REGISTRY = Registry()


class CallBack(Child):
    """Somebody is to be called back on a day."""

    call_on: date
    calls: int = 0
    due_on: date | None = None


@REGISTRY.guard(facts=("call_on",))
def not_on_a_sunday(now: Situation, _: Params) -> Verdict:
    return Verdict(now.subject.call_on.isoweekday() < 7, {"call_on": now.subject.call_on.isoformat()})


@REGISTRY.effect()
def count_call(now: Situation, _: Params) -> None:
    now.subject.calls += 1


CALL_BACK = Noun(chart="callback", word="callback", subject=CallBack, rows=Rows(CallBack), registry=REGISTRY)
CALL_BACKS = Kept.of(CALL_BACK, table=table_of("callbacks", CALL_BACK.rows))
metadata.remove(CALL_BACKS.table)  # it is of this test alone: the schema of the product has no such table

# ── what it can do ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass
class House:
    """A branch that has the noun, and a bank with cases."""

    bank: Bank
    branch: Branch

    def do(self, *commands: Any, on: date = DAY) -> list[Any]:
        def noon() -> datetime:
            return datetime(on.year, on.month, on.day, 12, tzinfo=ZoneInfo("Asia/Shanghai"))

        with writing(self.bank.started.engine) as conn:
            return advance(conn, list(commands), self.branch, clock=noon)

    def agree(self, on: date = DAY + timedelta(days=1), who: Actor = CALLER, ground: str = "agreed") -> Any:
        data = {"call_on": on.isoformat()}
        return self.do(Open(actor=who, noun="callback", of=self.bank.case(1).id, ground=ground, data=data))[0]

    def all(self) -> list[CallBack]:
        with reading(self.bank.started.engine) as conn:
            return every(conn, CALL_BACKS, "call_on", live_only=False)


@pytest.fixture
def house(bank: Bank) -> House:
    """The table is made beside the schema, the row of permissions read from the case's."""
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, [arrears(1)], loans=[loan(1)])
    settings = bank.started.settings
    owner = settings.database_owner_url or settings.database_url
    from casework.storage.database import open_engine  # noqa: PLC0415  # the owner's engine is of this fixture alone

    engine = open_engine(owner)
    with writing(engine) as conn:
        CALL_BACKS.table.create(conn)
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("GRANT ALL ON callbacks TO PUBLIC; GRANT ALL ON SEQUENCE callbacks_id_seq TO PUBLIC")
    engine.dispose()
    now = bank.started.branch
    chart = parse_chart(CHART.encode(), REGISTRY, now.rulebook.policies)
    commands = now.rulebook.permissions.commands
    permissions = dataclasses.replace(
        now.rulebook.permissions, commands={**commands, "callback.read": commands["case.read"]}
    )
    rulebook = dataclasses.replace(
        now.rulebook, charts={**now.rulebook.charts, "callback": chart}, permissions=permissions
    )
    return House(bank, dataclasses.replace(now, rulebook=rulebook, nouns=(*LIFECYCLES, CALL_BACKS)))


def test_it_is_opened_fired_refused_and_listed(house: House) -> None:
    done = house.agree()
    assert isinstance(done, Done)
    (one,) = house.all()
    assert (one.loan_id if hasattr(one, "loan_id") else "", one.state, one.due_on) == (
        "",
        "wanted",
        one.call_on + timedelta(days=1),
    )
    assert isinstance(house.do(Fire(actor=CALLER, noun="callback", id=one.id, event="called", version=1))[0], Done)
    assert [(one.state, one.calls, one.version) for one in house.all()] == [("done", 1, 2)]
    again = house.do(Fire(actor=CALLER, noun="callback", id=one.id, event="called"))[0]
    assert isinstance(again, Refused)
    assert [reason.code for reason in again.reasons] == ["wrong_state"]


def test_its_guards_fields_reach_and_versions_are_asked(house: House) -> None:
    sunday = house.agree(date(2024, 6, 9))
    assert isinstance(sunday, Refused)
    assert [reason.code for reason in sunday.reasons] == ["not_on_a_sunday"]
    past = house.agree(DAY - timedelta(days=1))
    assert isinstance(past, Mistaken)
    assert [fault.field for fault in past.faults] == ["call_on"]
    assert house.agree(ground="whim") == Mistaken("unknown_ground", None)
    stranger = Actor("S2", "staff", "api", frozenset({"post_loan_officer"}), "T9", "R9")
    assert house.agree(who=stranger) == Mistaken("unknown_case", house.bank.case(1).id)
    done = house.agree()
    fired = [
        house.do(Fire(actor=who, noun="callback", id=done.id, event=event, version=version))[0]
        for who, event, version in ((CALLER, "called", 7), (stranger, "called", 1), (CALLER, "fly", 1))
    ]
    assert [outcome.code for outcome in fired] == ["stale_version", "unknown_callback", "unknown_event"]


def test_what_is_due_is_fired_by_the_sweep_and_only_then(house: House) -> None:
    house.agree()
    for days, fired in ((1, {}), (2, {"miss": 1}), (3, {})):
        with writing(house.bank.started.engine) as conn:
            assert fire_due(conn, house.branch, CALL_BACKS, {"demo": DAY + timedelta(days=days)}) == fired


def test_its_entries_stand_in_the_stream_of_its_case(house: House) -> None:
    house.agree(date(2024, 6, 9))
    house.agree()
    house.do(Fire(actor=system("sweep"), noun="callback", id=house.all()[0].id, event="miss"))
    story = house.bank.story(house.bank.case(1).id)
    assert story == ["case.opened", "callback.refused_opening", "callback.opened", "callback.step.miss"]


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_engine_names_no_noun() -> None:
    """Not in code and not in prose: what is in `lifecycle/` holds for whatever has a chart."""
    words = {noun.word for noun in LIFECYCLES} | {noun.chart for noun in LIFECYCLES} | {"hand-over", "handover"}
    known = re.compile(r"\b(?:" + "|".join(sorted(words)) + r")(?:e?s)?\b", re.IGNORECASE)
    plain = re.compile(r"\bholds\b(?! of)")  # the verb
    found = {
        f"{path.name}: {line.strip()}"
        for path in sorted(ENGINE.glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if known.search(plain.sub("", line))
    }
    assert found == set()


def test_there_are_four_hooks_and_most_nouns_need_none() -> None:
    hooks = {field.name for field in dataclasses.fields(Kept)} - {field.name for field in dataclasses.fields(Noun)}
    assert hooks - {"table", "verbs"} == {"about", "prepare", "beside", "following"}
    assert not any(getattr(CALL_BACKS, hook) for hook in hooks - {"table", "verbs"})
