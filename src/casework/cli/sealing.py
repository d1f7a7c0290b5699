"""`casework audit seal|checkpoint|proof|consistency`: seal the log, and hand out what proves it."""

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from casework.cli.shell import as_json, console, errors, print_json, started
from casework.errors import CallerError, TryAgain
from casework.log.format.tree import MAX_SIZE
from casework.screen import on_screen

if TYPE_CHECKING:
    from casework.log.write.seal import Round, Sealer


_LEFT_SHOWN = 20


@click.command("seal")
@click.option("--watch", is_flag=True, help="Go on, twice a second, until interrupted.")
@as_json
def seal(watch: bool, json_: bool) -> None:
    """Seal what waits, then have the tree signed. `casework serve` does the same, unless CASEWORK_SEAL=0.

    An entry that fails its checks stays in the queue and is named. A signer that refuses (key missing, log shorter than
    it was, history changed) keeps nobody from writing, nor leaves from being sealed; it is reported here.

    \b
    Exit code: 0; 1 when an entry is left behind or the signer refuses.

    \b
    Examples:
      casework audit seal
      casework audit seal --watch
      casework audit seal --json | jq .left
    """
    from casework.operation.sealing import sealer_of

    with started() as branch:
        sealer = sealer_of(branch)
        if watch:
            _watch(sealer, json_)
            return
        done = sealer.round()
    if json_:
        print_json(as_facts(done))
    else:
        _tell(done)
    if done.left or done.refused:
        raise SystemExit(1)


def as_facts(done: "Round") -> dict[str, Any]:
    """A round for machines."""
    import msgspec

    return {
        "sealed": done.sealed, "left": msgspec.to_builtins(done.left), "elsewhere": done.elsewhere,
        "checkpoint": done.checkpoint.size if done.checkpoint else None,
        "refused": done.refused.code if done.refused else None, "troubled": done.troubled,
    }  # fmt: skip


def _watch(sealer: "Sealer", json_: bool) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    told_last: list[Any] = [None]

    def tell(done: "Round | CallerError | TryAgain") -> None:
        """What is new: trouble that stays is reported once, and a round without work not at all."""
        import msgspec

        from casework.log.write.seal import Round

        facts = as_facts(done) if isinstance(done, Round) else {"refused": done.code}
        trouble = (facts["refused"], facts.get("left"), facts.get("troubled"))
        if facts.get("sealed") or facts.get("checkpoint") or trouble != told_last[0]:
            told_last[0] = trouble
            if json_:
                click.echo(msgspec.json.encode(facts))
            elif isinstance(done, Round):
                _tell(done)
            else:
                errors.print(f"{done.code}: {done}", markup=False)

    sealer.watch(stop, tell=tell)


def _tell(done: "Round") -> None:
    console.print(f"sealed 已封存: {done.sealed:,}")
    if done.checkpoint:
        console.print(
            f"signed 已签署: {done.checkpoint.size:,} leaves of {on_screen(done.checkpoint.origin)}", markup=False
        )
    if done.elsewhere:
        console.print("another process is sealing 另一进程正在封存")
    for left in done.left[:_LEFT_SHOWN]:
        errors.print(f"not sealed 未封存: {left.entry_id or f'row {left.row}'}: {left.code}", markup=False)
    if len(done.left) > _LEFT_SHOWN:
        errors.print(f"… {len(done.left):,} in all")
    for code in done.troubled:
        errors.print(f"put off 延后: {code}", markup=False)
    if done.refused:
        errors.print(f"not signed 未签署: {done.refused.code}: {done.refused} / {done.refused.zh}", markup=False)


@click.command("checkpoint")
@click.option("--cosigned", is_flag=True, help="The newest that a witness has cosigned, which may be an older one.")
def checkpoint(cosigned: bool) -> None:
    """Print the newest signed checkpoint: keep it, and history cannot be rewritten behind it unseen.

    Below the log's signature stand those of the witnesses that this branch knows, each with its time.

    \b
    Examples:
      casework audit checkpoint > kept/$(date +%F).checkpoint
      casework audit checkpoint --cosigned
    """
    from casework.log.proving import cosigned_note, published_note
    from casework.log.write.witnesses import known_witnesses
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        witnesses = known_witnesses(branch.settings.keys_dir)
        click.echo(cosigned_note(conn, witnesses) if cosigned else published_note(conn, witnesses), nl=False)


@click.command("proof")
@click.argument("entry_id")
def proof_(entry_id: str) -> None:
    """Prove that an entry is in the log: the path to the newest checkpoint, as C2SP tlog-proof text.

    \b
    Examples:
      casework audit proof case:17:3 > case-17-3.tlog-proof
    """
    from casework.log.proving import inclusion_of
    from casework.log.write.witnesses import known_witnesses
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        witnesses = known_witnesses(branch.settings.keys_dir)
        click.echo(inclusion_of(conn, entry_id, witnesses).encode(), nl=False)


@click.command("consistency")
@click.argument("old", type=click.IntRange(0, MAX_SIZE))
@click.argument("new", type=click.IntRange(0, MAX_SIZE))
def consistency(old: int, new: int) -> None:
    """Prove that the log of NEW leaves begins with the log of OLD leaves: base64, one hash a line.

    The sizes are those of two checkpoints. Nothing is printed where nothing is to be proven (OLD is 0, or NEW).

    \b
    Examples:
      casework audit consistency 1200 1307
    """
    from casework.log.format.proof import encode_hashes
    from casework.log.proving import consistency_of
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        click.echo(encode_hashes(consistency_of(conn, old, new)), nl=False)


COMMANDS = (seal, checkpoint, proof_, consistency)
