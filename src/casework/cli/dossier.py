"""`casework audit heads`, `casework case dossier|verify-dossier`: a case proven to somebody else, whole as of a day."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.clock import now
from casework.log.format.tree import MAX_SIZE
from casework.written_file import written_to

if TYPE_CHECKING:
    from casework.evidence.dossier.make import Made
    from casework.log.format.checkpoint import Checkpoint
    from casework.log.format.note import LogKey
    from casework.operation.startup import Started
    from casework.people.staff.actor import Actor


@click.command("heads")
@as_json
def heads(json_: bool) -> None:
    """Seal what waits, state the heads of all cases in the log, seal that too: dossiers made now are whole up to now.

    The service and `casework audit seal` do it once a day by themselves. Nothing is stated where no case has changed
    since the last time, or none is sealed.

    \b
    Examples:
      casework audit heads
      casework audit heads --json | jq .root
    """
    from casework.evidence.dossier.heads import state_heads
    from casework.operation.sealing import sealer_of

    with started() as branch:
        sealer = sealer_of(branch)
        sealer.round()
        stated = state_heads(branch.engine, branch.branch, daily=False)
        done = sealer.round()
    if json_:
        facts = {**stated.data} if stated else {"day": None, "size": None, "cases": None, "root": None}
        print_json({**facts, "refused": done.refused.code if done.refused else None})
    elif stated:
        console.print(f"stated 已声明: {stated.cases:,} cases in {stated.size:,} leaves, day {stated.day}")
        console.print(f"root 根: {stated.root.hex()}")
    else:
        console.print("nothing new to state 案件无变化，无须声明")
    if done.refused:
        errors.print(f"not signed 未签署: {done.refused.code}: {done.refused} / {done.refused.zh}", markup=False)
        raise SystemExit(1)


@click.command("dossier")
@click.argument("case_id", type=click.IntRange(1, 2**53 - 1))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the dossier into this file (0600).")
@click.option("--openings", is_flag=True, help="With the texts that entries commit to, in clear; needs --purpose.")
@click.option("--since", type=click.IntRange(0, MAX_SIZE), metavar="SIZE", help="The size of a checkpoint you hold.")
@click.option("--purpose", metavar="CODE", help="What the texts are for: a purpose of permissions.toml.")
@as_json
@as_staff
def dossier(
    *, case_id: int, out: Path | None, openings: bool, purpose: str | None, since: int | None, json_: bool,
    staff_no: str | None,
) -> None:  # fmt: skip
    """The entries of a case, with the proofs that they stand in the log and that none is missing as of a day.

    Who holds the log's verifier key (`casework keys show`) needs nothing else to verify it. Every handing-out is an
    entry; so is the opening of texts, which are personal data.

    \b
    Examples:
      casework case dossier 17
      casework case dossier 17 --out case-17.json --as S0031
      casework case dossier 17 --out case-17.json --openings --purpose judicial --as S0031
      casework case dossier 17 --since 1200 --json > case-17.json
    """
    from casework.cli.dossier_tables import report
    from casework.log.write import kept

    if openings != (purpose is not None):
        raise click.UsageError("--openings and --purpose go together")
    with started() as open_:
        made = _made(open_, case_id, purpose, since, staff_no)
        if out is not None:
            with written_to(out):
                kept.write_whole(out, made.data)
        if json_:
            click.echo(made.data, nl=False)
        else:
            report(made.shown)
            if out is not None:
                console.print(f"written 已写入: {out}", markup=False)


def _made(open_: "Started", case_id: int, purpose: str | None, since: int | None, staff_no: str | None) -> "Made":
    """Made, and on record."""
    from casework.evidence.dossier.make import make_dossier, record_made
    from casework.evidence.dossier.opened import check_and_record
    from casework.log.write import signer
    from casework.storage.database import reading, writing
    from casework.work.cases.sight import seen_case

    branch = open_.branch
    with reading(open_.engine, snapshot=True) as conn:
        actor: Actor = permitted(conn, branch, staff_no, "case.dossier")
        case = seen_case(conn, branch, actor, case_id, branch.today(now()))
        keys = signer.known_keys(open_.settings.keys_dir)
        made = make_dossier(conn, branch, case_id, keys, with_openings=purpose is not None, since=since)
    with writing(open_.engine) as conn:
        if purpose is not None:
            check_and_record(conn, branch, actor, case, {name for _, name in made.shown.opened}, purpose)
        record_made(conn, branch, actor, made)
    return made


@click.command("verify-dossier")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--key", "keys", multiple=True, metavar="VERIFIERKEY", help="As `keys show` prints it; may be repeated.")
@click.option("--trusted", type=click.Path(path_type=Path, dir_okay=False), help="A checkpoint that you hold.")
@as_json
def verify_dossier_(file: Path, keys: tuple[str, ...], trusted: Path | None, json_: bool) -> None:
    """Verify a dossier; needs no database, no settings and no network.

    With --trusted, the dossier must have been asked for --since that checkpoint's size, or be of the same.

    The key must have reached you another way than the dossier: whoever makes both can make anything.

    \b
    Exit code: 0 sound, 1 tampered, 2 cannot tell (no key, no dossier).

    \b
    Examples:
      casework case verify-dossier case-17.json --key 'branch.example/log+1a2b3c4d+AX…'
      casework case verify-dossier case-17.json --key "$(cat branch.key)" --json
    """
    from casework.cli.dossier_tables import report
    from casework.log.check.dossier import read_dossier
    from casework.log.check.findings import EXIT_CODES
    from casework.log.format.dossier import MAX_DOSSIER_BYTES
    from casework.log.format.note import LogKey
    from casework.log.format.tree import Faulty

    try:
        known = [LogKey.parse(key) for key in dict.fromkeys(keys)]
        held = _held(trusted, known) if trusted else None
        with file.open("rb") as opened:
            data = opened.read(MAX_DOSSIER_BYTES + 1)
    except (Faulty, OSError) as fault:
        code = fault.code if isinstance(fault, Faulty) else "unreadable"
        click.echo(f"cannot tell: {code}", err=True)
        raise SystemExit(EXIT_CODES["cannot_tell"]) from None
    shown = read_dossier(data, known, held)
    if json_:
        print_json(shown.as_json())
    else:
        report(shown)
    raise SystemExit(EXIT_CODES[shown.report.verdict])


def _held(file: Path, keys: "list[LogKey]") -> "Checkpoint":
    """The checkpoint in a file, signed by one of the keys; Faulty."""
    from casework.log.format import checkpoint, note

    read = note.parse(file.read_bytes())
    held = checkpoint.parse(read.text)
    note.verified(read, [key for key in keys if key.name == held.origin])
    return held


AUDIT_COMMANDS = (heads,)
CASE_COMMANDS = (dossier, verify_dossier_)
