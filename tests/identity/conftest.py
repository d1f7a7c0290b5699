"""A branch with a few people and a clock of its own; who was right is said here, passwords are compared elsewhere."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.log.write.trail import Trail
from casework.operation.startup import Started
from casework.people.identity import log_in, second_factor
from casework.people.identity.brake import Brake
from casework.people.identity.holding import Holder, holder_of
from casework.people.identity.passwords import keep_password
from casework.people.identity.sessions import TokensGranted
from casework.people.staff import acting, register
from casework.people.staff.actor import Actor, system
from casework.people.staff.tokens import hash_of
from casework.rules.statechart.policy import Policy
from casework.storage.database import reading, writing
from tests.conftest import StartedAfter

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PEOPLE = {"R1": ["business_rep"], "T1": ["phone_collector"], "V1": ["approver"], "ADM1": ["administrator"]}
Found = TypeVar("Found")


@dataclass
class World:
    """The branch and what time it is there."""

    started: Started
    at: datetime = START

    def wait(self, **time: float) -> None:
        self.at += timedelta(**time)

    @property
    def today(self) -> date:
        return self.started.branch.today(self.at)

    @property
    def policy(self) -> Policy:
        return self.started.branch.rulebook.policies.at(self.today)

    def do(self, work: Callable[[Connection, Trail], Found]) -> Found:
        """One transaction, its entries written."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(self.at)
            found = work(conn, trail)
            trail.write(conn)
        return found

    def actor(self, staff_no: str) -> Actor:
        with reading(self.started.engine) as conn:
            return acting.actor_for(conn, staff_no, "api", today=self.today)

    def set_password(self, staff_no: str) -> None:
        self.do(lambda conn, trail: keep_password(conn, trail, staff_no, f"hash of {staff_no}"))

    def brake(self, staff_no: str, address: str = "10.0.0.1") -> Brake:
        return Brake.of(self.policy, self.started.branch.vault, staff_no, address)

    def log_in(
        self, staff_no: str, *, right: bool = True, otp: str | None = None, address: str = "10.0.0.1"
    ) -> TokensGranted | CallerError:
        attempt = self.do(lambda conn, trail: log_in.begin(conn, trail, self.brake(staff_no, address), staff_no))
        if isinstance(attempt, CallerError):
            return attempt
        vault = self.started.branch.vault
        is_right = right and attempt.stored is not None
        return self.do(
            lambda conn, trail: log_in.finish(conn, trail, vault, self.policy, attempt, is_right=is_right, otp=otp)
        )

    def logged_in(self, staff_no: str, **how: Any) -> TokensGranted:
        granted = self.log_in(staff_no, **how)
        assert isinstance(granted, TokensGranted), granted.code
        return granted

    def refused(self, staff_no: str, **how: Any) -> str:
        refused = self.log_in(staff_no, **how)
        assert isinstance(refused, CallerError)
        return refused.code

    def holder(self, token: str) -> Holder | None:
        with reading(self.started.engine) as conn:
            return holder_of(
                conn, hash_of(token), self.at, self.started.branch.mac_key, today=self.today, policy=self.policy
            )

    def enrol(self, staff_no: str, session_id: int | None = None) -> "Phone":
        """Set up a second factor and confirm it."""
        vault, actor = self.started.branch.vault, self.actor(staff_no)
        made = self.do(lambda conn, _: second_factor.enrol(conn, self.started.branch.mac_key, vault, actor))
        phone = Phone(made.secret)
        code = phone.shows(self.at)
        wrong = self.do(
            lambda conn, trail: second_factor.confirm(conn, trail, vault, actor, code, session_id=session_id)
        )
        assert wrong is None
        self.wait(seconds=second_factor.STEP_S)
        return phone

    def said(self, staff_no: str, *events: str) -> list[tuple[str, dict[str, Any]]]:
        """The entries of somebody's stream, of these events if any are named."""
        with reading(self.started.engine) as conn:
            bodies = conn.execute(
                sa.select(entries.c.body).where(entries.c.stream == f"staff:{staff_no}").order_by(entries.c.stream_seq)
            ).scalars()
            found = [decode_strict(bytes(body)) for body in bodies]
        return [(entry.event, dict(entry.data)) for entry in found if not events or entry.event in events]

    def rows(self, table: sa.Table) -> list[Any]:
        with reading(self.started.engine) as conn:
            return list(conn.execute(sa.select(table)))


@dataclass
class Phone:
    """An authenticator."""

    secret: str

    def shows(self, at: datetime, steps: int = 0) -> str:
        codes = TOTP(base64.b32decode(self.secret), 6, SHA1(), 30)
        return codes.generate(int(at.timestamp()) + 30 * steps).decode()


@pytest.fixture
def world(started_after: StartedAfter) -> World:
    started, _ = started_after(_furnish)
    return World(started)


def _furnish(started: Started) -> None:
    made = World(started)

    def hire(conn: Connection, trail: Trail) -> None:
        for staff_no, posts in PEOPLE.items():
            register.add(
                conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no=staff_no,
                name=f"员工{staff_no}", posts=posts,
            )  # fmt: skip

    made.do(hire)
    for staff_no in PEOPLE:
        made.set_password(staff_no)
