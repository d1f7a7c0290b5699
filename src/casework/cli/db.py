"""`casework db`: schema, published rulebook, keys; backup and restore."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, told
from casework.cli.tables import NONE, Table
from casework.errors import CallerError

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection

    from casework.operation.backup import BackupManifest
    from casework.settings import Settings


@click.group()
def cli() -> None:
    """The database: schema, published rulebook, backup, restore.

    \b
    Examples:
      casework db upgrade
      casework db status
    """


@cli.command("upgrade")
@as_json
def upgrade_(json_: bool) -> None:
    """Bring the schema up to date, make the keys once, publish charts and policies.

    May be repeated. A database that is in use gets no new keys: those that are missing are named. On PostgreSQL
    CASEWORK_DATABASE_OWNER_URL, where given, is used for the schema, and the role of CASEWORK_DATABASE_URL gets what
    the service needs.

    \b
    Examples:
      casework db upgrade
      CASEWORK_DATABASE_URL=postgresql://app@db/casework casework db upgrade --json
    """
    from casework.operation.startup import upgrade
    from casework.people.staff.actor import system
    from casework.settings import Settings
    from casework.storage import schema

    with told():
        settings = Settings.from_environment()
        published = upgrade(settings, system("cli"))
    if json_:
        print_json({"revision": schema.NEWEST, "published": published, "keys_dir": str(settings.keys_dir)})
        return
    console.print(f"schema at {schema.NEWEST}; keys in {settings.keys_dir}", soft_wrap=True)
    for name in published:
        console.print(f"published {name}")
    if not published:
        console.print("nothing new to publish")


@cli.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Yes, data that the older schema has no place for is lost.")
def downgrade_(revision: str, yes: bool) -> None:
    """Bring the schema down to REVISION ("base" takes everything away).

    \b
    Examples:
      casework db backup before.backup && casework db downgrade base --yes
    """
    from casework.settings import Settings
    from casework.storage import migrate

    if not yes:
        raise click.UsageError("a downgrade loses data; make a backup, then say --yes")
    with told():
        migrate.downgrade(Settings.from_environment(), revision)
    console.print(f"schema at {revision}")


@cli.command("status")
@as_json
def status_(json_: bool) -> None:
    """What the database is and holds, and whether the service would start on it (exit code 0) or not (1).

    \b
    Examples:
      casework db status
      casework db status --json | jq .ready
    """
    from casework.settings import Settings

    with told():
        status = _status(Settings.from_environment())
    if json_:
        print_json(status)
    else:
        table = Table(show_header=False)
        for key, value in status.items():
            table.add_row(key.replace("_", " "), _readable(value))
        console.print(table)
    if not status["ready"]:
        raise SystemExit(1)


def _status(settings: "Settings") -> dict[str, Any]:
    from casework.address import parse_url, place_of
    from casework.oversight.privacy.columns import ALL
    from casework.storage import schema
    from casework.storage.database import open_engine, reading

    url = parse_url(settings.database_url)
    place = url.database if url.get_backend_name() == "sqlite" else place_of(url)
    engine = open_engine(settings.database_url, read_only=True)
    try:
        with reading(engine, snapshot=True) as conn:
            revision = schema.revision(conn)
            status: dict[str, Any] = {
                "kind": url.get_backend_name(),
                "place": place,
                "revision": revision,
                "newest": schema.NEWEST,
            }
            if revision != schema.NEWEST or schema.lacking(conn, ALL):
                return status | {"ready": False, "why_not": ["schema_not_current"]}
            return status | _contents(conn, settings)
    finally:
        engine.dispose()


def _contents(conn: "Connection", settings: "Settings") -> dict[str, Any]:
    from casework.log.tables import entries, unsealed
    from casework.operation.keys_needed import needed
    from casework.operation.startup import branch_of, check_keys
    from casework.settings import load_keys
    from casework.storage.append_only import has_owner_rights, missing_guards
    from casework.work.cases.gather import business_dates
    from casework.work.cases.tables import cases
    from casework.work.cases.unpublished import unpublished

    def count(table: "sa.Table") -> int:
        import sqlalchemy as sa

        return int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    why_not, waiting = [], []
    guards = missing_guards(conn)
    if guards:
        why_not.append("guards_missing")
    try:
        keys = load_keys(settings.keys_dir)
        check_keys(conn, keys)
        waiting = unpublished(conn, branch_of(settings, keys))
        if waiting:
            why_not.append("rulebook_unpublished")
    except CallerError as mistake:
        why_not.append(mistake.code)
    return {
        "cases": count(cases),
        "entries": count(entries),
        "unsealed": count(unsealed),
        "business_dates": {name: day.isoformat() for name, day in sorted(business_dates(conn).items())},
        "guards_missing": guards,
        "unpublished": waiting,
        "owner_rights": has_owner_rights(conn),
        "keys_dir": str(settings.keys_dir),
        "keys_missing": needed(conn, settings.keys_dir),
        "loans_dir": str(settings.loans_dir),
        "ready": not why_not,
        "why_not": why_not,
    }


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or NONE
    if isinstance(value, list):
        return ", ".join(value) or NONE
    return f"{value:,}" if isinstance(value, int) else str(value)


@cli.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def backup_(file: Path, json_: bool) -> None:
    """Copy the database into FILE while it is in use, with a manifest beside it.

    The keys are not in it. Keep them in another place: without them nobody can read personal data in the
    backup, forge an entry in it, or restore it.

    \b
    Examples:
      casework db backup backups/2026-03-01.backup
    """
    from casework.operation.backup import backup, manifest_path
    from casework.settings import Settings

    with told():
        settings = Settings.from_environment()
        manifest = backup(settings, file)
    if json_:
        print_json(manifest)
        return
    _print_contents(manifest)
    console.print(f"written to {file} and {manifest_path(file).name}", soft_wrap=True)
    if manifest.loans is not None:
        past = manifest.loans
        console.print(f"loans of past days: {past.files:,} files in {past.file}", soft_wrap=True)
        if past.lacking:
            console.print(f"NOT in it: {past.lacking:,} files that are missing or changed; run: casework audit verify")
    console.print(f"NOT in the backup: the keys. Keep a copy of {settings.keys_dir} apart from it.", soft_wrap=True)


@cli.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", "replace_old", is_flag=True, help="SQLite: move the present database away first.")
@as_json
def restore_(file: Path, replace_old: bool, json_: bool) -> None:
    """Put the backup FILE into an empty database and verify its whole log.

    Stop the service first. The keys of the backed-up database must be in place (CASEWORK_KEYS_DIR).

    \b
    Examples:
      casework db restore backups/2026-03-01.backup
      casework db restore backups/2026-03-01.backup --replace
    """
    from casework.address import parse_url
    from casework.operation.restore import restore
    from casework.settings import Settings

    with told():
        settings = Settings.from_environment()
        if replace_old and parse_url(settings.database_url).get_backend_name() != "sqlite":
            raise click.UsageError("--replace is for SQLite; on PostgreSQL restore into a new database")
        with _watching() as progress:
            restored = restore(settings, file, replace_old=replace_old, progress=progress)
    manifest, report, old = restored.manifest, restored.report, restored.moved_away
    if json_:
        answer = {"manifest": manifest, "verified": report.as_json(), "moved_away": str(old) if old else None}
        print_json(answer)
        return
    _print_contents(manifest)
    console.print(f"the log verifies: {report.entries:,} entries, {report.cases:,} cases replayed")
    for one in (*report.findings, *report.doubts):
        console.print(f"but: {one.code} {one.detail['file']}: {one.en} / {one.zh}", soft_wrap=True, markup=False)
    if old:
        console.print(f"the database that was here is now {old}", soft_wrap=True)
    console.print("restored")


def _print_contents(manifest: "BackupManifest") -> None:
    held = manifest.contents
    counts = f"{held.entries:,} entries, {held.cases:,} cases"
    console.print(f"{counts}, schema {held.revision}, last entry {held.last_entry}")


@contextmanager
def _watching() -> Iterator[Callable[[int], None]]:
    """A bar on a terminal while the log is verified, nothing in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not progress_wanted():
        yield lambda _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done: bar.update(task, completed=done)
