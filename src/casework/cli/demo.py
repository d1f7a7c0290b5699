"""`casework demo`: a generated branch with a month behind it, and what there is to see in it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli.changing import day
from casework.cli.demo_shown import show, show_people, show_ways
from casework.cli.shell import console, errors, progress_wanted, told
from casework.clock import now
from casework.demo.place import FOLDER
from casework.errors import CallerError, TryAgain

if TYPE_CHECKING:
    from casework.log.check.findings import Report
    from casework.operation.startup import Started
    from casework.settings import Settings


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Where the database, its keys and the feeds go; made anew each time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another branch.")
@click.option(
    "--loans",
    type=click.IntRange(1_000, 50_000),
    default=2_000,
    show_default=True,
    help="Loans on the books.",
)
@click.option("--today", type=day, help="The day that begins (default: today).")
def cli(folder: Path, seed: int, loans: int, today: datetime | None) -> None:
    """Make a branch that never was: a month of feeds up to yesterday, cases in every state, and a day that begins.

    Lists are out, promises are due, somebody is on leave, requests wait, breaches and holds are to be reviewed; it
    tells whom to log in as. The log is verified. The database is a SQLite file in the folder, made anew each time, or
    the one that CASEWORK_DATABASE_URL names, if it is empty.

    \b
    Examples:
      casework demo
      casework demo --today 2024-07-01
      casework demo --folder /tmp/branch --seed 7 --loans 5000
    """
    from casework.demo.place import environment, fresh
    from casework.demo.stage import before, perform
    from casework.operation.startup import start, upgrade
    from casework.people.staff.actor import system
    from casework.settings import Settings

    began = time.perf_counter()
    with told():
        os.environ.update(environment(folder))
        settings = Settings.from_environment()
        if not _is_inside(settings, folder):  # before anything of an earlier demo is taken away
            _refuse_used(settings)
        fresh(folder)
        upgrade(settings, system("cli"), clock=lambda: before((today or now()).date()))
        started = start(settings)
        try:
            with _watching() as progress:
                told_of = perform(
                    started, folder / "feeds", seed=seed, loans_number=loans, progress=progress,
                    today=today.date() if today else started.branch.today(now()),
                )  # fmt: skip
                report = _verified(started, progress)
            show(started, told_of, report)
        finally:
            started.engine.dispose()
    console.print(f"\n{time.perf_counter() - began:.1f} s in all. Have a look:")
    show_ways(settings, told_of)
    show_people(settings, told_of)


def _is_inside(settings: "Settings", folder: Path) -> bool:
    """Whether the database is a file in the folder, to be made anew with it."""
    from casework.address import parse_url

    url = parse_url(settings.database_url)
    sqlite = url.get_backend_name() == "sqlite"
    return sqlite and Path(str(url.database)).resolve().is_relative_to(folder.resolve())


def _refuse_used(settings: "Settings") -> None:
    """CallerError `database_not_empty`: a demo never goes into a database that somebody uses."""
    import sqlalchemy as sa

    from casework.address import parse_url
    from casework.storage.database import open_engine, reading

    engine = open_engine(settings.database_url, read_only=True)
    try:
        with reading(engine) as conn:
            used = bool(sa.inspect(conn).get_table_names())
    except TryAgain:
        if parse_url(settings.database_url).get_backend_name() != "sqlite":
            raise
        used = False  # no file yet
    finally:
        engine.dispose()
    if used:
        raise CallerError("database_not_empty")


@contextmanager
def _watching() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage on a terminal, nothing in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    if not progress_wanted():
        yield lambda _stage, _done, _total: None
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=errors, transient=True
    ) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def _verified(started: "Started", progress: Callable[[str, int, int], None]) -> "Report":
    import sqlalchemy as sa

    from casework.evidence.verifying import verify
    from casework.log.tables import entries
    from casework.storage.database import reading

    branch = started.branch
    with reading(started.engine, snapshot=True) as conn:
        number = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
        return verify(
            conn, branch.mac_key, branch.vault, loans_dir=branch.loans_dir,
            progress=lambda done: progress("verifying", done, number),
        )  # fmt: skip
