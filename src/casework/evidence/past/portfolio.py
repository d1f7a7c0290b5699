"""The portfolio at an instant, and between two: counts and sums of what each case was. Pure.

Memory is bounded by people, places, states and buckets, and by the page of cases asked for; never by the cases.
"""

from datetime import date
from heapq import heappush, heappushpop
from typing import Any, NamedTuple

import msgspec

from casework import ids
from casework.evidence.past.instant import Instant, Source


class View(NamedTuple):
    """What the portfolio asks of one case at one instant."""

    institution: str
    product: str | None
    team: str | None
    region: str | None
    state: str
    live: bool
    owner: str
    handler: str
    closed_as: str | None
    bucket_recorded: str
    bucket_computed: str
    overdue_fen: int
    outstanding_principal_fen: int


class SeenThen(NamedTuple):
    """A case at each instant asked for, in order of time; none where it was not opened by then."""

    case_id: int
    views: tuple[View | None, ...]
    entries: int  # between the first instant and the last
    last_entry_id: str | None  # of these
    last_event: str | None
    last_actor: str | None


class PortfolioFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which cases: every part given must hold, at the instant; of a difference at either of its instants."""

    institution: str | None = None
    product: str | None = None
    owner: str | None = None
    state: str | None = None

    def __post_init__(self) -> None:
        if self.owner is not None:
            msgspec.structs.force_setattr(self, "owner", ids.fold(self.owner))

    def holds(self, view: View | None) -> bool:
        """Whether a case, as it was, is one of them."""
        return view is not None and (
            self.institution in (None, view.institution)
            and self.product in (None, view.product)
            and self.owner in (None, view.owner)
            and self.state in (None, view.state)
        )


class Sums(msgspec.Struct, kw_only=True):
    """How many cases, how many of them live (open or written off), and their amounts in fen."""

    cases: int = 0
    live: int = 0
    overdue_fen: int = 0
    outstanding_principal_fen: int = 0

    def add(self, view: View) -> None:
        """One case more."""
        self.cases += 1
        self.live += view.live
        self.overdue_fen += view.overdue_fen
        self.outstanding_principal_fen += view.outstanding_principal_fen


class OfStateAndBucket(Sums, kw_only=True):
    """The cases of a state and a bucket. `bucket_recorded` is what lists showed, `bucket_computed` that of the day."""

    state: str
    bucket_recorded: str
    bucket_computed: str


class OfOwner(Sums, kw_only=True):
    """The cases of an owner."""

    owner: str


class OfTeam(Sums, kw_only=True):
    """The cases of a team in a region."""

    region: str | None
    team: str | None


class BusinessDate(msgspec.Struct):
    """An institution's business date at the instant, of its last feed or of the calendar."""

    institution: str
    business_date: date
    source: Source


class Portfolio(msgspec.Struct):
    """All cases of a filter at `instant`. `entries` is how many entries of cases were read for it."""

    instant: Instant
    filter: PortfolioFilter
    entries: int
    business_dates: list[BusinessDate]
    total: Sums
    by_state_and_bucket: list[OfStateAndBucket]
    by_owner: list[OfOwner]
    by_team: list[OfTeam]


class Tally:
    """Counts cases into a `Portfolio`."""

    def __init__(self, wanted: PortfolioFilter) -> None:
        self._wanted = wanted
        self._total = Sums()
        self._cells: dict[tuple[str, str, str], OfStateAndBucket] = {}
        self._owners: dict[tuple[str], OfOwner] = {}
        self._teams: dict[tuple[str | None, str | None], OfTeam] = {}

    def take(self, seen: SeenThen) -> None:
        """One case, seen at one instant."""
        (view,) = seen.views
        if view is None or not self._wanted.holds(view):
            return
        cell = view.state, view.bucket_recorded, view.bucket_computed
        if cell not in self._cells:
            self._cells[cell] = OfStateAndBucket(state=cell[0], bucket_recorded=cell[1], bucket_computed=cell[2])
        if (view.owner,) not in self._owners:
            self._owners[view.owner,] = OfOwner(owner=view.owner)
        place = view.region, view.team
        if place not in self._teams:
            self._teams[place] = OfTeam(region=view.region, team=view.team)
        for sums in (self._total, self._cells[cell], self._owners[view.owner,], self._teams[place]):
            sums.add(view)

    def portfolio(self, instant: Instant, dates: list[BusinessDate], entries: int) -> Portfolio:
        """What was counted."""
        return Portfolio(
            instant, self._wanted, entries, dates, self._total,
            _sorted(self._cells), _sorted(self._owners), _sorted(self._teams),
        )  # fmt: skip


# ── between two instants ────────────────────────────────────────────────────────────────────────────────────────────


class MovedMeanwhile(msgspec.Struct):
    """Cases that were in one state and then in another (or the same); `from_state` none: opened between.

    Amounts are those of the earlier and of the later instant.
    """

    from_state: str | None
    to_state: str
    cases: int = 0
    overdue_before_fen: int = 0
    overdue_after_fen: int = 0
    outstanding_principal_before_fen: int = 0
    outstanding_principal_after_fen: int = 0


class OwnerMoved(msgspec.Struct, kw_only=True):
    """What an owner had, was given and gave away; `given` counts cases opened for them in between too."""

    owner: str
    cases_before: int = 0
    given: int = 0
    taken: int = 0
    cases_after: int = 0
    overdue_before_fen: int = 0
    overdue_after_fen: int = 0


class Side(msgspec.Struct):
    """A case at one instant, in short."""

    state: str
    owner: str
    handler: str
    closed_as: str | None
    bucket_recorded: str
    bucket_computed: str
    overdue_fen: int
    outstanding_principal_fen: int


class ChangedCase(msgspec.Struct):
    """A case of which state, owner, handler, ending, bucket recorded or an amount changed; and its last entry."""

    case_id: int
    before: Side | None
    after: Side
    entries: int
    last_entry_id: str | None
    last_event: str | None
    last_actor: str | None


class PortfolioDifference(msgspec.Struct):
    """All cases of a filter at two instants. `untouched` cases have no entry between them.

    `opened`: opened between; `closed`: no longer live; `reopened`: live again. `changed` is a page of cases in order of
    their numbers; `next` is the `after` of the page that follows.
    """

    from_at: Instant
    to_at: Instant
    filter: PortfolioFilter
    entries: int
    before: Sums
    after: Sums
    opened: int
    closed: int
    reopened: int
    owner_changed: int
    untouched: int
    changed_in_all: int
    moves: list[MovedMeanwhile]
    owners: list[OwnerMoved]
    changed: list[ChangedCase]
    next: int | None


class Movement:
    """Counts cases seen at two instants into a `PortfolioDifference`; keeps the `limit` first changed after a case."""

    def __init__(self, wanted: PortfolioFilter, *, after: int, limit: int) -> None:
        self._wanted = wanted
        self._after, self._limit = after, limit
        self._sums = Sums(), Sums()
        self._counts = dict.fromkeys(
            ("opened", "closed", "reopened", "owner_changed", "untouched", "changed_in_all"), 0
        )
        self._moves: dict[tuple[str | None, str], MovedMeanwhile] = {}
        self._owners: dict[tuple[str], OwnerMoved] = {}
        self._page: list[tuple[int, ChangedCase]] = []  # a heap of the smallest numbers, the largest on top

    def take(self, seen: SeenThen) -> None:
        """One case, seen at both."""
        before, after = seen.views
        if after is None or not (self._wanted.holds(before) or self._wanted.holds(after)):
            return
        self._count(before, after)
        self._counts["untouched"] += not seen.entries
        if before is None or _side(before, computed=False) != _side(after, computed=False):
            self._counts["changed_in_all"] += 1
            if seen.case_id > self._after:
                self._keep(seen, before, after)

    def _count(self, before: View | None, after: View) -> None:
        for sums, view in zip(self._sums, (before, after), strict=True):
            if view is not None:
                sums.add(view)
        counts = self._counts
        counts["opened"] += before is None
        counts["closed"] += before is not None and before.live and not after.live
        counts["reopened"] += before is not None and after.live and not before.live
        counts["owner_changed"] += before is not None and before.owner != after.owner
        move = before.state if before else None, after.state
        moved = self._moves.setdefault(move, MovedMeanwhile(*move))
        moved.cases += 1
        moved.overdue_after_fen += after.overdue_fen
        moved.outstanding_principal_after_fen += after.outstanding_principal_fen
        if before is not None:
            moved.overdue_before_fen += before.overdue_fen
            moved.outstanding_principal_before_fen += before.outstanding_principal_fen
            had = self._owner(before.owner)
            had.cases_before += 1
            had.overdue_before_fen += before.overdue_fen
            had.taken += before.owner != after.owner
        has = self._owner(after.owner)
        has.cases_after += 1
        has.overdue_after_fen += after.overdue_fen
        has.given += before is None or before.owner != after.owner

    def _owner(self, owner: str) -> OwnerMoved:
        if (owner,) not in self._owners:
            self._owners[owner,] = OwnerMoved(owner=owner)
        return self._owners[owner,]

    def _keep(self, seen: SeenThen, before: View | None, after: View) -> None:
        if len(self._page) > self._limit and seen.case_id > -self._page[0][0]:
            return
        changed = ChangedCase(
            seen.case_id, _side(before) if before else None, _side(after), seen.entries, seen.last_entry_id,
            seen.last_event, seen.last_actor,
        )  # fmt: skip
        kept = -seen.case_id, changed
        if len(self._page) > self._limit:
            heappushpop(self._page, kept)
        else:
            heappush(self._page, kept)

    def difference(self, start: Instant, end: Instant, entries: int) -> PortfolioDifference:
        """What was counted."""
        page = [changed for _, changed in sorted(self._page, key=lambda kept: -kept[0])]
        shown = page[: self._limit]
        return PortfolioDifference(
            start, end, self._wanted, entries, *self._sums, **self._counts,  # type: ignore[arg-type]  # all are int
            moves=_sorted(self._moves), owners=_sorted(self._owners), changed=shown,
            next=shown[-1].case_id if shown and len(page) > self._limit else None,
        )  # fmt: skip


def _side(view: View, *, computed: bool = True) -> Side:
    """`computed`: with the bucket that changes by time alone."""
    return Side(
        view.state, view.owner, view.handler, view.closed_as, view.bucket_recorded,
        view.bucket_computed if computed else "", view.overdue_fen, view.outstanding_principal_fen,
    )  # fmt: skip


def _sorted(groups: dict[Any, Any]) -> list[Any]:
    """In order of their keys; none before any text."""
    return [groups[key] for key in sorted(groups, key=lambda key: [(part is not None, part or "") for part in key])]
