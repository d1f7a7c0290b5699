"""The first stage of an import: what stood before this feed, and whether it may be imported at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from casework.clock import branch_date
from casework.intake.feed import run as runs
from casework.intake.feed.course import ImportCourse
from casework.intake.feed.erased import ErasedPeople
from casework.intake.feed.institutions import register_or_refuse
from casework.intake.feed.may_import import check_may_import


@dataclass(frozen=True, slots=True)
class StoodBefore:
    """What an institution's earlier feeds left, read once while its feeds are held.

    `seen` has day and digest of the last file of each kind; `last` is the run with the latest day, `earlier` the last
    of a day before this feed's. `registered`: this feed is the branch's first and made its institution known.
    """

    as_of: date
    seen: Mapping[str, tuple[date, str]]
    last: runs.Run | None
    earlier: runs.Run | None
    erased: ErasedPeople
    registered: bool

    @property
    def corrected(self) -> runs.Run | None:
        """The run of this very day that the feed corrects; what happens follows from what that one had applied."""
        return self.last if self.last is not None and self.last.as_of == self.as_of else None

    @property
    def later(self) -> runs.Run | None:
        """The last run, where it is of a later day: the feed corrects a day that is past."""
        last = self.last
        return last if last is not None and last.as_of is not None and self.as_of < last.as_of else None

    @property
    def previous_as_of(self) -> date:
        """The day of the snapshot before; the feed's own if there was none."""
        return (self.earlier and self.earlier.as_of) or self.as_of

    @property
    def loans_on(self) -> date | None:
        """The day of the last loans file before this feed."""
        return self.seen["loans"][0] if "loans" in self.seen else None


def read_before(course: ImportCourse) -> StoodBefore:
    """While the institution's feeds are held. `CallerError` of `check_may_import` and of `register_or_refuse`."""
    conn, institution, as_of = course.conn, course.delivery.institution, course.delivery.as_of
    last = runs.last_applied(conn, institution)
    today = branch_date(course.request.clock(), course.branch.time_zone)
    check_may_import(as_of, last, course.request.actor, course.policy, today, course.request.correction)
    trail = course.branch.trail(course.request.clock())
    registered = register_or_refuse(conn, trail, course.request.actor, institution, course.run_id)
    trail.write(conn)
    runs.mark_interrupted(conn, institution, course.run_id)  # not before: it locks rows that others wait for
    erased, seen = ErasedPeople.read(conn, institution), runs.last_files(conn, institution)
    earlier = runs.last_applied(conn, institution, before=as_of)
    return StoodBefore(as_of, seen, last, earlier, erased, registered)
