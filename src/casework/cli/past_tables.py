"""The past as tables and lines for people."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from casework.cli.shell import console
from casework.cli.tables import NONE, Table
from casework.instants import branch_text
from casework.money import yuan_text

if TYPE_CHECKING:
    from casework.evidence.past.case_then import CaseDifference, CaseThen
    from casework.evidence.past.instant import Instant
    from casework.evidence.past.portfolio import Portfolio, PortfolioDifference, PortfolioFilter, Sums
    from casework.rules.statechart.chart import Chart


_READ_AS = {
    "offset": "as given with its offset / 按所给时区",
    "branch_time": "given in branch time / 按本机构时间",
    "end_of_branch_day": "the end of that branch day / 本机构当日结束时",
    "now": "now / 此刻",
}
_FROM = {"feed": "last feed 最近数据", "entry": "the case's last entry 案件分录", "calendar": "calendar 日历"}


def case(then: "CaseThen") -> None:
    """A case as it was."""
    from rich.markup import escape

    console.print(
        f"[bold]Case {then.id}[/bold] of loan {escape(then.loan_id)} at {_told(then.instant)}: {then.state}"
        f" {then.state_zh}"
    )
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in (
        ("business date", f"{then.business_date} ({_FROM[then.business_date_from]}), policy {then.policy[:10]}"),
        ("days past due", then.days_past_due),
        ("bucket", f"recorded 记录 {then.bucket_recorded}, computed 计算 {then.bucket_computed}"),
        ("overdue", yuan_text(then.overdue_fen)), ("outstanding", yuan_text(then.outstanding_principal_fen)),
        ("owner, handler", f"{then.owner}, {then.handler}"),
        ("team, region", f"{then.team or NONE}, {then.region or NONE}"),
        ("opened", f"{then.opened_on} for {then.opened_for} by {then.opened_by}"),
        ("version, chart", f"{then.version}, {then.chart}"),
        ("last entry", f"{then.last_entry_id} recorded {_local(then.last_entry_at, then.instant)}"),
        ("its leaf hash", then.audit_head),
    ):  # fmt: skip
        facts.add_row(name, escape(str(value)))
    for name in then.facts.__struct_fields__:
        value = getattr(then.facts, name)
        if value not in (None, [], {}, 0, False):
            facts.add_row(f"fact {name}", escape(str(value)))
    console.print(facts)


def case_difference(found: "CaseDifference") -> None:
    """What changed, then who did what."""
    from rich.markup import escape

    console.print(f"[bold]Case {found.case_id}[/bold] from {_told(found.from_at)}")
    console.print(f"{'':>{len(str(found.case_id)) + 5}} to   {_told(found.to_at)}")
    if found.before is None:
        console.print("opened between the two 期间入催")
    before, after = found.before, found.after
    table = Table("Field", "Before 之前", "After 之后", box=None)
    for change in found.changes:
        table.add_row(change.field, escape(_value(change.before)), escape(_value(change.after)))
    for name in ("business_date", "days_past_due", "bucket_computed"):
        then = getattr(before, name) if before else None
        if then != getattr(after, name):
            table.add_row(f"({name})", escape(_value(then)), escape(_value(getattr(after, name))))
    console.print(table)
    done = Table("No.", "Recorded", "What", "By", "From → to", "Rules", box=None)
    for entry in found.entries:
        moved = f"{entry.from_state or ''} → {entry.to_state}" if entry.from_state != entry.to_state else ""
        by = f"{entry.actor} ({entry.via})" + (f" for {entry.acting_for}" if entry.acting_for else "")
        what = f"{entry.event} {entry.zh}" + (f"\n{entry.reason_code}" if entry.reason_code else "")
        done.add_row(
            str(entry.seq), _local(entry.recorded_at, found.to_at), escape(what), escape(by), moved,
            " ".join(entry.rules),
        )  # fmt: skip
    console.print(done)
    more = f"; more with --after {found.next}" if found.next else ""
    console.print(f"{len(found.entries)} of {found.entries_in_all} entries between{more}")


def portfolio(found: "Portfolio", chart: "Chart") -> None:
    """Totals, then state by bucket, owners, teams."""
    from rich.markup import escape

    console.print(f"[bold]Portfolio[/bold] at {_told(found.instant)}{_of(found.filter)}")
    for one in found.business_dates:
        console.print(f"business date of {escape(one.institution)}: {one.business_date} ({_FROM[one.source]})")
    states = _sums("State", "Bucket recorded", "Bucket computed")
    for cell in found.by_state_and_bucket:
        states.add_row(_state(cell.state, chart), cell.bucket_recorded, cell.bucket_computed, *_figures(cell))
    states.add_row("[bold]total 合计[/bold]", "", "", *_figures(found.total))
    owners = _sums("Owner")
    for owner in found.by_owner:
        owners.add_row(escape(owner.owner), *_figures(owner))
    teams = _sums("Region", "Team")
    for team in found.by_team:
        teams.add_row(escape(team.region or NONE), escape(team.team or NONE), *_figures(team))
    for table in (states, owners, teams):
        console.print(table)
    console.print(f"{found.entries:,} entries of cases read")


def portfolio_difference(found: "PortfolioDifference", chart: "Chart") -> None:
    """Totals, from state to state, owners, changed cases."""
    from rich.markup import escape

    console.print(f"[bold]Portfolio[/bold] from {_told(found.from_at)}{_of(found.filter)}")
    console.print(f"          to   {_told(found.to_at)}")
    sums = _sums("")
    sums.add_row("before 之前", *_figures(found.before))
    sums.add_row("after 之后", *_figures(found.after))
    console.print(sums)
    console.print(
        f"opened 入催 {found.opened:,}, closed 结束 {found.closed:,}, reopened 重开 {found.reopened:,}, other owner"
        f" 换人 {found.owner_changed:,}, changed 有变化 {found.changed_in_all:,}, untouched 无分录 {found.untouched:,}"
    )
    moves = _right(Table("From", "To", "Cases", "Overdue before", "Overdue after", box=None), 2)
    for move in found.moves:
        moves.add_row(
            _state(move.from_state, chart) if move.from_state else "(opened 入催)", _state(move.to_state, chart),
            f"{move.cases:,}", yuan_text(move.overdue_before_fen), yuan_text(move.overdue_after_fen),
        )  # fmt: skip
    owners = _right(Table("Owner", "Cases before", "Given", "Taken", "Cases after", "Overdue after", box=None), 1)
    for owner in found.owners:
        counts = owner.cases_before, owner.given, owner.taken, owner.cases_after
        owners.add_row(escape(owner.owner), *(f"{count:,}" for count in counts), yuan_text(owner.overdue_after_fen))
    changed = Table("Case", "State", "Owner", "Bucket", "Overdue", "Entries", "Last", box=None)
    for one in found.changed:
        last = f"{one.last_entry_id} {one.last_event} by {one.last_actor}" if one.last_entry_id else ""
        changed.add_row(
            str(one.case_id), _moved(one, "state"), _moved(one, "owner"), _moved(one, "bucket_recorded"),
            _moved(one, "overdue_fen"), f"{one.entries:,}", escape(last),
        )  # fmt: skip
    for table in (moves, owners, changed):
        console.print(table)
    more = f"; more with --after {found.next}" if found.next else ""
    console.print(
        f"{len(found.changed)} of {found.changed_in_all:,} changed cases{more}; {found.entries:,} entries read"
    )


def _moved(one: Any, name: str) -> str:
    from rich.markup import escape

    before, after = getattr(one.before, name, None), getattr(one.after, name)
    shown = [yuan_text(value) if name.endswith("_fen") else escape(str(value)) for value in (before or 0, after)]
    return shown[1] if before in (None, after) else " → ".join(shown)


def _told(instant: "Instant") -> str:
    return f"{branch_text(instant.at, instant.time_zone, 'auto')} {instant.time_zone} ({_READ_AS[instant.read_as]})"


def _local(at: Any, instant: "Instant") -> str:
    return branch_text(at, instant.time_zone)


def _of(wanted: "PortfolioFilter") -> str:
    from rich.markup import escape

    parts = [f"{name} {getattr(wanted, name)}" for name in wanted.__struct_fields__ if getattr(wanted, name)]
    return escape(f", {', '.join(parts)}") if parts else ""


def _state(state: str, chart: "Chart") -> str:
    known = chart.states.get(state)
    return f"{state} {known.zh}" if known else state


def _value(value: Any) -> str:
    return NONE if value is None else str(value)


def _sums(*names: str) -> Table:
    return _right(Table(*names, "Cases", "Live", "Overdue", "Outstanding", box=None), len(names))


def _right(table: Table, first: int) -> Table:
    for column in table.columns[first:]:
        column.justify = "right"
    return table


def _figures(sums: "Sums") -> Iterable[str]:
    return f"{sums.cases:,}", f"{sums.live:,}", yuan_text(sums.overdue_fen), yuan_text(sums.outstanding_principal_fen)
