"""A branch with people and cases to hand over, real on each database; what every test of this folder shares."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from casework.clock import now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Outcome, Record
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command, Measure, OpenCase
from casework.work.cases.tables import cases, owner_history
from casework.work.handover.applying import apply
from casework.work.handover.approving import approve, withdraw
from casework.work.handover.planning import PlanOptions, plan
from casework.work.handover.tables import handover_moves, handovers
from tests import promised
from tests.contacted import contact_day
from tests.fed import dated
from tests.on_books import put_loan

TODAY = date(2024, 3, 1)
FEED = system("feed")
PEOPLE: dict[str, tuple[tuple[str, ...], str | None, str | None]] = {
    "R1": (("business_rep",), "T1", "G1"),
    "R2": (("business_rep",), "T2", "G1"),
    "C1": (("phone_collector",), "T1", "G1"),
    "C2": (("phone_collector",), "T2", "G1"),
    "C3": (("phone_collector",), "T9", "G2"),
    "P1": (("post_loan_officer",), "T1", "G1"),
    "A1": (("asset_preservation",), None, "G1"),
    "A2": (("asset_preservation",), None, "G2"),
    "AG1": (("agency_post",), None, "G1"),
    "B1": (("basic_risk_manager",), None, "G1"),
    "B2": (("basic_risk_manager",), None, "G1"),
    "V1": (("approver",), None, "G1"),
    "V2": (("approver",), None, "G1"),
    "X1": (("auditor",), None, None),
    "D1": (("administrator",), None, None),
}


def measure(days_past_due: int | None = 5, fen: int = 100_000, **changes: Any) -> dict[str, Any]:
    due = None if days_past_due is None else (TODAY - timedelta(days=days_past_due)).isoformat()
    return {
        "oldest_due_date": due, "bucket": "M1", "overdue_principal_fen": fen, "overdue_interest_fen": 0,
        "overdue_penalty_fen": 0, "outstanding_principal_fen": 5_000_000, "risk_class": None, "npl_since": None,
    } | changes  # fmt: skip


@dataclass
class House:
    """A furnished branch. Every step is a transaction of its own, committed."""

    started: Started
    people: dict[str, Actor] = field(default_factory=dict)

    def who(self, staff_no: str, via: str = "api") -> Actor:
        """Somebody as the register has him today."""
        if staff_no == "system":
            return system("cli")
        with reading(self.started.engine) as conn:
            return actor_for(conn, staff_no, via, today=self.today)

    @property
    def today(self) -> date:
        """The branch's day."""
        return self.started.branch.today(now())

    def add(self, staff_no: str, posts: tuple[str, ...], team: str | None = None, region: str | None = None,
            **more: Any) -> None:  # fmt: skip
        """Register somebody."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(now())
            register.add(
                conn, trail, system("cli"), self.started.branch.rulebook.permissions, staff_no=staff_no,
                name=f"员工{staff_no}", posts=posts, team=team, region=region, **more,
            )  # fmt: skip
            trail.write(conn)

    def change(self, staff_no: str, **figures: Any) -> None:
        """Another capacity, or a last day."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(now())
            register.change(conn, trail, system("cli"), staff_no=staff_no, figures=figures)
            trail.write(conn)

    def do(self, *commands: Command) -> list[Outcome]:
        """Through the door."""
        with writing(self.started.engine) as conn:
            return advance(conn, commands, self.started.branch)

    def open(self, *loans: str, owner: str | None = "R1", team: str | None = "T1", region: str | None = "G1",
             ground: str = "arrears", product: str = "consumer", **figures: Any) -> list[int]:  # fmt: skip
        """Cases as the feed opens them."""
        commands: list[Command] = [
            OpenCase(
                actor=FEED, ground=ground, measure=measure(**figures),
                loan={"loan_id": loan, "institution": "wuhan", "borrower_id": f"B-{loan}", "product": product,
                      "channel_code": None, "team": team, "region": region, "owner": owner},
            )
            for loan in loans
        ]  # fmt: skip
        outcomes = self.do(*commands)
        assert all(isinstance(one, Done) for one in outcomes), outcomes
        return [one.id for one in outcomes if isinstance(one, Done)]

    def record(self, who: str, case_id: int, kind: str, on: date = TODAY, **data: Any) -> Outcome:
        """A fact."""
        (outcome,) = self.do(Record(actor=self.who(who), id=case_id, kind=kind, on=on, evidence="rec:1", data=data))
        assert isinstance(outcome, Done), outcome
        return outcome

    def connect(self, case_id: int) -> Outcome:
        """A call that the debtor answered: without one on its day no promise is taken."""
        (outcome,) = self.do(contact_day(case_id, TODAY, connected=True))
        assert isinstance(outcome, Done), outcome
        return outcome

    def promise(self, who: str, case_id: int, pay_by: date) -> Outcome:
        """A promise to pay all that is overdue, made today: there must be such a call."""
        (case,) = self.read(sa.select(cases.c.overdue_fen).where(cases.c.id == case_id))
        command = promised.promise(
            self.who(who), case_id, amount_fen=case.overdue_fen, made_on=TODAY, pay_by=pay_by
        )  # fmt: skip
        (outcome,) = self.do(command)
        assert isinstance(outcome, Done), outcome
        return outcome

    def hold(self, who: str, case_id: int, kind: str) -> Outcome:
        """A hold of the loan's debtor, whose loan comes onto the books for it."""
        columns = (cases.c.loan_id, cases.c.institution, cases.c.borrower_id)
        (case,) = self.read(sa.select(*columns).where(cases.c.id == case_id))
        with writing(self.started.engine) as conn:
            put_loan(conn, self.started.branch, **case._asdict())
        review_by = TODAY + timedelta(days=30)
        (outcome,) = self.do(promised.hold(self.who(who), case.loan_id, kind, on=TODAY, review_by=review_by))
        assert isinstance(outcome, Done), outcome
        return outcome

    def fire(self, who: str, case_id: int, event: str, **data: Any) -> Outcome:
        """An event."""
        actor = FEED if who == "system" else self.who(who)
        (outcome,) = self.do(Fire(actor=actor, id=case_id, event=event, data=data))
        assert isinstance(outcome, Done), outcome
        return outcome

    def settle(self, case_id: int) -> None:
        """The loan has left the snapshot."""
        figures = measure(None, 0, outstanding_principal_fen=0)
        self.do(Measure(actor=FEED, id=case_id, measure=figures, run=1))
        self.fire("system", case_id, "arrears_cleared", previous_as_of=(TODAY - timedelta(days=1)).isoformat())

    # ── hand-overs ──────────────────────────────────────────────────────────────────────────────────────────

    def plan(self, staff_no: str, by: str = "B1", **more: Any) -> int:
        """A plan; `receivers`, `team`, `region` are its options."""
        names = ("receivers", "team", "region")
        options = PlanOptions(**{name: more.pop(name) for name in names if name in more})
        with writing(self.started.engine) as conn:
            return plan(conn, self.started.branch, actor=self.who(by), staff_no=staff_no, options=options, **more)

    def approve(self, handover_id: int, by: str = "V1", **more: Any) -> Any:
        with writing(self.started.engine) as conn:
            return approve(conn, self.started.branch, handover_id, actor=self.who(by), **more)

    def apply(self, handover_id: int, by: str = "B1", **more: Any) -> Any:
        with writing(self.started.engine) as conn:
            return apply(conn, self.started.branch, handover_id, actor=self.who(by), **more)

    def withdraw(self, handover_id: int, by: str = "B1") -> str:
        with writing(self.started.engine) as conn:
            return withdraw(conn, self.started.branch, handover_id, actor=self.who(by))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, wanted: sa.Select[Any]) -> list[Any]:
        with reading(self.started.engine) as conn:
            return list(conn.execute(wanted))

    def row(self, handover_id: int) -> Any:
        (row,) = self.read(sa.select(handovers).where(handovers.c.id == handover_id))
        return row

    def moves(self, handover_id: int) -> dict[int, Any]:
        wanted = sa.select(handover_moves).where(handover_moves.c.handover_id == handover_id)
        return {row.case_id: row for row in self.read(wanted)}

    def owners(self) -> dict[int, tuple[str, str]]:
        """Owner and handler of every case."""
        return {row.id: (row.owner, row.handler) for row in self.read(sa.select(cases))}

    def events(self, stream: str) -> list[str]:
        wanted = sa.select(entries.c.event).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
        return [row.event for row in self.read(wanted)]

    def history(self, case_id: int) -> list[Any]:
        wanted = sa.select(owner_history).where(owner_history.c.case_id == case_id)
        return self.read(wanted.order_by(owner_history.c.stream_seq))


def furnish(started: Started) -> None:
    """Everybody of `PEOPLE` and a business date, in an empty branch."""
    with writing(started.engine) as conn:
        dated(conn, started.branch, TODAY)
        trail = started.branch.trail(now())
        for staff_no, (posts, team, region) in PEOPLE.items():
            register.add(
                conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no=staff_no,
                name=f"员工{staff_no}", posts=posts, team=team, region=region,
            )  # fmt: skip
        trail.write(conn)


def at(day: date) -> Any:
    """A clock that says noon of a day in the branch's zone."""
    instant = datetime.fromisoformat(f"{day.isoformat()}T04:00:00+00:00")
    return lambda: instant
