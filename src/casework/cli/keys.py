"""`casework keys`: the keys outside the database, the log's signing key above all."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli import witnesses
from casework.cli.shell import as_json, console, print_json, started, told
from casework.clock import now, utc_text
from casework.errors import CallerError

if TYPE_CHECKING:
    from casework.log.format.checkpoint import Checkpoint
    from casework.log.write import signer
    from casework.operation.startup import Started


_REASONS = ("restored_backup", "standby_promoted", "key_lost", "memory_lost", "key_stolen")


@click.group()
def cli() -> None:
    """The log's signing key: make it, show its public half, replace it, begin a new log after a loss.

    The keys lie in CASEWORK_KEYS_DIR, outside the database, and so does what was signed last. Keep a copy apart.

    \b
    Examples:
      casework keys show
      casework keys rotate
    """


@cli.command("init")
def init() -> None:
    """Make the signing key, where none was ever made (`casework db upgrade` does it too), and print its public half.

    For a database that has a log already, none is made: bring its keys back.

    The log is named by CASEWORK_LOG_ORIGIN, such as bank.example/loans/wuhan; by default after the branch's keys.

    \b
    Examples:
      CASEWORK_LOG_ORIGIN=bank.example/loans/wuhan casework keys init
    """
    from casework.log.write import signer
    from casework.operation.keys_needed import check_nothing_needed
    from casework.operation.startup import origin_of
    from casework.settings import Settings, load_keys

    with told():
        settings = Settings.from_environment()
        check_nothing_needed(settings)
        signer.make_keys_once(settings.keys_dir, origin_of(settings, load_keys(settings.keys_dir)))
        click.echo(signer.read_keys(settings.keys_dir).present.key.text)


@cli.command("show")
@click.option("--all", "all_", is_flag=True, help="Every key that ever signed, the oldest first.")
@as_json
def show(all_: bool, json_: bool) -> None:
    """Print the verifier key, `name+hex+base64`, as other people's programs take it.

    \b
    Examples:
      casework keys show
      casework keys show --all
    """
    from casework.log.write import signer
    from casework.settings import Settings

    with told():
        folder = Settings.from_environment().keys_dir
        known = [key.text for key in signer.known_keys(folder)]
        if all_ and not json_:
            click.echo("\n".join(known))
            return
        keys = signer.read_keys(folder)
    if json_:
        print_json(_facts(folder, keys, known))
        return
    for key in keys.signing_at(now()):
        click.echo(key.key.text)


def _facts(folder: Path, keys: "signer.SigningKeys", known: list[str]) -> dict[str, Any]:
    from casework.log.write import logs, signer

    remembered = signer.read_memory(folder)
    ends = logs.overlap_ends(keys)
    return {
        "origin": keys.origin, "signing": [key.key.text for key in keys.signing_at(now())], "known": known,
        "both_until": utc_text(ends) if ends else None, "last_signed": remembered.size if remembered else None,
    }  # fmt: skip


@cli.command("rotate")
@click.option("--overlap-days", type=click.IntRange(0, 3_650), default=30, show_default=True, help="Both keys sign.")
@click.option("--new-origin", metavar="NAME", help="After a loss: begin a new log of this name over what is there.")
@click.option("--reason", type=click.Choice(_REASONS), help="With --new-origin: what was lost.")
@as_json
def rotate(overlap_days: int, new_origin: str | None, reason: str | None, json_: bool) -> None:
    """Replace the signing key: an entry with the old key's signature says so, and both keys sign for a while.

    With --new-origin a new log begins under a new name and key, where the old one cannot go on: a backup was restored,
    the key or the signer's memory is gone. Its first leaf states the last checkpoint of the old log, what of it is
    found here, and the reason; then everything is sealed anew. Give the new key to everybody who verifies.

    \b
    Examples:
      casework keys rotate --overlap-days 90
      casework keys rotate --new-origin bank.example/loans/wuhan-2 --reason restored_backup
    """
    from casework.log.write import logs, receipt_keys, signer
    from casework.people.staff.actor import system
    from casework.storage.database import writing

    if (new_origin is None) != (reason is None):
        raise click.UsageError("--new-origin and --reason go together")
    with started() as branch:
        folder = branch.settings.keys_dir
        # The folder first, then the database, as the signer does: the other way round both would wait.
        with signer.held(folder), writing(branch.engine) as conn:
            trail, actor = branch.branch.trail(now()), system("cli").signed
            if new_origin is None or reason is None:
                keys = logs.rotate(conn, trail, actor, folder, overlap=timedelta(days=overlap_days))
            else:
                keys, _ = logs.begin_anew(conn, trail, actor, folder, new_origin, reason_code=reason)
                receipt_keys.make(folder, new_origin)
        known = [key.text for key in signer.known_keys(folder)]
    if json_:
        print_json(_facts(folder, keys, known))
        return
    click.echo(keys.present.key.text)


@cli.command("remember")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def remember(file: Path) -> None:
    """Give the signer back its memory: FILE is a checkpoint that it signed, as an auditor or a copy of it has it.

    Only where the memory is gone, and only if the log here goes on from that checkpoint. Take the newest there is:
    what was signed after it is not protected.

    \b
    Examples:
      casework keys remember kept/2026-03-01.checkpoint
    """
    from casework.log.check.handed import trusted_file
    from casework.log.write import signer

    with started() as branch:
        folder = branch.settings.keys_dir
        with signer.held(folder):
            if signer.read_memory(folder) is not None:
                raise CallerError("memory_there")
            _check(branch, trusted_file(folder, file))
            signer.write_memory(folder, file.read_bytes())
    console.print("remembered 已恢复")


def _check(branch: "Started", held: "Checkpoint") -> None:
    """CallerErrors of a signer that refuses, and `checkpoint_too_old` where a newer one was published."""
    from casework.log.write import signer
    from casework.log.write.grown import last_published, present_log, size_of
    from casework.storage.database import reading

    with reading(branch.engine, snapshot=True) as conn:
        log = present_log(conn)
        if log is None:
            raise CallerError("log_not_begun")
        published = last_published(conn, log)
        if published is not None and published.size > held.size:
            raise CallerError("checkpoint_too_old", size=held.size, published=published.size)
        signer.checked_root(conn, log, size_of(conn, log), held.origin, held)


cli.add_command(witnesses.cli)

__all__ = ["cli"]
