"""A bank whose evening comes: two collectors, one of them away with a deputy, and the basic-risk post."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from casework.evidence.evening.handing_in import Outcome, hand_in
from casework.evidence.evening.tables import LEDGER
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.cases.commands import Assign
from casework.work.cases.tables import cases
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter, bank, bank_after
from tests.work.test_promises import day

__all__ = ["bank", "bank_after"]
SNAPSHOT = [arrears(number) for number in (1, 2, 3)]
COLUMNS = "contact_ref,staff_no,loan_id,party,phone,channel,started_at,recording,result"
COLLECTOR = Actor("P1", "staff", "cli", frozenset({"phone_collector"}), "T1")
OTHER = Actor("P2", "staff", "cli", frozenset({"phone_collector"}), "T1")
RISK = Actor("B9", "staff", "cli", frozenset({"basic_risk_manager"}))


def clock(on: date, hour: int, minute: int = 0) -> Any:
    """One that stands at a minute of a day, in branch time."""
    return lambda: datetime(on.year, on.month, on.day, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai"))


def call(bank: Bank, ref: str, who: str, number: int, at: str, entered: Any, result: str = "no_answer") -> None:
    """A call of the evening's day at an hour, entered when the clock says."""
    line = f"{ref},{who},L{number},debtor,1200000000{number},call,{day(1)}T{at}:00+08:00,r1,{result}"
    imported(bank, COLUMNS, (line,), entered)


def imported(bank: Bank, columns: str, lines: Sequence[str], entered: Any) -> None:
    """A contact file with these lines, none of which is at fault."""
    content = "\n".join([columns, *lines]).encode()
    with writing(bank.started.engine) as conn:
        done = import_contacts(conn, bank.started.branch, content, "c.csv", DIALLER, system("cli"), clock=entered)
    assert not done.set_aside, done.set_aside


def handed(bank: Bank, actor: Actor, at: Any, *whose: str, part: str = LEDGER) -> list[str]:
    """What came of handing in the evening's day: `late` or `in time`, or the code of why not."""
    with writing(bank.started.engine) as conn:
        done: list[Outcome] = hand_in(
            conn, bank.started.branch, day(1), whose or (actor.id,), actor, part, clock=at
        )  # fmt: skip
    return [one.code if isinstance(one, Exception) else "late" if one.is_late else "in time" for one in done]


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """L1 and L2 are worked on by P1, L3 by P2; at noon each of P1's debtors was called once. Sound in the end."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    branch = bank.started.branch
    with writing(bank.started.engine) as conn:
        trail = branch.trail(clock(DAY, 8)())
        for staff_no, name, post, team in (
            ("S1", "柳不存", "business_rep", "T2"), ("P1", "电不存", "phone_collector", "T1"),
            ("P2", "铃不存", "phone_collector", "T1"), ("B9", "管不存", "basic_risk_manager", None),
            ("AP1", "批不存", "approver", None),
        ):  # fmt: skip
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=staff_no, name=name, posts=(post,),
                team=team,
            )  # fmt: skip
        trail.write(conn)
    bank.send(DAY, SNAPSHOT, loans=[loan(number) for number in (1, 2, 3)])
    given_to(bank, {"L1": "P1", "L2": "P1", "L3": "P2"})
    bank.send(day(1), SNAPSHOT)
    call(bank, "c1", "P1", 1, "11:00", clock(day(1), 12))
    call(bank, "c2", "P1", 2, "11:30", clock(day(1), 12), "debtor")


def given_to(bank: Bank, handlers: dict[str, str]) -> None:
    """Who works on which loan; the owner stays."""
    with writing(bank.started.engine) as conn:
        found = conn.execute(sa.select(cases.c.id, cases.c.loan_id, cases.c.owner)).all()
        moves = [
            Assign(actor=RISK, id=row.id, owner=row.owner, handler=handlers[row.loan_id], reason="workload")
            for row in found
        ]  # fmt: skip
        done = advance(conn, moves, bank.started.branch)
        assert all(isinstance(one, Done) for one in done), done
