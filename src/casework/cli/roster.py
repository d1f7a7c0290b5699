"""`casework roster`: who has which shift on which day, and who answers in the place of somebody who is off."""

from datetime import datetime, timedelta
from pathlib import Path

import click

from casework.cli.changing import as_, changing, day
from casework.cli.faults import mend_option, mended, tell_faults, told_in_json, told_whole
from casework.cli.several import LOOKED, look_option
from casework.cli.shell import FOLDED, as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import NONE, Table
from casework.clock import now

_WEEK = timedelta(days=6)


@click.group()
def cli() -> None:
    """The roster 班表: shifts and days off. Leave is the register's (casework staff absent).

    Who is off is answered for: by the stand-in that the roster names, the deputy of the leave, who is on the roster
    with the same post, the head of the post; statecharts/rules/shifts.toml says how.

    \b
    Examples:
      casework roster import 班表.xlsx --as S0012
      casework roster set --on 2026-03-10 --staff 10021 --shift rest --stand-in 10022
      casework roster who --on 2026-03-10
    """


@cli.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--each", is_flag=True, help="Enter the rows with which nothing is wrong, and tell of the others.")
@look_option
@mend_option
@as_json
@as_
def import_(file: Path, by: str | None, *, each: bool, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Enter the shifts of FILE (CSV or XLSX): day 日期, staff_no 工号, shift 班次, stand_in 替班人; all or nothing.

    A row takes the place of what the roster had for the person and the day; an empty shift takes them off it. Of a row
    that is not entered line, column and fault are told. Exit code 1 if there is one.

    \b
    Examples:
      casework roster import roster.csv --as S0012
      casework roster import 班表.xlsx --dry-run --json
    """
    from casework.intake.dialler.importing import read_bounded
    from casework.intake.enrolment.shift_sheet import import_shifts
    from casework.storage.database import writing
    from casework.work.cases.gather import closed_through

    content = read_bounded(file)
    with started() as open_:
        told = told_whole(open_, mend, "roster", content, file.name, json_=json_)
        with told, writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, by, "roster.change")
            trail, rules = open_.branch.trail(now()), open_.branch.rulebook.shifts
            before = conn.begin_nested()
            taken = import_shifts(
                conn, trail, actor, rules, content, file.name, closed=closed_through(conn), atomic=not each
            )
            trail.write(conn)
            if dry_run:
                before.rollback()
        mended(open_, mend, "roster", content, file.name, taken.set_aside)
    if json_:
        print_json({
            "rows": taken.rows, "days_changed": taken.days, "faults_in_all": len(taken.set_aside),
            "set_aside": told_in_json(taken.set_aside), "dry_run": dry_run,
        })  # fmt: skip
    else:
        if dry_run:
            console.print(LOOKED)
        changed = ", ".join(map(str, taken.days)) or "nothing 无变化"
        console.print(f"{taken.rows:,} rows 行; changed 更新: {changed}", markup=False)
        tell_faults("set aside 搁置", taken.set_aside)
    raise SystemExit(1 if taken.set_aside else 0)


@cli.command("set")
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@click.option("--staff", "staff_no", type=FOLDED, required=True, help="Whose shift.")
@click.option(
    "--shift", required=True, metavar="CODE|none", help="A key of [shifts] in shifts.toml; none: off the roster."
)
@click.option("--stand-in", type=FOLDED, help="Who answers in their place, where the shift is a day off.")
@as_
def set_(on: datetime, staff_no: str, shift: str, stand_in: str | None, by: str | None) -> None:
    """Enter one shift, in the place of what the roster had for the person and the day.

    \b
    Examples:
      casework roster set --on 2026-03-10 --staff 10021 --shift day --as S0012
      casework roster set --on 2026-03-10 --staff 10021 --shift none
    """
    from casework.people.shifts.entering import ShiftGiven, enter_shifts
    from casework.work.cases.gather import closed_through

    one = ShiftGiven(on.date(), staff_no, None if shift == "none" else shift, stand_in)
    with changing(by, "roster.change") as change:
        rules, closed = change.branch.rulebook.shifts, closed_through(change.conn)
        days = enter_shifts(change.conn, change.trail, change.actor, rules, [one], closed=closed)
    console.print(f"{on.date()} {staff_no}: {'entered 已录入' if days else 'nothing changed 无变化'}", markup=False)


@cli.command()
@click.option("--from", "first", type=day, help="First day.  [default: today]")
@click.option("--until", "last", type=day, help="Last day.  [default: six days after the first]")
@as_json
@as_staff
def show(first: datetime | None, last: datetime | None, staff_no: str | None, *, json_: bool) -> None:
    """The shifts of some days, as they were entered.

    \b
    Examples:
      casework roster show --from 2026-03-09
      casework roster show --from 2026-03-01 --until 2026-03-31 --json
    """
    from casework.people.shifts.entering import shifts_between
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine) as conn:
        permitted(conn, open_.branch, staff_no, "roster.read")
        begin = first.date() if first else open_.branch.today(now())
        found = shifts_between(conn, begin, last.date() if last else begin + _WEEK)
    if json_:
        print_json([one._asdict() for one in found])
        return
    words, table = open_.branch.rulebook.shifts.by_code, Table("day", "staff no", "shift", "stand-in")
    for one in found:
        shift = words.get(one.shift or "")
        table.add_row(
            str(one.day), one.staff_no, f"{shift.en} {shift.zh}" if shift else str(one.shift), one.stand_in or ""
        )
    console.print(table)


@cli.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@as_json
@as_staff
def who(on: datetime, staff_no: str | None, *, json_: bool) -> None:
    """Who is off on DAY, and who answers in their place. Where the roster has nobody, it is said who does all the same.

    \b
    Examples:
      casework roster who --on 2026-02-17
      casework roster who --on 2026-03-10 --json
    """
    from casework.people.shifts.answering import NOBODY_ON, WHYS, answers_on
    from casework.people.shifts.lending import posts_for
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine) as conn:
        permitted(conn, open_.branch, staff_no, "roster.read")
        rulebook = open_.branch.rulebook
        answers = answers_on(conn, rulebook.shifts, rulebook.policies.at(on.date()), on.date())
    off, may = answers.who_of_all(), rulebook.permissions
    posts = {one: sorted(posts_for(may, answers.roster, by.staff_no, one)) for one, by in off.items()}
    if json_:
        print_json([
            {"staff_no": one, "answers": by.staff_no, "why": by.why, "posts": posts[one]} for one, by in off.items()
        ])  # fmt: skip
        return
    table = Table("staff no", "answers", "why", "posts")
    for one, by in off.items():
        zh, en = WHYS[by.why]
        table.add_row(one, by.staff_no, f"{en} {zh}", ", ".join(posts[one]))
    console.print(table if off else f"{on.date()}: {NONE}")
    for one, by in off.items():
        if by.why in NOBODY_ON:
            errors.print(f"{one}: {WHYS[by.why][1]} {WHYS[by.why][0]} → {by.staff_no}", markup=False)
