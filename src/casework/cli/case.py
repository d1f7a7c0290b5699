"""`casework case`: lists of cases, one case, what may happen to it, and doing it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import click

from casework.cli import assigning, case_tables, dossier, lifecycle, past
from casework.cli.changing import day
from casework.cli.shell import ALL, FOLDED, as_json, as_staff, console, days_of, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.errors import CallerError
from casework.work.cases.sorts import Sort

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.operation.startup import Started
    from casework.people.staff.actor import Actor
    from casework.work.cases.case import Case
    from casework.work.cases.history import HistoryItem


@click.group()
def cli() -> None:
    """Cases: list, show, what may be done next, and doing it.

    \b
    Examples:
      casework case list --state lost_contact --sort -overdue_fen
      casework case show --loan L2024000917
      casework case options 1207 --as S0012
      casework case as-of 1207 --at 2026-03-01
      casework case advance 1207 reached --as S0012
    """


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command("list")
@click.option("--state", multiple=True, help="State; may be repeated.")
@click.option("--bucket", multiple=True, help="Bucket of days past due, such as M1; may be repeated.")
@click.option("--owner", type=FOLDED, metavar="STAFF_NO")
@click.option("--handler", type=FOLDED, metavar="STAFF_NO")
@click.option("--worked-by", type=FOLDED, metavar="STAFF_NO", help="Owner or handler.")
@click.option("--team")
@click.option("--region")
@click.option("--product")
@click.option("--institution")
@click.option("--borrower", "borrower_id", metavar="BORROWER_ID")
@click.option("--loan", "loan_id", metavar="LOAN_ID")
@click.option("--live/--not-live", default=None, help="Open or written off; or the others.")
@click.option("--dpd-min", type=click.IntRange(0), help="Days past due at least.")
@click.option("--dpd-max", type=click.IntRange(0), help="Days past due at most.")
@click.option("--overdue-fen-min", type=int, help="Overdue total in fen, at least.")
@click.option("--overdue-fen-max", type=int, help="Overdue total in fen, at most.")
@click.option("--sort", type=click.Choice(get_args(Sort)), default="id", show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Cases on a page.")
@click.option("--cursor", help="`next` of the page before.")
@click.option("--all", "every", is_flag=True, help="All pages.")
@as_json
@as_staff
def list_(
    *, state: tuple[str, ...], bucket: tuple[str, ...], sort: Sort, limit: int, cursor: str | None, every: bool,
    json_: bool, staff_no: str | None, **parts: Any,
) -> None:  # fmt: skip
    """List cases by filter and sort, a page at a time or all.

    \b
    Examples:
      casework case list --state phone_collection --dpd-min 4 --sort oldest_due_date
      casework case list --team T2 --all --json
    """
    from casework.storage.database import reading
    from casework.work.cases.filter import BusinessDates, CaseFilter
    from casework.work.cases.line import CasePage
    from casework.work.cases.queries import page_of_cases, walk_cases
    from casework.work.cases.sight import reach_of

    wanted = CaseFilter(state=state, bucket=bucket, **parts)
    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, open_.branch)
        actor = permitted(conn, open_.branch, staff_no, "case.read")
        within = reach_of(open_.branch, actor, "case.read", dates.otherwise)
        if every:
            walk = walk_cases(conn, dates, wanted, within=within, sort=sort, at_most=ALL)
            found = [line for lines in walk for line in lines]
            page = CasePage(found, None)
        else:
            page = page_of_cases(conn, dates, wanted, within=within, sort=sort, limit=limit, cursor=cursor)
            while page.next is not None and len(page.items) < limit:  # short: so far it was looked for in one go
                room = limit - len(page.items)
                more = page_of_cases(conn, dates, wanted, within=within, sort=sort, limit=room, cursor=page.next)
                page = CasePage([*page.items, *more.items], more.next)
        if json_:
            print_json(page)
        else:
            case_tables.lines(page, open_.branch.rulebook.chart)


@cli.command()
@click.option("--event", "events", multiple=True, help="Event; may be repeated (default: all).")
@click.option("--from", "first", type=day, help="First day.")
@click.option("--to", "last", type=day, help="Last day.")
@as_json
@as_staff
def steps(
    events: tuple[str, ...], first: datetime | None, last: datetime | None, json_: bool, staff_no: str | None
) -> None:
    """List steps of cases, each with the day that it is of; not paged.

    \b
    Examples:
      casework case steps --event mark_lost --event reached --from 2026-03-01 --to 2026-03-31
      casework case steps --event mark_lost --json
    """
    from casework.storage.database import reading
    from casework.work.cases.steps import steps_of_cases

    days = days_of(first, last)
    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, "audit.read")
        found = steps_of_cases(conn, open_.branch.rulebook.chart, events, *days)
        chart = open_.branch.rulebook.chart
    if json_:
        print_json(found)
        return
    table = Table("day", "loan", "case", "event")
    for one in found:
        table.add_row(str(one.on), one.loan_id, str(one.case_id), chart.events[one.event].zh)
    console.print(table)


@cli.command()
@click.argument("case_id", type=int, required=False)
@click.option("--loan", "loan_id", metavar="LOAN_ID", help="The live case of this loan, or its last.")
@click.option("--entries", type=click.IntRange(1, 200), default=50, show_default=True, help="Newest entries shown.")
@as_json
@as_staff
def show(case_id: int | None, loan_id: str | None, entries: int, json_: bool, staff_no: str | None) -> None:
    """Show a case with its history, and what was done with its tasks.

    Texts are opened for those who may read them, which is an entry itself.

    \b
    Examples:
      casework case show 1207
      casework case show --loan L2024000917 --json
    """
    import msgspec

    from casework.evidence.list_acts import acts_of_case
    from casework.storage.database import reading
    from casework.work.cases.detail import detail_of
    from casework.work.cases.filter import BusinessDates
    from casework.work.cases.history import history_of_case
    from casework.work.cases.sight import seen_case

    if (case_id is None) == (loan_id is None):
        raise click.UsageError("give a CASE_ID or --loan LOAN_ID")
    with started() as open_:
        with reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, open_.branch, staff_no, "case.read")
            found = seen_case(conn, open_.branch, actor, _find(conn, case_id, loan_id), open_.branch.today(now()))
            page = history_of_case(conn, open_.branch, found, actor, limit=entries, newest_first=True)
            today = BusinessDates(conn, open_.branch).of(found.institution)
            detail = detail_of(conn, found, open_.branch.rulebook, today)
            acts = acts_of_case(conn, open_.branch, found.id, limit=entries).items[::-1]
        history = page.items[::-1]
        _on_record(open_, actor, found, history)
        if json_:
            print_json({**msgspec.to_builtins(detail), "history": history, "list_acts": acts})
        else:
            case_tables.detail(detail, history, open_.branch.time_zone)
            case_tables.list_acts(acts, open_.branch.time_zone)


@cli.command()
@click.argument("case_id", type=int)
@as_json
@as_staff
def options(case_id: int, json_: bool, staff_no: str | None) -> None:
    """What may be done next with a case, every reason why not, and from when.

    \b
    Examples:
      casework case options 1207
      casework case options 1207 --as S0012 --json
    """
    from casework.storage.database import reading
    from casework.work.cases.filter import BusinessDates
    from casework.work.cases.options import options_of_case
    from casework.work.cases.sight import seen_case
    from casework.work.four_eyes.listing import show_pending

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, open_.branch, staff_no, "case.read")
        found = seen_case(conn, open_.branch, actor, case_id, open_.branch.today(now()))
        offers = options_of_case(conn, open_.branch, BusinessDates(conn, open_.branch), found, actor)
        show_pending(conn, open_.branch, f"case:{case_id}", offers.events)
        if json_:
            print_json(offers)
        else:
            case_tables.options(offers, f"Case {case_id}")


# ── doing ────────────────────────────────────────────────────────────────────────────────────────────────────

_DOING = lifecycle.changing_one(
    "case", fire="advance",
    event="1207 start_visit --as S0012 --data address_kind=home --data visit_on=2026-03-10 \\\n    "
    "--data address=武汉市江岸区",
    fact="1207 information_repair --on 2026-03-09 --evidence rec:1 --as S0012 \\\n    "
    "--data outcome=new_number --data source=debtor --data legal_basis=consent",
)  # fmt: skip
for _command in (*_DOING, assigning.assign, assigning.owners, *dossier.CASE_COMMANDS, *past.CASE_COMMANDS):
    cli.add_command(_command)


def _find(conn: "Connection", case_id: int | None, loan_id: str | None) -> int:
    from casework.work.cases.queries import cases_of_loan

    if case_id is not None:
        return case_id
    found = cases_of_loan(conn, str(loan_id))
    if not found:
        raise CallerError("unknown_case", "该贷款没有案件", "this loan has no case")
    return found[-1]


def _on_record(open_: "Started", actor: "Actor", found: "Case", history: "list[HistoryItem]") -> None:
    from casework.storage.database import writing
    from casework.work.cases.disclosure import record_read

    fields = {name for item in history for name in item.texts}
    if fields:
        with writing(open_.engine) as conn:
            record_read(conn, open_.branch, actor, [found.customer], fields)
