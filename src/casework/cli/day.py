"""`casework day`: 17:00; what each person did, handing it in, who could not be repaired, the daily report."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import day
from casework.cli.ledger import lang_option, place, write_out
from casework.cli.shell import FOLDED, as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now, utc_text
from casework.errors import CallerError
from casework.screen import on_screen
from casework.table import Lang, Sheet, shown

if TYPE_CHECKING:
    from casework.evidence.evening.handing_in import HandIn, Outcome
    from casework.evidence.evening.standing import PersonDay


_on = click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
_team = click.option("--team", metavar="TEAM", help="Only members of this team, by its code or name.")


@click.group()
def cli() -> None:
    """17:00: what each person owed and did, handing it in, who could not be repaired, the daily report.

    \b
    Examples:
      casework day show --on 2026-03-09
      casework day hand-in --on 2026-03-09 --as S0103
    """


@cli.command("show")
@_on
@_team
@as_json
@as_staff
def show(on: datetime, team: str | None, *, json_: bool, staff_no: str | None) -> None:
    """What each person owed on DAY, what became of it, and whether they handed in their ledger, and when.

    The figures of whoever handed in are as handed in. Without a post that sees all cases one sees oneself and those
    for whom one hands in.

    \b
    Examples:
      casework day show --on 2026-03-09
      casework day show --on 2026-03-09 --team 电催一组 --json
    """
    from casework.evidence.evening.of_day import people_called
    from casework.evidence.evening.report_sheets import CAME
    from casework.evidence.evening.standing import STATUSES, evening_of
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, open_.branch, staff_no, "day.read")
        policy = open_.branch.rulebook.policies.at(open_.branch.today(now()))
        all_ = open_.branch.rulebook.permissions.within(actor, "day.read", policy).everything
        found = evening_of(conn, open_.branch, on.date(), team, None if all_ else actor.people | actor.posts)
        names = people_called(conn, open_.branch, {one.owed_by for one in found.people})
    if json_:
        print_json([_told(one) for one in found.people])
        return
    table = Table("who", "team", *STATUSES, "handed in", "supplement")
    for one in found.people:
        figures = (str(getattr(one, name)) for name in STATUSES)
        supplement = CAME[one.supplement_came][0] if one.supplement_came else ""
        table.add_row(names.who(one.owed_by), one.team or "", *figures, CAME[one.came][0], supplement)
    console.print(table)


def _told(one: "PersonDay") -> dict[str, Any]:
    from casework.evidence.evening.standing import STATUSES

    return {
        "owed_by": one.owed_by, "team": one.team, **{name: getattr(one, name) for name in (*STATUSES, "contacts")},
        "came": one.came, "ledger": _of(one.ledger), "supplement_came": one.supplement_came,
        "supplement": _of(one.supplement), "since": one.since,
    }  # fmt: skip


def _of(done: "HandIn | None") -> dict[str, Any] | None:
    if done is None:
        return None
    return {
        "by": done.handed_in_by, "at": utc_text(done.handed_in_at), "late": done.is_late,
        "entry_id": done.entry_id, "digest": done.digest.hex(),
    }  # fmt: skip


@cli.command("hand-in")
@_on
@click.option("--for", "whose", type=FOLDED, multiple=True, metavar="WHO", help="For whom: staff number or post.")
@click.option("--team", metavar="TEAM", help="For every member of this team who has something to hand in.")
@click.option("--supplement", is_flag=True, help="What came after the ledger, due the next morning.")
@as_json
@as_staff
def hand_in_(
    on: datetime, whose: tuple[str, ...], team: str | None, *, supplement: bool, json_: bool, staff_no: str | None
) -> None:  # fmt: skip
    """Hand in the ledger of DAY: an act with a time, an entry; after the policy's hour it is late.

    For oneself, for whom one deputises for (--for), for a post one holds, and the basic-risk post for anybody. What
    cannot be handed in is reported and keeps nobody else's back. Exit code 0: all are in; 1: some not.

    \b
    Examples:
      casework day hand-in --on 2026-03-09 --as S0103
      casework day hand-in --on 2026-03-09 --for S0104 --as S0103
      casework day hand-in --on 2026-03-09 --team 电催一组 --as S0012
      casework day hand-in --on 2026-03-09 --supplement --as S0103
    """
    from casework.evidence.evening.handing_in import hand_in
    from casework.evidence.evening.tables import LEDGER, SUPPLEMENT
    from casework.evidence.ledger.people import members_of
    from casework.storage.database import writing

    if whose and team is not None:
        raise click.UsageError("give either --for or --team")
    if not whose and team is None and staff_no is None:
        raise click.UsageError("say for whom: --as, --for or --team")
    part = SUPPLEMENT if supplement else LEDGER
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "day.hand_in")
        names = list(whose or (actor.id,))
        if team is not None:
            names = sorted(members_of(conn, team, on.date(), open_.branch.today(now())))
        outcomes = hand_in(conn, open_.branch, on.date(), names, actor, part)
    told = [_result(who, one) for who, one in zip(dict.fromkeys(names), outcomes, strict=True)]
    if team is not None:  # who has nothing to hand in keeps a team from nothing
        told = [one for one in told if one["code"] != "nothing_to_hand_in"]
    if json_:
        print_json(told)
    for one in told if not json_ else ():
        if one["code"] is None:
            late = ", late 迟交" if one["late"] else ""
            console.print(f"{one['owed_by']}: handed in 已上交{late} ({one['entry_id']})", markup=False)
        else:
            click.echo(on_screen(f"{one['code']}: {one['en']} / {one['zh']}"), err=True)
    sys.exit(int(any(one["code"] is not None for one in told)))


def _result(who: str, one: "Outcome") -> dict[str, Any]:
    if isinstance(one, CallerError):
        return {"owed_by": who, "code": one.code, "zh": one.zh, "en": str(one)}
    return {"owed_by": who, "code": None, "part": one.part, **one.figures, **(_of(one) or {})}


@cli.command("unrepaired")
@_on
@_team
@as_json
@as_staff
def unrepaired_(on: datetime, team: str | None, *, json_: bool, staff_no: str | None) -> None:
    """Customers of DAY who could not be repaired (无法修复名单): lost still, though information was repaired since.

    \b
    Examples:
      casework day unrepaired --on 2026-03-09 --as S0012
      casework day unrepaired --on 2026-03-09 --json
    """
    from casework.evidence.evening.of_day import ledger_of, words_of
    from casework.evidence.ledger.lines import unrepaired
    from casework.evidence.ledger.sheets import UNREPAIRED, unrepaired_lines
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, "ledger.export")
        whole = ledger_of(conn, open_.branch, on.date(), team).whole()
        found = list(unrepaired(whole))
        words = words_of(conn, open_.branch, whole)
    if json_:
        print_json(
            [
                {
                    "case_id": one.case_id, "loan_id": one.loan_id, "lost_on": one.lost_on,
                    "repaired_on": one.repaired_on, "repair": one.repair, "dpd": one.dpd,
                    "overdue_fen": one.overdue_fen, "owner": one.owner, "handler": one.handler,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    table = Table(*(f"{column.en}\n{column.zh}" for column in UNREPAIRED))
    for line in unrepaired_lines(words, found):
        table.add_row(*(shown(column, value) for column, value in zip(UNREPAIRED, line, strict=True)))
    console.print(table)


@cli.command("report")
@_on
@click.option("--issue", "issued", is_flag=True, help="Issue it first: kept as it is from now on.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it as XLSX: a file, or the folder for it.")
@lang_option
@as_json
@as_staff
def report_(
    on: datetime, *, issued: bool, out: Path | None, lang: Lang, json_: bool, staff_no: str | None
) -> None:  # fmt: skip
    """The daily report of DAY (催收日报): people and teams, what is late or missing, breaches, holds, unrepaired.

    As it was issued, else as it stands. Issuing is an entry, and happens once; so is taking the file out.

    \b
    Examples:
      casework day report --on 2026-03-09 --as S0012
      casework day report --on 2026-03-09 --issue --out 催收日报-2026-03-09.xlsx --as S0012
      casework day report --on 2026-03-09 --json
    """
    import msgspec

    from casework.evidence.evening.exporting import REPORT_EXPORTED
    from casework.evidence.evening.report import daily, issue
    from casework.evidence.evening.report_sheets import report_name, report_sheets, report_workbook
    from casework.storage.database import writing
    from casework.work.cases.disclosure import record_export

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "day.report")
        if issued:
            open_.branch.rulebook.permissions.require(actor, "day.report_issue")
            issue(conn, open_.branch, on.date(), actor)
        found, act = daily(conn, open_.branch, on.date())
        if out is not None:
            content = report_workbook(conn, open_.branch, found, act, actor, now(), lang)
            record_export(
                conn, open_.branch, actor, {"on": on.date().isoformat()}, rows=len(found.people), kind="xlsx",
                event=REPORT_EXPORTED, file=content,
            )  # fmt: skip
            write_out(place(out, report_name(on.date(), lang).name), content)
        sheets = report_sheets(conn, open_.branch, found, act, actor, now(), lang)
        if json_:
            print_json({**msgspec.to_builtins(found), "totals": found.totals, "issued": _of(act)})
            return
        for sheet in sheets:
            _print(sheet)


def _print(sheet: Sheet) -> None:
    lines = list(sheet.lines)
    if lines:
        console.print(f"{sheet.title}  {sheet.about}", markup=False)
        table = Table(*(f"{column.en}\n{column.zh}" for column in sheet.columns))
        for line in lines:
            table.add_row(*(shown(column, value) for column, value in zip(sheet.columns, line, strict=True)))
        console.print(table)
