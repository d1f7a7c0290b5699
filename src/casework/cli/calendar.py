"""`casework calendar`: working days, and the table of a year that the library does not know."""

from datetime import date
from pathlib import Path

import click

from casework.cli.changing import as_
from casework.cli.faults import mend_option, told_whole
from casework.cli.several import LOOKED, look_option
from casework.cli.shell import as_json, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now


@click.group()
def cli() -> None:
    """Which days are worked: the official calendar, and what the branch loads for a year that it lacks.

    \b
    Examples:
      casework calendar show
      casework calendar import 2027.csv --as S0012
    """


@cli.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@look_option
@mend_option
@as_json
@as_
def import_(file: Path, by: str | None, *, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Load FILE (CSV or XLSX): day 日期, kind 类型 (off 休, worked 班), every holiday and every weekend that is worked.

    It takes the place of what was loaded for its years; days that it does not name are worked from Monday to Friday,
    or as the library knows them. All of it or nothing.

    \b
    Examples:
      casework calendar import 2027.csv --as S0012
      casework calendar import 日历.xlsx --dry-run --json
    """
    from casework.intake.dialler.importing import read_bounded
    from casework.intake.feed.calendar_sheet import read_calendar_sheet
    from casework.people.days.loading import load_calendar
    from casework.storage.database import writing

    content = read_bounded(file)
    with started() as open_:
        told = told_whole(open_, mend, "calendar", content, file.name, json_=json_)
        with told, writing(open_.engine) as conn:
            actor, trail = permitted(conn, open_.branch, by, "calendar.import"), open_.branch.trail(now())
            table = read_calendar_sheet(content, file.name)
            before = conn.begin_nested()
            years = load_calendar(conn, trail, actor, table)
            trail.write(conn)
            if dry_run:
                before.rollback()
    if json_:
        print_json({"days": len(table), "years_changed": years, "dry_run": dry_run})
        return
    if dry_run:
        console.print(LOOKED)
    changed = ", ".join(map(str, years)) or "nothing 无变化"
    console.print(f"{len(table)} days 天; changed 更新: {changed}", markup=False)


@cli.command()
@as_json
def show(json_: bool) -> None:
    """The days that the branch has loaded, and the years that are not known yet.

    \b
    Examples:
      casework calendar show
      casework calendar show --json
    """
    from casework.people.days.loading import calendar_table, read_calendar, unknown_years
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        today = branch.branch.today(now())
        unknown = unknown_years(read_calendar(conn), (today, date(today.year + 1, 1, 1)))
        loaded = sorted(calendar_table(conn).items())
    if json_:
        days = [{"day": day, "kind": _kind(worked)} for day, worked in loaded]
        print_json({"days": days, "unknown_years": unknown})
        return
    shown = Table("day", "kind")
    for day, worked in loaded:
        shown.add_row(str(day), f"{_kind(worked)} {'班' if worked else '休'}")
    console.print(shown)
    warn_of(unknown)


def warn_of(years: list[int]) -> None:
    """Say on stderr which years have no calendar."""
    for year in years:
        errors.print(
            f"{year}: no calendar, so every weekday counts as worked: casework calendar import FILE "
            f"{year}年无工作日历，暂按周一至周五计",
            markup=False,
        )


def _kind(worked: bool) -> str:
    return "worked" if worked else "off"
