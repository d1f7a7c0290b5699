"""`casework case as-of|diff` and `casework audit as-of|diff`: a case, or the portfolio, as the log says it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from casework.cli.shell import FOLDED, as_json, as_staff, errors, permitted, print_json, progress_wanted, started
from casework.clock import now
from casework.evidence.past.bounds import MAX_PAGE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.evidence.past.instant import Instant
    from casework.work.cases.branch import Branch


_WHEN = "A time as printed, to the end of its second; 2026-03-01T12:00+08:00, exactly; a date, to its end; or now."
_at = click.option("--at", "at", required=True, metavar="INSTANT", help=_WHEN)
_from = click.option("--from", "start", required=True, metavar="INSTANT", help=_WHEN)
_to = click.option("--to", "end", required=True, metavar="INSTANT", help="As --from.")
_FILTERS = (
    click.option("--institution"),
    click.option("--product"),
    click.option("--owner", type=FOLDED, metavar="STAFF_NO"),
    click.option("--state", help="A state of the chart, then or now."),
)


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda made, option: option(made), reversed(_FILTERS), command)


# ── one case ────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command("as-of")
@click.argument("case_id", type=int)
@_at
@as_json
@as_staff
def case_as_of_(case_id: int, at: str, json_: bool, staff_no: str | None) -> None:
    """Show a case as it was at a past instant, from its entries alone: state, owner, bucket, figures, facts.

    Nothing is read from the case's present row; with --as it decides only whether the case may be seen today.
    An entry that cannot be relied on ends it with log_broken: there is no answer then.

    \b
    Examples:
      casework case as-of 17 --at 2026-03-01T12:00
      casework case as-of 17 --at 2026-03-01 --json | jq .state
    """
    from casework.cli import past_tables
    from casework.evidence.past.one_case import case_as_of
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        branch = open_.branch
        _may_see(conn, branch, staff_no, case_id)
        then = case_as_of(conn, branch, case_id, _instant(branch, at))
    if json_:
        print_json(then)
    else:
        past_tables.case(then)


@click.command("diff")
@click.argument("case_id", type=int)
@_from
@_to
@click.option("--after", type=click.IntRange(0), help="Only entries with larger numbers: `next` of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries on a page.")
@as_json
@as_staff
def case_diff(
    *, case_id: int, start: str, end: str, after: int | None, limit: int, json_: bool, staff_no: str | None
) -> None:
    """What became of a case between two instants: fields before and after, and who did what.

    \b
    Examples:
      casework case diff 17 --from 2026-03-01 --to 2026-03-31
      casework case diff 17 --from 2026-03-01T08:00 --to now --json | jq '.changes[].field'
    """
    from casework.cli import past_tables
    from casework.evidence.past.one_case import case_difference
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        branch = open_.branch
        _may_see(conn, branch, staff_no, case_id)
        instants = _instant(branch, start), _instant(branch, end)
        found = case_difference(conn, branch, case_id, *instants, after=after, limit=limit)
    if json_:
        print_json(found)
    else:
        past_tables.case_difference(found)


def _may_see(conn: "Connection", branch: "Branch", staff_no: str | None, case_id: int) -> None:
    """Whoever acts as the service needs no row of the case; others must reach it as it is now."""
    from casework.work.cases.sight import seen_case

    actor = permitted(conn, branch, staff_no, "case.read")
    if staff_no is not None:
        seen_case(conn, branch, actor, case_id, branch.today(now()))


CASE_COMMANDS = (case_as_of_, case_diff)
"""For the group `case`."""


# ── the portfolio ───────────────────────────────────────────────────────────────────────────────────────────────────


@click.command("as-of")
@_at
@_filtered
@as_json
def portfolio_as_of_(*, at: str, json_: bool, **parts: Any) -> None:
    """The portfolio at a past instant, from the log alone: cases and amounts by state and bucket, owner, team.

    One pass over the entries of all cases, each authenticated; memory does not grow with the log. An entry that
    cannot be relied on ends it with log_broken: there is no answer then.

    \b
    Examples:
      casework audit as-of --at 2026-03-01
      casework audit as-of --at 2026-03-01T12:00+08:00 --institution wuhan --json | jq .total
    """
    from casework.cli import past_tables
    from casework.evidence.past.portfolio import PortfolioFilter
    from casework.evidence.past.whole import portfolio_as_of
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        instant = _instant(open_.branch, at)
        with _watching(conn) as progress:
            found = portfolio_as_of(conn, open_.branch, instant, PortfolioFilter(**parts), progress=progress)
        chart = open_.branch.rulebook.chart
    if json_:
        print_json(found)
    else:
        past_tables.portfolio(found, chart)


@click.command("diff")
@_from
@_to
@_filtered
@click.option("--after", type=click.IntRange(0), default=0, help="Only cases with larger numbers are named.")
@click.option(
    "--limit", type=click.IntRange(0, MAX_PAGE), default=50, show_default=True, help="Changed cases that are named."
)
@as_json
def portfolio_diff(*, start: str, end: str, after: int, limit: int, json_: bool, **parts: Any) -> None:
    """What became of the portfolio between two instants: from state to state, opened, closed, owners, changed cases.

    A filter holds for cases that it fits at either instant. One pass over the entries of all cases.

    \b
    Examples:
      casework audit diff --from 2026-03-01 --to 2026-03-31
      casework audit diff --from 2026-03-01 --to now --owner S0012 --limit 200 --json
    """
    from casework.cli import past_tables
    from casework.evidence.past.portfolio import PortfolioFilter
    from casework.evidence.past.whole import portfolio_difference
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        branch = open_.branch
        instants = _instant(branch, start), _instant(branch, end)
        with _watching(conn) as progress:
            found = portfolio_difference(
                conn, branch, *instants, PortfolioFilter(**parts), after=after, limit=limit, progress=progress
            )
    if json_:
        print_json(found)
    else:
        past_tables.portfolio_difference(found, branch.rulebook.chart)


@contextmanager
def _watching(conn: "Connection") -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing in a pipe."""
    import sqlalchemy as sa
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from casework.cli.progress import Rate
    from casework.log.tables import entries

    if not progress_wanted():
        yield lambda _: None
        return
    total = conn.execute(sa.select(sa.func.count()).where(entries.c.stream.startswith("case:"))).scalar_one()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("读取分录 entries", total=total)
        yield lambda done: bar.update(task, completed=done)


def _instant(branch: "Branch", text: str) -> "Instant":
    from casework.evidence.past.instant import read_instant

    return read_instant(text, branch.time_zone, now())


AUDIT_COMMANDS = (portfolio_as_of_, portfolio_diff)
"""For the group `audit`."""
