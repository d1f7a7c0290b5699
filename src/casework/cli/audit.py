"""`casework audit`: verify the log; what else is done with it, each in a file of its own.

`verify` answers by exit code: 0 sound, 1 tampered, 2 cannot tell. Nothing but a finding may ever give 1, and
nothing but a whole log looked at may ever give 0.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli import audit_entries, bundle, dossier, mining, past, receipts, sealing, searching
from casework.cli.log_report import print_report
from casework.cli.shell import as_json, errors, print_json, progress_wanted
from casework.clock import now
from casework.errors import CallerError, RulesBroken, TryAgain
from casework.screen import on_screen

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.log.check.findings import Report
    from casework.log.format.checkpoint import WitnessKey
    from casework.personal import Vault
    from casework.settings import Keys, Settings


@click.group()
def cli() -> None:
    """The verifiable log: verify it, read it.

    \b
    Examples:
      casework audit verify
      casework audit show 1207
      casework audit search --actor S0012
      casework audit checkpoint
      casework audit as-of --at 2026-03-01
    """


_COMMANDS = (
    *audit_entries.COMMANDS,
    *sealing.COMMANDS,
    *receipts.COMMANDS,
    bundle.export,
    *dossier.AUDIT_COMMANDS,
    *past.AUDIT_COMMANDS,
    *mining.COMMANDS,
    *searching.COMMANDS,
)
for _command in _COMMANDS:
    cli.add_command(_command)


@cli.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--trusted", type=click.Path(path_type=Path),
    help="A checkpoint that you hold; without FOLDER also a folder of them, as a witness has.",
)  # fmt: skip
@click.option("--key", "keys", multiple=True, help="With FOLDER: the log's verifier key as you hold it, or a file.")
@click.option("--witness", "witnesses", multiple=True, help="The key of a witness you trust, or a file.")
@click.option(
    "--receipt", "receipts", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    help="With FOLDER: a receipt you hold; its entries must be there.",
)  # fmt: skip
@click.option("--deep", is_flag=True, help="With FOLDER: read every entry strictly and replay all of them too.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes (default: 1; with FOLDER one a core, at most 8).")
@as_json
def verify(
    folder: Path | None, trusted: Path | None, keys: tuple[str, ...], witnesses: tuple[str, ...],
    receipts: tuple[Path, ...], deep: bool, jobs: int | None, json_: bool,
) -> None:  # fmt: skip
    """Verify the live database, or a bundle in FOLDER, for which neither database nor settings are needed.

    Live: walk every chain and the tree over them, replay every case, compare with its row. The tree is compared with
    what the signer keeps outside the database and, where you give some, with checkpoints that you hold: only that tells
    a history rewritten by whoever has the keys. If witnesses have signed those, their times count, whatever rows the
    database has left of them.

    A bundle: bodies, leaves, chains, tree, tiles, signatures; with --deep also the form of every entry and whether each
    step could happen under the rules it cites.

    \b
    Exit code: 0 sound, 1 tampered, 2 cannot tell (no or wrong key, no database, nothing to check, nothing signed by a
    --witness).

    \b
    Examples:
      casework audit verify
      casework audit verify --json | jq .verdict
      casework audit verify --trusted kept/2026-03-01.checkpoint
      casework audit verify --trusted /audit/wuhan --witness witness.key
      casework audit verify 2026-q1 --key branch.key --trusted kept/2025-12-31.checkpoint --deep
    """
    from casework.log.check.findings import EXIT_CODES

    with _cannot_tell(json_):
        if folder is not None:
            report = bundle.verify_folder(
                folder, trusted=trusted, keys=keys, witnesses=witnesses, receipts=receipts, deep=deep, jobs=jobs
            )
        elif keys or receipts or deep:
            raise click.UsageError("--key, --receipt and --deep go with a FOLDER")
        else:
            report = _verify(trusted, bundle.witness_keys(witnesses), jobs or 1)
        told = report.as_json()
        print_json(told) if json_ else print_report(told, "UTC" if folder is not None else _zone())
        sys.stdout.flush()
        code = EXIT_CODES[report.verdict]
    sys.exit(code)


def _zone() -> str:
    """The branch's; UTC where its rules may not be used, for a log is verified without them."""
    from casework.settings import Settings
    from casework.work.cases.rulebook import load_rulebook

    try:
        policies = load_rulebook(Settings.from_environment().statecharts).policies.all
    except RulesBroken:
        return "UTC"
    return str(policies[-1].figure("branch.time_zone"))


def _verify(trusted: Path | None, asked: "Sequence[WitnessKey]", jobs_wanted: int) -> "Report":
    from casework.evidence.crew import at_one_moment, crew_of
    from casework.evidence.verifying import verify as verify_everything
    from casework.log.check.handed import handed_notes
    from casework.log.check.sealed import BroughtAlong
    from casework.log.tables import keys as key_rows
    from casework.operation.keys_needed import keys_at_hand
    from casework.operation.startup import check_schema
    from casework.personal import Vault
    from casework.settings import Settings
    from casework.storage.database import disposing, open_engine, reading

    settings = Settings.from_environment()
    keys = keys_at_hand(settings)
    outside = BroughtAlong.of(settings.keys_dir, handed_notes(settings.keys_dir, trusted) if trusted else (), asked)
    vault, began_at = Vault(keys.personal, keys.blind), now()
    with crew_of(jobs_wanted - 1, settings.database_url, keys.mac, vault) as forked:
        engine = open_engine(settings.database_url, read_only=True)
        with disposing(engine), reading(engine, snapshot=True) as conn:
            crew = at_one_moment(conn, settings.database_url, forked)
            check_schema(conn)
            changed = _changed_rows_of_keys(conn, keys, vault)
            with _progress(conn) as told_so_far:
                report = verify_everything(
                    conn, keys.mac, vault, outside=outside, loans_dir=settings.loans_dir, progress=told_so_far,
                    crew=crew,
                )  # fmt: skip
        if changed:
            report.find("row_differs", table=key_rows.name, purposes=changed)
    _enter(settings, began_at, report)
    return report


def _enter(settings: "Settings", began_at: datetime, report: "Report") -> None:
    """Beside those that pages began, for pages and metrics; goes without where it may not write (a standby)."""
    import msgspec
    import sqlalchemy as sa

    from casework.evidence.verifying import RUN
    from casework.people.staff.actor import system
    from casework.storage import jobs
    from casework.storage.database import disposing, open_engine, writing

    engine = open_engine(settings.database_url)
    with disposing(engine), suppress(TryAgain, sa.exc.DBAPIError), writing(engine) as conn:
        jobs.ended(conn, RUN, system("cli").id, began_at, msgspec.json.encode(report))


def _changed_rows_of_keys(conn: "Connection", keys: "Keys", vault: "Vault") -> list[str]:
    """Rows that deny keys which have made what is there; CallerError `key_wrong` for keys that made none of it."""
    from casework.log.check.findings import Report
    from casework.log.check.kinds import texts_of_any_bytes
    from casework.operation.right_keys import right_keys
    from casework.operation.startup import check_keys, unlike

    with texts_of_any_bytes(conn, Report()):  # what is not read as text is reported again
        unlike_its_row = unlike(conn, keys)
        if unlike_its_row and not right_keys(conn, keys.mac, vault) >= set(unlike_its_row):
            check_keys(conn, keys)
    return unlike_its_row


@contextmanager
def _cannot_tell(json_: bool) -> Iterator[None]:
    """Whatever stops the verification ends with exit code 2: exit code 1 would accuse somebody."""
    try:
        yield
    except CallerError as mistake:
        _end(json_, mistake.code, f"{mistake} / {mistake.zh}")
    except TryAgain as busy:
        _end(json_, busy.code, str(busy))
    except RulesBroken as broken:
        _end(json_, "rules_broken", *broken.faults)
    except click.UsageError:
        raise
    except OSError as failure:  # where the report was to go, or a file that was handed in
        place = f"{failure.filename}: " if failure.filename else ""
        _end(False, "file_failed", f"{place}{failure.strerror}")
    except KeyboardInterrupt:
        _end(json_, "interrupted", "stopped before the end")
    except Exception as error:  # noqa: BLE001  (a bug, or a database too damaged to be read: the verdict is the same)
        traceback.print_exc()
        _end(json_, "unreadable", f"the log could not be read to its end ({type(error).__name__})")


def _end(json_: bool, code: str, en: str, *more: str) -> None:
    from casework.log.check.findings import EXIT_CODES

    if json_:
        print_json({"verdict": "cannot_tell", "code": code, "en": en, "more": more})
    for line in (f"cannot tell: {code}: {en}", *more):
        click.echo(on_screen(line, kept="\n"), err=True)
    sys.exit(EXIT_CODES["cannot_tell"])


@contextmanager
def _progress(conn: "Connection") -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing in a pipe."""
    if not progress_wanted():
        yield lambda _: None
        return
    import sqlalchemy as sa
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from casework.log.tables import entries

    total = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("核对分录 entries", total=total)
        yield lambda done: bar.update(task, completed=done)
