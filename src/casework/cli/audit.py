"""`casework audit`: verify the log, read a history, look at one entry.

`verify` answers by exit code: 0 sound, 1 tampered, 2 cannot tell. Nothing but a finding may ever give 1, and
nothing but a whole log looked at may ever give 0.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.padding import Padding
from rich.text import Text

from casework.cli import bundle, dossier, mining, past, receipts, sealing, searching
from casework.cli.log_report import brief, print_report
from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, started
from casework.clock import now
from casework.errors import CallerError, RulesBroken, TryAgain
from casework.instants import branch_text
from casework.screen import on_screen

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.log.check.findings import Report
    from casework.log.format.checkpoint import WitnessKey
    from casework.log.format.entry import Entry
    from casework.personal import Vault
    from casework.settings import Keys, Settings
    from casework.work.cases.branch import Branch


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


@cli.command()
@click.argument("case_or_stream")
@as_json
def show(case_or_stream: str, json_: bool) -> None:
    """The history of a case (its number) or of any stream, oldest first.

    \b
    Examples:
      casework audit show 17
      casework audit show rulebook:published
      casework audit show case:17 --json
    """
    import msgspec
    import sqlalchemy as sa

    from casework.log.tables import entries
    from casework.storage.database import reading

    stream = f"case:{case_or_stream}" if case_or_stream.isdecimal() else case_or_stream
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        columns = entries.c["body", "leaf_hash", "mac"]
        wanted = sa.select(*columns).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
        found = conn.execute(wanted).all()
        if not found:
            raise CallerError("unknown_stream", stream=stream)
        if json_:
            print_json([msgspec.Raw(bytes(row.body)) for row in found])
            return
        _print_history(stream, found, branch.branch)


def _print_history(stream: str, found: Sequence[Any], branch: "Branch") -> None:
    """One line per entry and its data below: a table would leave no room for them on a narrow terminal."""
    from casework.log.format.chain import is_genuine
    from casework.log.format.entry import MalformedEntry, decode_strict

    states, zone = branch.rulebook.chart.states, branch.time_zone
    console.print(stream, style="bold", markup=False)
    for row in found:
        if not is_genuine(branch.mac_key, bytes(row.body), row.leaf_hash, row.mac):
            console.print("      FORGED 伪造: not written by this service", style="red", markup=False)
        try:
            entry = decode_strict(bytes(row.body))
        except MalformedEntry as fault:
            console.print(f"   ?  unreadable: {fault.code}", style="red", markup=False)
            continue
        told = (
            f"{entry.stream_seq:>4}", branch_text(datetime.fromisoformat(entry.recorded_at), zone), entry.event,
            _moved(entry, states), f"{entry.actor.id} ({entry.actor.via})", entry.reason_code or "",
        )  # fmt: skip
        console.print("  ".join(word for word in told if word), markup=False)
        console.print(Padding(Text(brief(_told_data(entry)), style="dim"), (0, 0, 0, 6)))


def _moved(entry: "Entry", states: Mapping[str, Any]) -> str:
    def label(name: str) -> str:
        return str(states[name].zh) if name in states else name

    if entry.to is None:
        return ""
    if entry.from_ in (None, entry.to):
        return label(entry.to)
    return f"{label(entry.from_ or '')} → {label(entry.to)}"


def _told_data(entry: "Entry") -> dict[str, Any]:
    """What a reader wants of `data`: the given values beside the rest, empty ones left out."""
    flat: dict[str, Any] = {}
    for key, value in entry.data.items():
        if key in ("given", "measure", "gathered"):
            flat |= value
        elif key == "reasons":
            flat["reasons"] = [reason.get("code") for reason in value]
        else:
            flat[key] = value
    flat |= dict.fromkeys(entry.personal, "(sealed)")
    return {key: value for key, value in flat.items() if value not in (None, [], {})}


@cli.command(name="entry")
@click.argument("entry_id")
@as_json
def show_entry(entry_id: str, json_: bool) -> None:
    """One entry: its body, and whether its bytes, hash, MAC and link hold.

    \b
    Examples:
      casework audit entry case:17:3
      casework audit entry case:17:3 --json
    """
    import msgspec

    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        row, before = _row_of(conn, entry_id)
        answer = _checked(row, before, branch.branch.mac_key)
        answer["texts"] = _texts_cited(conn, answer["body"])
        if json_:
            print_json(answer)
            return
        console.print_json(msgspec.json.encode(answer).decode())


def _row_of(conn: "Connection", entry_id: str) -> tuple[Any, Any]:
    """The entry's row and the leaf hash of the one before it."""
    import sqlalchemy as sa

    from casework.log.tables import entries

    stream, _, seq = entry_id.rpartition(":")
    if not stream or not seq.isascii() or not seq.isdecimal() or len(seq) > 16:
        raise CallerError("malformed_entry_id")
    at = entries.c.stream_seq
    found = conn.execute(
        sa.select(entries).where(entries.c.stream == stream, at.in_([int(seq) - 1, int(seq)])).order_by(at)
    ).all()
    if not found or found[-1].stream_seq != int(seq):
        raise CallerError("unknown_entry", f"没有分录 {entry_id}", f"there is no entry {entry_id}", entry_id=entry_id)
    return found[-1], bytes(found[0].leaf_hash) if len(found) == 2 else None


def _checked(row: Any, before: bytes | None, mac_key: bytes) -> dict[str, Any]:
    import msgspec

    from casework.log.format.chain import leaf_hash, mac_matches
    from casework.log.format.entry import MalformedEntry, decode_strict

    body, leaf, tag = bytes(row.body), bytes(row.leaf_hash), bytes(row.mac)
    try:
        entry: Entry | None = decode_strict(body)
    except MalformedEntry:
        entry = None
    return {
        "body": msgspec.json.decode(body) if entry else None,
        "leaf_hash": leaf.hex(),
        "canonical": entry is not None,
        "hash_holds": leaf_hash(body) == leaf,
        "mac_holds": len(leaf) == 32 and mac_matches(mac_key, leaf, tag),
        "link_holds": entry is not None and entry.prev == (before.hex() if before else None),
    }


def _texts_cited(conn: "Connection", body: Any) -> dict[str, bool]:
    """The chart and policy the entry cites, and whether their texts are held."""
    import sqlalchemy as sa

    from casework.log.tables import texts

    cited = [body[kind] for kind in ("chart", "policy") if body and body[kind]]
    digests = [reference.partition("#")[2] for reference in cited]
    held = set(conn.execute(sa.select(texts.c.digest).where(texts.c.digest.in_(digests))).scalars())
    return {reference: digest in held for reference, digest in zip(cited, digests, strict=True)}
