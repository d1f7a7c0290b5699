"""An empty branch whose register a test fills, with a clock that the test turns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.log.check.findings import Report
from casework.log.write.trail import Trail
from casework.operation.startup import Started, start
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.people.staff.dossier import person
from casework.people.staff.permissions import Permissions
from casework.people.staff.person import Person
from casework.settings import Settings, load_keys
from casework.storage.database import reading, writing

TODAY = date(2026, 3, 10)
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass
class Register:
    """The register of a branch; every `do` is one committed transaction on the day `today`."""

    started: Started
    today: date = TODAY
    actor: Actor = field(default_factory=lambda: system("cli"))

    @property
    def permissions(self) -> Permissions:
        """The branch's table."""
        return self.started.branch.rulebook.permissions

    def clock(self) -> datetime:
        """Ten in the morning at the branch."""
        return datetime.combine(self.today, datetime.min.time(), UTC) + timedelta(hours=2)

    def do(
        self, change: Callable[Concatenate[Connection, Trail, Actor, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Carry out one change of the register."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(self.clock())
            done = change(conn, trail, self.actor, *args, **kwargs)
            trail.write(conn)
        return done

    def mistake(
        self, change: Callable[Concatenate[Connection, Trail, Actor, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> str:
        """The code of the mistake that the change is."""
        with pytest.raises(CallerError) as told:
            self.do(change, *args, **kwargs)
        assert told.value.zh
        assert str(told.value)
        return told.value.code

    def add(self, staff_no: str, *posts: str, **more: Any) -> Person:
        """Somebody new."""
        given = {"staff_no": staff_no, "name": f"员工{staff_no}", "posts": posts, **more}
        return self.do(register.add, self.permissions, **given)

    def grant(self, staff_no: str, post: str, **more: Any) -> Person:
        """A post for somebody, from today unless said otherwise."""
        given = {"staff_no": staff_no, "post": post, "from_on": self.today, **more}
        return self.do(register.grant_post, self.permissions, frozenset(self.permissions.posts), **given)

    def cannot_grant(self, staff_no: str, post: str, **more: Any) -> str:
        """Why not."""
        given = {"staff_no": staff_no, "post": post, "from_on": self.today, **more}
        return self.mistake(register.grant_post, self.permissions, frozenset(self.permissions.posts), **given)

    def person(self, staff_no: str) -> Person:
        """Somebody as his rows have him."""
        with reading(self.started.engine) as conn:
            return person(conn, staff_no)

    def report(self) -> Report:
        """What verifying everything says."""
        keys = load_keys(self.started.settings.keys_dir)
        with reading(self.started.engine, snapshot=True) as conn:
            return verify(conn, keys.mac, self.started.branch.vault)

    def later(self, days: int) -> None:
        """Some days go by."""
        self.today += timedelta(days=days)


@pytest.fixture
def branch(settings: Settings, rulebook_published: None) -> Iterator[Register]:
    """A branch with nobody in its register."""
    started = start(settings, check=False)  # the copy of one that was ready
    yield Register(started)
    started.engine.dispose()
