"""The portfolio at past instants: one pass over the entries of all cases, however many instants are asked for."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.past.bounds import MAX_PAGE
from casework.evidence.past.chained import (
    COLUMNS,
    Chain,
    SaidThen,
    broken,
)
from casework.evidence.past.folding import PREFIX, CaseFold, number_of
from casework.evidence.past.instant import Instant, in_order
from casework.evidence.past.portfolio import (
    BusinessDate,
    Movement,
    Portfolio,
    PortfolioDifference,
    PortfolioFilter,
    SeenThen,
    Tally,
    View,
)
from casework.evidence.past.surroundings import Surroundings, surroundings
from casework.evidence.past.texts import TextsThen
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.log.tables import texts as published
from casework.work.cases.branch import Branch
from casework.work.cases.filter import (
    MAX_ID,
    check_id,
    check_text,
    filter_malformed,
)

BATCH: Final = 2_000
Progress = Callable[[int], None]


def _silent(_done: int) -> None:
    """Nobody watches."""


def portfolio_as_of(
    conn: Connection, branch: Branch, instant: Instant, wanted: PortfolioFilter, *, at_most: int | None = None,
    progress: Progress = _silent,
) -> Portfolio:  # fmt: skip
    """The cases of a filter at `instant`, counted and summed. `progress` hears the entries of cases read.

    CallerErrors `filter_malformed`, `log_broken`, and `portfolio_too_large` where the log may have more than `at_most`
    entries. `conn` is one snapshot.
    """
    check_size(conn, at_most)
    check_filter(conn, branch, wanted)
    tally = Tally(wanted)
    walk = _Walk(conn, branch, [instant])
    for seen in walk.cases(conn, progress):
        tally.take(seen)
    return tally.portfolio(instant, walk.dates(0), walk.read)


def portfolio_difference(
    conn: Connection, branch: Branch, start: Instant, end: Instant, wanted: PortfolioFilter, *, after: int = 0,
    limit: int = 50, at_most: int | None = None, progress: Progress = _silent,
) -> PortfolioDifference:  # fmt: skip
    """What became of the cases of a filter between two instants; `limit` (0 to 1,000) of the changed ones are named.

    `after`: only cases with larger numbers are named. CallerErrors as of `portfolio_as_of`, and `instants_reversed`.
    """
    if not 0 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"0–{MAX_PAGE}")
    if not 0 <= after <= MAX_ID:
        raise filter_malformed("after", "the number of a case")
    in_order(start, end)
    check_size(conn, at_most)
    check_filter(conn, branch, wanted)
    movement = Movement(wanted, after=after, limit=limit)
    walk = _Walk(conn, branch, [start, end])
    for seen in walk.cases(conn, progress):
        movement.take(seen)
    return movement.difference(start, end, walk.read)


def check_size(conn: Connection, at_most: int | None) -> None:
    """CallerError `portfolio_too_large` if the log may have more than `at_most` entries: told without counting them."""
    if at_most is None:
        return
    largest = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one() or 0
    if largest > at_most:
        raise CallerError(
            "portfolio_too_large",
            f"日志超过{at_most}条，须在命令行执行：casework audit as-of 或 casework audit diff",
            f"the log has more than {at_most:,} entries: ask at the shell, casework audit as-of or casework audit diff",
            at_most=at_most, commands=["casework audit as-of", "casework audit diff"],
        )  # fmt: skip


def check_filter(conn: Connection, branch: Branch, wanted: PortfolioFilter) -> None:
    """CallerError `filter_malformed` for what no case can have; a state may be one of a chart of the past."""
    for name in ("institution", "product", "owner"):
        value = getattr(wanted, name)
        if value is not None:
            (check_id if name == "owner" else check_text)(name, value)
    state = wanted.state
    if state is None or state in branch.rulebook.chart.states:
        return
    check_text("state", state)
    charts = conn.execute(sa.select(published.c.body).where(published.c.kind == "chart")).scalars()
    if not any(type(body) is bytes and f"[states.{state}]".encode() in body for body in charts):
        raise filter_malformed("state", f"one of {', '.join(sorted(branch.rulebook.chart.states))}")


class _Walk:
    """One pass in order of stream and number; of each case a view at each instant."""

    def __init__(self, conn: Connection, branch: Branch, instants: Sequence[Instant]) -> None:
        self.mac_key = branch.mac_key
        self.texts = TextsThen(conn, branch)
        self.worlds = surroundings(conn, branch, self.texts, instants)
        self._institutions: set[str] = set()
        self.read = 0

    def dates(self, number: int) -> list[BusinessDate]:
        """The business date of each institution that was met, at instant `number`."""
        world = self.worlds[number]
        met = sorted(self._institutions | set(world.feeds))
        return [BusinessDate(name, *world.business_date(name, date.min)) for name in met]

    def cases(self, conn: Connection, progress: Progress) -> Iterator[SeenThen]:
        """Every case that was opened by the last instant."""
        wanted = as_stored(entries, COLUMNS, conn.dialect.name).where(entries.c.stream.startswith(PREFIX))
        ordered = wanted.order_by(entries.c.stream, entries.c.stream_seq)
        stream: str | None = None
        case: _OneCase | None = None
        with conn.execute(ordered, execution_options={"yield_per": BATCH}) as result:
            for batch in result.partitions():
                for row in batch:
                    if row[0] != stream:
                        if case is not None and (seen := case.end()) is not None:
                            yield seen
                        stream = row[0]
                        case = _OneCase(self, stream)
                    if case is not None and not case.over:
                        case.take(row)
                self.read += len(batch)
                progress(self.read)
        if case is not None and (seen := case.end()) is not None:
            yield seen

    def view(self, folded: CaseFold, world: Surroundings) -> View | None:
        """A case as it is now folded, in the world of an instant."""
        case, last = folded.case, folded.own
        if case is None or last is None:
            return None
        self._institutions.add(case.institution)
        on, _ = world.business_date(case.institution, folded.business_date())
        policy = world.policy(on, lambda: self.texts.cited(last)[1])
        return View(
            case.institution, case.product, case.team, case.region, case.state, case.live, case.owner, case.handler,
            case.closed_as, case.bucket, policy.bucket(case.days_past_due(on)), case.overdue_fen,
            case.outstanding_principal_fen,
        )  # fmt: skip


class _OneCase:
    """The stream that the pass is in."""

    __slots__ = ("_chain", "_entries", "_folded", "_last", "_views", "_walk", "over")

    def __init__(self, walk: _Walk, stream: str) -> None:
        if number_of(stream) is None:
            raise broken("replay_impossible", stream, None, error="no_case")
        self._walk = walk
        self._chain = Chain(stream, walk.mac_key)
        self._folded = CaseFold(walk.texts.cited)
        self._views: list[View | None] = []
        self._entries = 0
        self._last: SaidThen | None = None
        self.over = False

    def take(self, row: Any) -> None:
        """The next entry; after the last instant none is needed."""
        said = self._chain.read(row)
        while said.recorded_at > self._walk.worlds[len(self._views)].text:
            self._see()
            if self.over:
                return
        self._folded.take(said, self._chain.leaf)
        if self._views:
            self._entries += 1
            self._last = said

    def _see(self) -> None:
        number = len(self._views)
        self._views.append(self._walk.view(self._folded, self._walk.worlds[number]))
        self.over = number + 1 == len(self._walk.worlds)

    def end(self) -> SeenThen | None:
        """The case at each instant; none if it was opened after the last."""
        while not self.over:
            self._see()
        if self._views[-1] is None:
            return None
        last = self._last
        return SeenThen(
            self._folded.case.id if self._folded.case else 0, tuple(self._views), self._entries,
            f"{last.stream}:{last.stream_seq}" if last else None, last.event if last else None,
            last.actor.id if last else None,
        )  # fmt: skip
