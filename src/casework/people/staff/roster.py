"""The register as one day sees it: who is there, with which posts, where, and how much they can carry. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from casework.people.staff.person import ACTIVE, UNVERIFIED


@dataclass(frozen=True, slots=True)
class Colleague:
    """One member of staff on that day. `capacity` is in open cases, none means the policy's; `away`: on leave."""

    staff_no: str
    status: str
    posts: frozenset[str]
    team: str | None
    region: str | None
    capacity: int | None
    away: bool
    deputy: str | None
    returned_on: date | None = None
    merged_into: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether they may own a case: they have not left (an unverified one owns those that the feed gave them)."""
        return self.status in (ACTIVE, UNVERIFIED)


@dataclass(frozen=True)
class Roster:
    """Everybody on `on`, by staff number. `going` get no cases any more, though theirs are still theirs."""

    on: date
    colleagues: Mapping[str, Colleague]
    going: frozenset[str] = frozenset()

    @cached_property
    def by_post(self) -> Mapping[str, tuple[Colleague, ...]]:
        """The active holders of each post, by staff number; those away are among them."""
        held: dict[str, list[Colleague]] = {}
        for colleague in self.colleagues.values():
            if colleague.status == ACTIVE:
                for post in colleague.posts:
                    held.setdefault(post, []).append(colleague)
        return {post: tuple(found) for post, found in held.items()}

    def is_there(self, staff_no: str | None) -> bool:
        """Whether this is somebody who may own a case."""
        colleague = self.colleagues.get(staff_no) if staff_no else None
        return colleague is not None and colleague.is_there

    def known(self, staff_no: str | None) -> str | None:
        """The number of whoever a number means, if they are there: of one that was merged, whom it was merged into."""
        colleague = self.colleagues.get(staff_no) if staff_no else None
        if colleague is not None and colleague.merged_into is not None:
            colleague = self.colleagues.get(colleague.merged_into)  # a merge leads to somebody who was not merged
        return colleague.staff_no if colleague is not None and colleague.is_there else None
