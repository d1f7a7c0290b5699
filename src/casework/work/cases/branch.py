"""The branch as the service holds it: its rulebook and its keys; what every command needs besides a connection."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.engine import Connection

from casework.clock import branch_date
from casework.lifecycle.afterwards import Afterwards
from casework.lifecycle.kept import Kept
from casework.people.shifts.answering import answers_on
from casework.people.shifts.lending import ByAnswerer, by_answerer, tied, with_roster
from casework.people.staff.acting import actor_for, version_of
from casework.people.staff.actor import Actor
from casework.people.staff.roster import Roster
from casework.people.staff.roster_rows import read_roster
from casework.personal import Vault
from casework.storage.files import FileStore
from casework.work.cases.rulebook import Rulebook

if TYPE_CHECKING:
    from casework.log.write.trail import Trail


class Above(NamedTuple):
    """What lies above the cases and takes part in their work.

    `apart`: nouns that have a door of their own (decisions 0039, 0043).
    `kinds` of request under four eyes, as `casework.work.four_eyes.kinds` describes them.
    `handing_over` says who hands over all cases by a day; a change of that is a change of the register's version.
    `afterwards`: what follows some acts. `against_visits`: what the gate says against visits to the debtors of cases
    by somebody (both given in pairs) at an instant.
    """

    apart: tuple[Kept, ...] = ()
    kinds: tuple[Any, ...] = ()
    handing_over: Callable[[Connection, date], Iterable[str]] = lambda _conn, _on: ()
    afterwards: Afterwards = MappingProxyType({})
    against_visits: Callable[[Connection, Any, Sequence[tuple[Actor, Any]], datetime], Sequence[Sequence[Any]]] = (
        lambda _conn, _branch, wanted, _at: [()] * len(wanted)
    )


def _lifecycles() -> tuple[Kept, ...]:
    from casework.work.cases.lifecycles import LIFECYCLES  # noqa: PLC0415  # see Branch.look_nouns

    return LIFECYCLES


@dataclass(frozen=True)
class Branch:
    """Loaded once per process; safe to share between threads.

    `look_nouns` gives what the door opens and moves, `look_above` what lies above the cases, each asked when it is
    wanted first: who only looks at cases has no use for all that, and it takes longer to import than to look.
    """

    rulebook: Rulebook
    vault: Vault
    mac_key: bytes
    look_nouns: Callable[[], tuple[Kept, ...]] = _lifecycles
    look_above: Callable[[], Above] = Above
    loans_dir: Path | None = None  # where an import keeps the loans as they came
    files_at: tuple[str, tuple[tuple[str, str], ...]] = ("", ())  # and by what it is reached
    _rosters: dict[tuple[int, date], Roster] = field(default_factory=dict, repr=False, compare=False)
    _off: dict[tuple[int, date], ByAnswerer] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def nouns(self) -> tuple[Kept, ...]:
        """The nouns, cases first."""
        return self.look_nouns()

    @cached_property
    def above(self) -> Above:
        """What lies above the cases."""
        return self.look_above()

    @property
    def afterwards(self) -> Afterwards:
        """What follows some acts, as the door asks a house for it."""
        return self.above.afterwards

    @cached_property
    def files(self) -> FileStore:
        """Where files lie; CallerErrors `setting_malformed`, `file_store_failed`."""
        return FileStore.open(self.files_at[0], dict(self.files_at[1]))

    def roster(self, conn: Connection, version: int, on: date) -> Roster:
        """The register on `on`, read again only when its version is another one."""
        roster = self._rosters.get((version, on))
        if roster is None:
            roster = read_roster(conn, on, self.above.handing_over(conn, on))
            self._rosters.clear()
            self._rosters[version, on] = roster
        return roster

    def actor(self, conn: Connection, staff_no: str, via: str, on: date) -> Actor:
        """Who acts, with everybody whose work they do that day; CallerErrors of `actor_for`."""
        return self.answering(conn, actor_for(conn, staff_no, via, today=on), on)

    def answering(self, conn: Connection, actor: Actor, on: date) -> Actor:
        """The actor with those too for whom the roster has them answer; it is read again only when it changed."""
        return with_roster(actor, self._lent(conn, actor, on))

    def tied(self, conn: Connection, actor: Actor, on: date) -> frozenset[str]:
        """For whom the roster had the actor answer that day, and who answered for them."""
        return tied(self._lent(conn, actor, on), actor.id)

    def _lent(self, conn: Connection, actor: Actor, on: date) -> ByAnswerer:
        version = version_of(conn) if actor.register_version is None else actor.register_version
        found = self._off.get((version, on))
        if found is None:
            for old in [one for one in list(self._off) if one[0] != version]:
                self._off.pop(old, None)
            answers = answers_on(conn, self.rulebook.shifts, self.rulebook.policies.at(on), on)
            found = self._off[version, on] = by_answerer(answers, self.rulebook.permissions)
        return found

    def today(self, now: datetime) -> date:
        """The branch's calendar day."""
        return branch_date(now, self.time_zone)

    def trail(self, now: datetime) -> "Trail":
        """A fresh writer of entries for one transaction."""
        from casework.log.write.trail import Trail  # noqa: PLC0415  # who only looks writes none

        return Trail(self.mac_key, self.vault, now, self.today(now))

    @property
    def time_zone(self) -> str:
        """The branch's time zone (policy `branch.time_zone`)."""
        return str(self.rulebook.policies.all[-1].figure("branch.time_zone"))
