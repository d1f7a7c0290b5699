"""What there is to see in the demo: tables of its branch, what to type next, whom to log in as."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from casework.cli import handover_tables
from casework.cli.shell import as_typed, console
from casework.cli.tables import Table
from casework.demo.place import FOLDER
from casework.money import yuan_text

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection

    from casework.demo.stage import DemoTold
    from casework.log.check.findings import Report
    from casework.log.format.entry import Entry
    from casework.operation.startup import Started
    from casework.rules.statechart.chart import Chart
    from casework.settings import Settings
    from casework.work.cases.branch import Branch

_SHOWN_OF: Final = "lost, visited, found, promises to pay"
_RECEIPTS: Final = 5


def show(started: "Started", told_of: "DemoTold", report: "Report") -> None:
    """The portfolio, how cases ended, the last feed, one story, refusals, who left, and that the log verifies.

    RuntimeError if it does not.
    """
    from casework.storage.database import reading

    branch = started.branch
    chart = branch.rulebook.chart
    with reading(started.engine, snapshot=True) as conn:
        console.print(_portfolio(conn, chart))
        console.print(_ways_out(conn))
        console.print(_last_feed(conn))
        console.print(_one_story(conn, chart, told_of.cases[_SHOWN_OF][0]))
        console.print(_refusals(conn, chart))
        _departure(conn, branch, told_of.handover)
    _show_report(report)


def _portfolio(conn: "Connection", chart: "Chart") -> Table:
    """Cases by state and bucket."""
    import sqlalchemy as sa

    from casework.work.cases.tables import cases

    found = conn.execute(
        sa.select(cases.c.state, cases.c.bucket, sa.func.count()).group_by(cases.c.state, cases.c.bucket)
    )
    counts = {(state, bucket): number for state, bucket, number in found}
    buckets = sorted({bucket for _, bucket in counts})
    table = Table("state", *buckets, "cases", title="The portfolio: cases by state and bucket", title_justify="left")
    for name, state in chart.states.items():
        row = [counts.get((name, bucket), 0) for bucket in buckets]
        table.add_row(f"{name} {state.zh}", *(str(number or "·") for number in row), str(sum(row)))
    return table


def _ways_out(conn: "Connection") -> str:
    """How the cases that ended did end."""
    from casework.work.cases.case import from_row
    from casework.work.cases.gather import CASE_ROWS
    from casework.work.cases.tables import cases

    ended = CASE_ROWS.where(cases.c.state.in_(("settled", "closed")))
    counted = Counter(case.ended_as for case in map(from_row, conn.execute(ended)))
    return "Ended: " + ", ".join(f"{way} {number}" for way, number in counted.most_common())


def _last_feed(conn: "Connection") -> Table:
    from casework.intake.feed import run as runs

    run = runs.runs(conn)[-1]
    table = Table(title=f"The last feed: {run.as_of}", title_justify="left", show_header=False)
    for key in ("overdue", "opened", "gone", "changed", "unchanged", "cases_opened", "cases_settled"):
        name = "loans overdue" if key == "overdue" else key.replace("_", " ")
        table.add_row(name, f"{run.figures[key]:,}")
    table.add_row("overdue amount", f"¥{run.figures['overdue_fen'] / 100:,.2f}")
    return table


def _one_story(conn: "Connection", chart: "Chart", case_id: int) -> Table:
    """The entries of a case, as a reader would tell them."""
    from casework.log.tables import entries

    table = Table(
        "seq",
        "business date",
        "who",
        "what",
        "state",
        title=f"The story of case {case_id}",
        title_justify="left",
    )
    found = _entries(conn, entries.c.stream == f"case:{case_id}", entries.c.stream_seq)

    def told_as(entry: "Entry") -> tuple[str, str, str, str]:
        return str(entry.data["business_date"]), entry.actor.id, _what(entry, chart), entry.to or ""

    for (on, who, what, state), same in groupby(found, told_as):
        numbers = [entry.stream_seq for entry in same]
        several = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        table.add_row(several, on, who, what + (f" × {len(numbers)}" if len(numbers) > 1 else ""), state)
    return table


def _what(entry: "Entry", chart: "Chart") -> str:
    if not entry.event.startswith("case."):  # of a child: its whole name says what it is
        return entry.event
    kind, _, name = entry.event.removeprefix("case.").partition(".")
    labels = {event.name: event.zh for event in chart.events.values()}
    labels |= {fact.name: fact.zh for fact in chart.facts.values()}
    label = f"{name} {labels[name]}" if name in labels else name
    if kind == "refused":
        return f"[red]refused[/] {label}: " + ", ".join(reason["code"] for reason in entry.data["reasons"])
    given = entry.data.get("given", {})
    detail = given.get("outcome") or given.get("reason") or ""
    return f"{kind if not name else label}{f' ({detail})' if detail else ''}"


def _refusals(conn: "Connection", chart: "Chart") -> Table:
    """How often the door said no, and why first."""
    import sqlalchemy as sa

    from casework.log.tables import entries
    from casework.work.cases.fold import SAYS

    reason = entries.c.reason_code
    counted = (
        sa.select(entries.c.event, reason, sa.func.count())
        .where(entries.c.event.like(f"{SAYS.refused}%"))
        .group_by(entries.c.event, reason)
        .order_by(sa.func.count().desc(), entries.c.event, reason)
    )
    table = Table("event", "first reason", "rules", "times", title="Refused, and on record", title_justify="left")
    for event, code, number in conn.execute(counted.limit(12)):
        spec = chart.events.get(event.removeprefix(SAYS.refused))
        rules = ", ".join(spec.rules) if spec else ""
        table.add_row(event.removeprefix(SAYS.refused), code, rules, str(number))
    return table


def _departure(conn: "Connection", branch: "Branch", handover_id: int) -> None:
    """Who left, who got what, and the first receipts."""
    from casework.work.handover import queries as handovers

    console.print("Somebody leaves")
    handover_tables.plan(handovers.find(conn, handover_id), branch)
    page = handovers.receipts(conn, handover_id, limit=_RECEIPTS)
    table = Table("case", "state", "overdue yuan", "receiver", "rule", "receipt", title="The first receipts",
                  title_justify="left")  # fmt: skip
    for one in page.items:
        rule = branch.rulebook.owners.labels(str(one.rule))[0]
        table.add_row(
            str(one.case_id), one.state, yuan_text(one.overdue_fen), one.receiver, rule, one.entry_id
        )  # fmt: skip
    console.print(table)


def _entries(
    conn: "Connection", condition: "sa.ColumnElement[bool]", order: "sa.ColumnElement[int]"
) -> "Iterator[Entry]":
    import sqlalchemy as sa

    from casework.log.format.entry import decode_strict
    from casework.log.tables import entries

    for body in conn.execute(sa.select(entries.c.body).where(condition).order_by(order)).scalars():
        yield decode_strict(bytes(body))


def _show_report(report: "Report") -> None:
    if report.verdict != "sound":
        raise RuntimeError(f"the demo's log does not verify: {[finding.code for finding in report.findings]}")
    console.print(
        f"The log verifies: {report.entries:,} entries in {report.streams:,} streams, {report.cases:,} cases"
        f" replayed ({report.replayed_steps:,} steps, {report.replayed_refusals:,} refusals decided again)"
        f" in {report.seconds:.1f} s"
    )


def show_ways(settings: "Settings", told_of: "DemoTold") -> None:
    """Lines to type next; tokens are in them."""
    from casework.address import parse_url

    program = as_typed()
    collector, token = told_of.tokens["phone_collector"]
    auditor, auditors_token = told_of.tokens["auditor"]
    url = (
        parse_url(settings.database_url)
        .render_as_string(hide_password=True)
        .replace("+pysqlite", "")
        .replace("+psycopg", "")
    )
    lines = (
        f"  export CASEWORK_DATABASE_URL={url}",
        f"  {program} feed import {told_of.next_feed}   # the day after",
        f"  {program} case options {told_of.cases[_SHOWN_OF][0]} --as {collector}",
        f"  {program} serve   # then, as phone collector {collector}:",
        f"  curl -H 'Authorization: Bearer {token}' 'http://127.0.0.1:8000/cases?state=lost_contact'",
        f"The auditor's token ({auditor}); both are shown this once: {auditors_token}",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def show_people(settings: "Settings", told_of: "DemoTold") -> None:
    """Whom to be in the console, and what each finds there."""
    from casework.demo.place import address_in

    if told_of.days_off:
        years = ", ".join(map(str, told_of.days_off))
        console.print(f"\nThe calendar's library does not know {years}: days off of the demo's own were loaded")
    served = "serve --demo" if settings.database_url == address_in(FOLDER) else "serve"
    way = f"\nTo look at it: {as_typed()} {served}, then http://127.0.0.1:8000/console"
    console.print(way, markup=False, highlight=False, soft_wrap=True)
    table = Table("post", "staff no", "finds there", title="Whom to log in as", title_justify="left")
    for post, staff_no in told_of.personas.items():
        zh, en = _FINDS[post]
        table.add_row(post, staff_no, f"{en} {zh}")
    console.print(table)
    console.print(f"The password of all of them, shown this once: {told_of.password}", markup=False, highlight=False)
    console.print("Whoever decides or administers sets up a second factor at the first log-in.")


_FINDS: Final = {
    "phone_collector": ("今日任务、到期承诺、休假同事的案件", "the day's list, promises due, a colleague on leave"),
    "basic_risk_manager": (
        "待复核申请、待审核下户报告及照片、违规联系、到期停催",
        "requests, a visit with its photos and holds to review, breaches",
    ),
    "approver": ("待批准的核销", "a write-off to approve"),
    "asset_preservation": ("不良客户、已提出的申请", "non-performing loans, what was asked for"),
    "agency_post": ("逾期满31天须委外的案件", "cases due for placement"),
    "business_rep": (
        "今日下户路线、退回的下户报告、名下客户",
        "today's route, a report sent back, their own customers",
    ),
    "auditor": ("日志、核验", "the log and its verification"),
    "administrator": ("人员、休假", "people, posts and leave"),
}
