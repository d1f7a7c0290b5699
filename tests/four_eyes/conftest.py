"""A furnished branch on each database: people for every topic, a case ready for each event under four eyes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Outcome, Record
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import absence, acting, register
from casework.people.staff.actor import Actor, system
from casework.people.staff.posts import known_posts
from casework.people.staff.tables import register_version
from casework.settings import load_keys
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command, Measure, OpenCase
from casework.work.cases.tables import cases
from casework.work.four_eyes import requests
from casework.work.four_eyes.requests import Asked, Moved, Refused
from casework.work.four_eyes.stored import read_one
from casework.work.four_eyes.tables import requests as rows
from casework.work.requests import Request
from tests.conftest import StartedAfter
from tests.fed import dated
from tests.on_books import put_loan
from tests.promised import hold

T = TypeVar("T")
START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BUSINESS_DATE = date(2026, 3, 1)
POSTS = {
    "R1": ["business_rep"], "P1": ["post_loan_officer"], "G1": ["agency_post"],
    "A1": ["asset_preservation"], "A2": ["asset_preservation"],
    "B1": ["basic_risk_manager"], "B2": ["basic_risk_manager"],
    "V1": ["approver"], "V2": ["approver"], "T1": ["phone_collector"],
    "ADM1": ["administrator"], "ADM2": ["administrator"], "AUD1": ["auditor"], "N1": ["customer_service"],
}  # fmt: skip
WRITE_OFF = {"criterion": "long_overdue", "evidence": "doc:1", "principal_fen": 5_000_000, "interest_fen": 2_100}
AGENCY = {"agency": "agency:1", "term_until": "2026-09-01"}


@dataclass
class World:
    """A branch with a clock of its own."""

    started: Started
    at: datetime = START
    loans: int = 0
    told: list[Any] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.at

    def pass_days(self, days: int) -> None:
        self.at += timedelta(days=days)

    @property
    def today(self) -> date:
        return self.started.branch.today(self.at)

    def actor(self, staff_no: str) -> Actor:
        with reading(self.started.engine) as conn:
            return acting.actor_for(conn, staff_no, "api", today=self.today)

    def in_one(self, work: Callable[[Any], T]) -> T:
        with writing(self.started.engine) as conn:
            return work(conn)

    def do(self, *commands: Command) -> list[Outcome]:
        return self.in_one(lambda conn: advance(conn, commands, self.started.branch, clock=self.clock))

    # ── cases ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, days_past_due: int = 200, **figures: Any) -> int:
        self.loans += 1
        due = BUSINESS_DATE - timedelta(days=days_past_due)
        measure = {
            "oldest_due_date": due.isoformat(), "bucket": "M7", "overdue_principal_fen": 100_000,
            "overdue_interest_fen": 2_000, "overdue_penalty_fen": 100, "outstanding_principal_fen": 5_000_000,
            "risk_class": "loss", "npl_since": None, **figures,
        }  # fmt: skip
        loan: dict[str, str | None] = {
            "loan_id": f"L{self.loans}", "institution": "wuhan", "borrower_id": f"B{self.loans}", "product": "consumer",
            "channel_code": None, "team": "T1", "region": "R1", "owner": "R1",
        }  # fmt: skip
        (done,) = self.do(OpenCase(actor=system("feed"), ground="arrears", loan=loan, measure=measure))
        assert isinstance(done, Done), done
        whose = {"loan_id": f"L{self.loans}", "institution": "wuhan", "borrower_id": f"B{self.loans}"}
        self.in_one(lambda conn: put_loan(conn, self.started.branch, **whose))
        return done.id

    def record(self, case_id: int, who: str, kind: str, **data: Any) -> None:
        command = Record(
            actor=system("feed") if who == "system" else self.actor(who), id=case_id, kind=kind, on=BUSINESS_DATE,
            evidence="doc:1", data=data,
        )  # fmt: skip
        (done,) = self.do(command)
        assert isinstance(done, Done), done

    def suable(self, limitation_ends_on: str = "2027-01-01") -> int:
        """A case for which every guard of a suit holds."""
        case_id = self.open()
        self.record(case_id, "P1", "disposal_form")
        self.record(case_id, "A1", "limitation_check", ends_on=limitation_ends_on)
        return case_id

    def hold(self, case_id: int) -> None:
        """Something that an approver would want to look at again."""
        loan_id = self.case(case_id).loan_id
        command = hold(
            self.actor("B1"), loan_id, "complaint", on=BUSINESS_DATE, review_by=BUSINESS_DATE + timedelta(days=30)
        )  # fmt: skip
        (done,) = self.do(command)
        assert isinstance(done, Done), done

    def suable_by(self, who: str) -> int:
        """The same, all facts of which one person records who may."""
        case_id = self.open()
        self.record(case_id, "G1", "disposal_form")
        self.record(case_id, who, "limitation_check", ends_on="2027-01-01")
        return case_id

    def measured(self, case_id: int, **figures: int) -> None:
        """The feed reports other figures of the case that `open` made."""
        case = self.case(case_id)
        measure = {
            "oldest_due_date": case.oldest_due_date.isoformat(), "bucket": "M7", "overdue_principal_fen": 100_000,
            "overdue_interest_fen": 2_000, "overdue_penalty_fen": 100, "outstanding_principal_fen": 5_000_000,
            "risk_class": "loss", "npl_since": None, **figures,
        }  # fmt: skip
        (done,) = self.do(Measure(actor=system("feed"), id=case_id, measure=measure, run=2))
        assert isinstance(done, Done), done

    def visit_in_vain(self, case_id: int, on: str) -> None:
        photo = f"sha256:{on.replace('-', ''):0>64}"
        data = {"outcome": "not_found", "photo": photo, "person_met": "nobody", "address_kind": "home"}
        visit = Record(actor=system("cli"), id=case_id, kind="visit", on=date.fromisoformat(on),
                       evidence="v:1", data=data)  # fmt: skip
        outcomes = self.do(visit, Fire(actor=self.actor("R1"), id=case_id, event="not_found"))
        assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes

    def settle(self, case_id: int) -> None:
        """The feed says that nothing is in arrears any more."""
        measure = {
            "oldest_due_date": None, "bucket": "M0", "overdue_principal_fen": 0, "overdue_interest_fen": 0,
            "overdue_penalty_fen": 0, "outstanding_principal_fen": 5_000_000, "risk_class": None, "npl_since": None,
        }  # fmt: skip
        outcomes = self.do(
            Measure(actor=system("feed"), id=case_id, measure=measure, run=2),
            Fire(actor=system("feed"), id=case_id, event="arrears_cleared", data={"previous_as_of": "2026-02-28"}),
        )
        assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes

    def business_date(self, day: str) -> None:
        self.in_one(lambda conn: dated(conn, self.started.branch, date.fromisoformat(day)))

    def case(self, case_id: int) -> Any:
        with reading(self.started.engine) as conn:
            return conn.execute(sa.select(cases).where(cases.c.id == case_id)).one()

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, who: str, case_id: int, event: str, **data: Any) -> Asked | Refused:
        return self.ask_for(who, "event", f"case:{case_id}", event, data)

    def ask_for(self, who: str, kind: str, subject: str, what: str, data: dict[str, Any]) -> Asked | Refused:
        actor = self.actor(who) if who != "system" else system("cli")
        return self.in_one(
            lambda conn: requests.ask(
                conn, self.started.branch, actor=actor, kind=kind, subject=subject, what=what, data=data,
                clock=self.clock,
            )
        )  # fmt: skip

    def asked(self, who: str, case_id: int, event: str, **data: Any) -> int:
        told = self.ask(who, case_id, event, **data)
        assert isinstance(told, Asked), told
        return told.request_id

    def turn(self, what: str, who: str, request_id: int, **more: Any) -> Moved | Refused:
        acts: dict[str, Callable[..., Moved | Refused]] = {
            "review": requests.review,
            "approve": requests.approve,
            "withdraw": requests.withdraw,
        }
        actor = self.actor(who) if who != "system" else system("cli")
        if what == "return":
            return self.in_one(
                lambda conn: requests.send_back(
                    conn, self.started.branch, request_id, actor=actor, reason=more.get("reason", "other"),
                    clock=self.clock,
                )
            )  # fmt: skip
        return self.in_one(
            lambda conn: acts[what](conn, self.started.branch, request_id, actor=actor, clock=self.clock, **more)
        )

    def request(self, request_id: int) -> Request:
        with reading(self.started.engine) as conn:
            return read_one(conn, request_id)

    def grant(self, who: str, post: str) -> None:
        """At the shell, as while a branch is set up."""

        def work(conn: Any) -> None:
            branch, trail = self.started.branch, self.started.branch.trail(self.at)
            known = known_posts(branch.rulebook.chart)
            register.grant_post(
                conn, trail, system("cli"), branch.rulebook.permissions, known, staff_no=who, post=post,
                from_on=self.today,
            )  # fmt: skip
            trail.write(conn)

        self.in_one(work)

    def leave(self, who: str, deputy: str, days: int = 5) -> None:
        def work(conn: Any) -> None:
            trail = self.started.branch.trail(self.at)
            absence.absent(
                conn, trail, self.actor("ADM1"), self.started.branch.rulebook.permissions, staff_no=who,
                from_on=self.today, until_on=self.today + timedelta(days=days), reason="leave", deputy=deputy,
            )  # fmt: skip
            trail.write(conn)

        self.in_one(work)

    def rests(self, who: str, stand_in: str, on: date | None = None) -> None:
        """By the roster, today or on that day."""

        def work(conn: Any) -> None:
            trail, given = self.started.branch.trail(self.at), [ShiftGiven(on or self.today, who, "rest", stand_in)]
            enter_shifts(conn, trail, self.actor("ADM1"), self.started.branch.rulebook.shifts, given, closed=None)
            trail.write(conn)

        self.in_one(work)

    # ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def entries_of(self, stream: str) -> list[str]:
        with reading(self.started.engine) as conn:
            wanted = sa.select(entries.c.event).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
            return list(conn.execute(wanted).scalars())

    def bodies_of(self, stream: str) -> str:
        with reading(self.started.engine) as conn:
            wanted = sa.select(entries.c.body).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
            return "\n".join(bytes(body).decode() for body in conn.execute(wanted).scalars())

    def counts(self, stream: str = "") -> tuple[int, int]:
        """How many entries (of a stream) and requests there are."""
        with reading(self.started.engine) as conn:
            said = sa.select(sa.func.count()).select_from(entries)
            if stream:
                said = said.where(entries.c.stream == stream)
            return conn.execute(said).scalar_one(), conn.execute(
                sa.select(sa.func.count()).select_from(rows)
            ).scalar_one()

    def register_version(self) -> int:
        with reading(self.started.engine) as conn:
            found: int = conn.execute(sa.select(register_version.c.version)).scalar_one()
            return found

    def findings(self) -> list[Any]:
        keys = load_keys(self.started.settings.keys_dir)
        with reading(self.started.engine, snapshot=True) as conn:
            report = verify(conn, keys.mac, self.started.branch.vault)
        return [*report.findings, *report.doubts]


def codes(told: Any) -> list[str]:
    """The codes of a refusal; none if it happened."""
    return [reason.code for reason in told.reasons] if isinstance(told, Refused) else []


def fill(started: Started) -> World:
    """Everybody, and an institution, in an empty branch."""
    with writing(started.engine) as conn:
        dated(conn, started.branch, BUSINESS_DATE)
        trail = started.branch.trail(START - timedelta(days=30))
        for staff_no, posts in POSTS.items():
            register.add(
                conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no=staff_no, name="某员工",
                posts=posts, team="T1", region="R1",
            )  # fmt: skip
        trail.write(conn)
    return World(started)


@pytest.fixture
def world(started_after: StartedAfter) -> World:
    """People and no case yet."""
    started, _ = started_after(fill)
    return World(started)


__all__ = ["AGENCY", "WRITE_OFF", "World", "codes", "now", "world"]
