"""`casework audit receipt|take-cosignature`: promises of the log, checked; and what witnesses carry here by hand."""

import base64
import binascii
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from casework.cli.shell import as_json, console, print_json, started
from casework.clock import now
from casework.errors import CallerError, RulesBroken, TryAgain
from casework.screen import on_screen

if TYPE_CHECKING:
    from casework.log.check.honoured import KeptWord
    from casework.log.format.receipt import SignedReceipt


_WORDS = {
    "included": "included 已纳入日志", "not_sealed_yet": "not sealed yet 尚未封存",
    "receipt_not_honoured": "NOT HONOURED 未兑现",
}  # fmt: skip


@click.command("receipt")
@click.argument("entry_id", required=False)
@click.option("--check", "file", type=click.Path(path_type=Path, dir_okay=False), help="A receipt that somebody holds.")
@as_json
def receipt(entry_id: str | None, file: Path | None, json_: bool) -> None:
    """Make a receipt for an entry, or check whether the log has kept what a receipt promises.

    The API answers every change with one (header `Receipt`). FILE holds it as a note, or as the header had it.

    \b
    Exit code of --check: 0 every entry is in the log and under a signed checkpoint, 1 one is gone or another one
    (receipt_not_honoured), 2 cannot tell (not sealed yet, no receipt of this service, no database).

    \b
    Examples:
      casework audit receipt case:17:3 > case-17-3.receipt
      casework audit receipt --check case-17-3.receipt
    """
    from casework.log.check.honoured import change_of_entry
    from casework.log.write import receipt_keys
    from casework.storage.database import reading

    if (entry_id is None) == (file is None):
        raise click.UsageError("give an ENTRY_ID, or --check FILE")
    if file is not None:
        _check(file, json_)
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        signer = receipt_keys.read_signer(branch.settings.keys_dir)
        if signer is None:
            raise no_receipt_key()
        click.echo(signer.sign(change_of_entry(conn, str(entry_id), branch.branch.mac_key)), nl=False)


def no_receipt_key() -> CallerError:
    """Nobody can sign receipts until there is a key again."""
    return CallerError(
        "receipt_key_missing", "缺少回执密钥；请运行 casework db upgrade",
        "the key for receipts is missing or unsafe; run: casework db upgrade",
    )  # fmt: skip


def _check(file: Path, json_: bool) -> NoReturn:
    """Ends with the exit code; only what the log says may accuse it."""
    from casework.log.check.findings import EXIT_CODES

    try:
        signed, found = _looked_up(file)
    except (CallerError, TryAgain) as failure:
        _cannot_tell(json_, failure.code, str(failure))
    except RulesBroken as rules:
        _cannot_tell(json_, "rules_broken", str(rules))
    standings = {one.standing for one in found}
    broken, waiting = "receipt_not_honoured" in standings, "not_sealed_yet" in standings
    verdict = "receipt_not_honoured" if broken else "not_sealed_yet" if waiting else "included"
    if json_:
        print_json(_facts(signed, found, verdict))
    else:
        _tell(signed, found, verdict)
    sys.exit(EXIT_CODES["tampered" if broken else "cannot_tell" if waiting else "sound"])


def _looked_up(file: Path) -> "tuple[SignedReceipt, list[KeptWord]]":
    from casework.log.check.honoured import kept, opened, trusted_keys
    from casework.operation.startup import check_schema, start
    from casework.settings import Settings
    from casework.storage.database import reading

    data = as_note(_read(file))
    branch = start(Settings.from_environment(), check=False)
    try:
        with reading(branch.engine, snapshot=True) as conn:
            check_schema(conn)
            signed = opened(data, trusted_keys(conn, branch.settings.keys_dir))
            return signed, kept(conn, signed.receipt.entries)
    finally:
        branch.engine.dispose()


def _read(file: Path) -> bytes:
    from casework.log.format.note import MAX_NOTE_BYTES

    try:
        if file.stat().st_size <= 2 * MAX_NOTE_BYTES:
            return file.read_bytes()
    except OSError:
        pass
    raise CallerError("receipt_unreadable", "无法读取该文件", "that file cannot be read, or is too large")


def as_note(data: bytes) -> bytes:
    """The note in a file: as it is, or as the header `Receipt` carries it."""
    try:
        return base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError):
        return data


def _cannot_tell(json_: bool, code: str, en: str) -> NoReturn:
    from casework.log.check.findings import EXIT_CODES

    if json_:
        print_json({"verdict": "cannot_tell", "code": code, "en": en})
    click.echo(f"cannot tell: {code}: {en}", err=True)
    sys.exit(EXIT_CODES["cannot_tell"])


def _facts(signed: "SignedReceipt", found: "list[KeptWord]", verdict: str) -> dict[str, Any]:
    return {
        "verdict": verdict, "origin": signed.receipt.origin, "recorded_at": signed.receipt.recorded_at,
        "key": signed.key.text, "entries": [one._asdict() for one in found],
    }  # fmt: skip


def _tell(signed: "SignedReceipt", found: "list[KeptWord]", verdict: str) -> None:
    from casework.log.check.finding_texts import TEXTS

    console.print(f"receipt 回执: {on_screen(signed.receipt.origin)}, {signed.receipt.recorded_at}", markup=False)
    for one in found:
        where = "" if one.leaf_index is None else f", leaf {one.leaf_index}"
        under = "" if one.checkpoint is None else f", under the checkpoint of {one.checkpoint}"
        console.print(f"{one.entry_id}: {_WORDS[one.standing]}{where}{under}", markup=False)
    if verdict == "receipt_not_honoured":
        zh, en = TEXTS[verdict]
        console.print(f"receipt_not_honoured: {en} / {zh}", style="red", markup=False)


@click.command("take-cosignature")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def take_cosignature(file: Path, json_: bool) -> None:
    """Take in a cosigned checkpoint that a witness without a network has made: FILE, carried here by hand.

    \b
    Examples:
      casework audit take-cosignature /media/stick/1307
    """
    from casework.log.format.times import instant_text
    from casework.log.write.cosignatures import take_in
    from casework.log.write.witnesses import known_witnesses
    from casework.storage.database import writing

    with started() as branch:
        data = _read(file)
        witnesses = known_witnesses(branch.settings.keys_dir)
        with writing(branch.engine) as conn:
            taken = take_in(conn, data, witnesses, now())
    if json_:
        print_json([{"size": one.size, "witness": one.witness.text, "cosigned_at": instant_text(one.at),
                     "new": one.new} for one in taken])  # fmt: skip
        return
    for one in taken:
        told = "taken in 已收录" if one.new else "on file already 已有"
        console.print(f"{told}: {one.size:,} leaves, {one.witness.name}, {instant_text(one.at)}", markup=False)


COMMANDS = (receipt, take_cosignature)
