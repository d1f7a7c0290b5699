"""`casework audit export`, and the verification of what it wrote: a folder, with no database and no settings."""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click

from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, progress_wanted, started
from casework.clock import now
from casework.errors import CallerError
from casework.instants import ALLOWED, read_text
from casework.screen import on_screen

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy.engine import Connection

    from casework.evidence.bundle.export import Exported, Period
    from casework.evidence.bundle.verify import Phase
    from casework.log.check.findings import Report
    from casework.log.format.checkpoint import Checkpoint, WitnessKey
    from casework.log.format.note import LogKey, SignedNote
    from casework.operation.startup import Started


K = TypeVar("K", "LogKey", "WitnessKey")
_PHASES: dict["Phase", str] = {"structure": "核对分录 entries", "replay": "重放 replay"}


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--from", "from_", metavar="DATE", help="Entries recorded on this day or later; or from a time on.")
@click.option("--to", "to", metavar="DATE", help="Entries recorded on this day or earlier; or before a time.")
@click.option("--case", "case_id", type=click.IntRange(1, 2**53 - 1), help="One case: its dossier with every proof.")
@click.option(
    "--trusted", type=click.Path(path_type=Path, dir_okay=False), help="A checkpoint the reader holds: what shows it."
)
@as_staff
@as_json
def export(
    folder: Path, from_: str | None, to: str | None, case_id: int | None, trusted: Path | None, staff_no: str | None,
    json_: bool,
) -> None:  # fmt: skip
    """Write the signed log, a period of it, or a case, as files that verify anywhere: `casework audit verify FOLDER`.

    Checkpoints, tiles and entries lie as C2SP tlog-tiles has them; beside them the log's public keys, the published
    charts and policies, and a manifest. Bodies carry amounts, dates and numbers, no personal data. A period is widened
    to whole tiles of 256 entries. That a bundle was made is itself an entry.

    \b
    Examples:
      casework audit export /media/audit/2026-03
      casework audit export q1 --from 2026-01-01 --to 2026-03-31 --as S117
      casework audit export case-17 --case 17 --as S117
      casework audit export q1 --from 2026-01-01 --to 2026-03-31 --trusted kept/2025-12-31.checkpoint
    """
    from casework.evidence.bundle.export import export_log, fresh_folder, record_exported
    from casework.log.write import signer
    from casework.log.write.witnesses import known_witnesses
    from casework.storage.database import reading, writing
    from casework.work.cases.sight import seen_case

    if case_id is not None and (from_ or to):
        raise click.UsageError("--case goes without --from and --to: a dossier holds the whole case")
    with started() as branch:
        with reading(branch.engine) as conn:
            actor = permitted(conn, branch.branch, staff_no, "log.export")
        period = period_of(from_, to, branch.branch.time_zone)
        held = _checkpoint_of(_note_of(trusted)) if trusted is not None else None
        with fresh_folder(folder) as place, reading(branch.engine, snapshot=True) as conn, _bar("导出 export") as told:
            if case_id is None:
                folder_of_keys = branch.settings.keys_dir
                done = export_log(
                    conn, place, signer.known_keys(folder_of_keys), made_at=now(), period=period, held=held,
                    witnesses=known_witnesses(folder_of_keys), progress=told,
                )  # fmt: skip
            else:
                seen_case(conn, branch.branch, actor, case_id, branch.branch.today(now()))
                done = _export_case(conn, place, branch, case_id, held)
        with writing(branch.engine) as conn:
            record_exported(conn, branch.branch, actor, done.manifest)
    if json_:
        print_json({"folder": str(folder), "entries": done.entries, "manifest": done.manifest})
        return
    scope = done.manifest.scope
    of = f" of {done.manifest.size:,}" if scope.kind == "period" else ""
    what = f"case {case_id}" if case_id is not None else f"{done.entries:,} entries{of}"
    console.print(f"exported 已导出: {what} of {on_screen(done.manifest.origin)} to {folder}", markup=False)
    console.print(f"verify 核对: casework audit verify {folder}", markup=False)


def _export_case(
    conn: "Connection", place: Path, branch: "Started", case_id: int, held: "Checkpoint | None"
) -> "Exported":
    """The dossier under the newest checkpoint; unless its reader holds one, it goes on from the newest cosigned one."""
    from casework.evidence.bundle.export import export_case
    from casework.evidence.dossier.make import make_dossier
    from casework.log.format import note
    from casework.log.proving import cosigned_note, published_note
    from casework.log.write import signer
    from casework.log.write.witnesses import known_witnesses

    keys, witnesses = signer.known_keys(branch.settings.keys_dir), known_witnesses(branch.settings.keys_dir)
    signed = published_note(conn, witnesses)
    cosigned = None
    if held is None:
        with suppress(CallerError):  # no witness has signed anything yet
            cosigned = cosigned_note(conn, witnesses)
    cosigned = None if cosigned == signed else cosigned
    since = held if cosigned is None else _checkpoint_of(note.parse(cosigned))
    made = make_dossier(conn, branch.branch, case_id, keys, since=since.size if since else None)
    return export_case(place, case_id, made.data, signed, keys, made_at=now(), cosigned=cosigned)


def period_of(from_: str | None, to: str | None, time_zone: str) -> "Period | None":
    """From a day or time on, to the end of a day or before a time; CallerError `date_malformed`."""
    from casework.evidence.bundle.export import Period

    if from_ is None and to is None:
        return None
    zone = ZoneInfo(time_zone)

    def midnight(text: str | None, days: int) -> datetime | None:
        if text is None:
            return None
        try:
            typed = read_text(text, time_zone)
            return typed.at or datetime.combine(typed.day + timedelta(days=days), time.min, zone)
        except (ValueError, OverflowError):
            raise CallerError("date_malformed", ALLOWED[0], ALLOWED[1]) from None

    return Period(midnight(from_, 0), midnight(to, 1))


# --- verification


def verify_folder(
    folder: Path, *, trusted: Path | None, keys: Sequence[str], witnesses: Sequence[str], receipts: Sequence[Path],
    deep: bool, jobs: int | None,
) -> "Report":  # fmt: skip  # fmt: skip
    """The report on a bundle; CallerErrors `checkpoint_unreadable`, `key_malformed`."""
    from casework.evidence.bundle.deep import replay
    from casework.evidence.bundle.trust import KeysHeld
    from casework.evidence.bundle.verify import verify_bundle
    from casework.log.format.note import LogKey

    held = KeysHeld(
        _keys(LogKey, keys), witness_keys(witnesses),
        _note_of(trusted) if trusted is not None else None, [_receipt_of(file) for file in receipts],
    )  # fmt: skip
    with _bars() as told:
        return verify_bundle(folder, held, deep=replay if deep else None, jobs=jobs, progress=told)


def witness_keys(given: Sequence[str]) -> "list[WitnessKey]":
    """Keys of witnesses as they are written, or files of them; CallerError `key_malformed`."""
    from casework.log.format.checkpoint import WitnessKey

    return _keys(WitnessKey, given)


def _keys(kind: type[K], given: Sequence[str]) -> list[K]:
    """Keys as they are written, or files of them, one a line; CallerError `key_malformed`."""
    from casework.log.format.tree import Faulty

    found = []
    for text in given:
        try:
            lines = [text] if "+" in text else Path(text).read_text(encoding="utf-8").split("\n")
            found += [kind.parse(line) for line in lines if line]
        except (OSError, UnicodeDecodeError, Faulty):
            raise CallerError("key_malformed", key=text[:100]) from None
    return list(dict.fromkeys(found))


def _receipt_of(file: Path) -> bytes:
    """A receipt as a note, or as the API's header had it; CallerError `receipt_unreadable`."""
    from casework.log.format.note import MAX_NOTE_BYTES
    from casework.log.format.receipt import LABEL as RECEIPT_LABEL
    from casework.log.format.receipt import parse_receipt
    from casework.log.format.tree import Faulty

    try:
        with file.open("rb") as held:
            data = held.read(2 * MAX_NOTE_BYTES)
        if not data.startswith(RECEIPT_LABEL.encode()):
            data = base64.b64decode(data.strip(), validate=True)
        parse_receipt(data)
    except (OSError, ValueError) as fault:
        reason = fault.code if isinstance(fault, Faulty) else "unreadable"
        raise CallerError("receipt_unreadable", reason=reason) from None
    return data


def _note_of(file: Path) -> "SignedNote":
    """A checkpoint that somebody keeps; CallerError `checkpoint_unreadable`."""
    from casework.log.format import checkpoint, note
    from casework.log.format.note import MAX_NOTE_BYTES
    from casework.log.format.tree import Faulty

    try:
        with file.open("rb") as held:
            signed = note.parse(held.read(MAX_NOTE_BYTES + 1))
        checkpoint.parse(signed.text)
    except (OSError, Faulty) as fault:
        reason = fault.code if isinstance(fault, Faulty) else "unreadable"
        raise CallerError("checkpoint_unreadable", reason=reason) from None
    return signed


def _checkpoint_of(signed: "SignedNote") -> "Checkpoint":
    from casework.log.format import checkpoint

    return checkpoint.parse(signed.text)


def _progress() -> "Progress":
    """Imported where something is drawn: all that `casework audit` does begins with this file."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing in a pipe."""
    if not progress_wanted():
        yield lambda _done, _all: None
        return
    with _progress() as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


@contextmanager
def _bars() -> "Iterator[Callable[[Phase, int, int], None]]":
    if not progress_wanted():
        yield lambda _phase, _done, _all: None
        return
    with _progress() as bar:
        tasks = {phase: bar.add_task(title, total=None, visible=False) for phase, title in _PHASES.items()}
        yield lambda phase, done, whole: bar.update(tasks[phase], completed=done, total=whole, visible=True)


__all__ = ["export", "verify_folder", "witness_keys"]
