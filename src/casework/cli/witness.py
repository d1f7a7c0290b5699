"""`casework witness`: internal audit's own program, on another machine than the branch's."""

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from casework.cli.shell import as_json, console, errors, print_json, told
from casework.errors import CallerError
from casework.screen import on_screen

if TYPE_CHECKING:
    from casework.evidence.witness.checking import Checked
    from casework.evidence.witness.fetching import WitnessedBranch

_REFUSED: Final = 1
_CANNOT_TELL: Final = 2
_STEPS: Final = {
    "first": "first contact 首次见证", "same": "nothing new 没有变化", "grown": "grown and consistent 增长且一致",
}  # fmt: skip
_keys = click.option("--key", "texts", multiple=True, metavar="VERIFIERKEY", help="The log's key; may be repeated.")
_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def cli() -> None:
    """Watch a branch's log from another machine: sign what was seen, refuse a second history.

    It needs no database and none of the branch's settings: a folder with its own key, the log's public keys as the
    branch printed them (`casework keys show --all`), and what it signed last. Keep the folder where the branch's
    administrators have no access.

    \b
    Examples:
      casework witness init /audit/wuhan audit.bank.example --key bank.example/loans/wuhan+3a1f…+AY…
      casework witness check /audit/wuhan https://branch.example --token-file /audit/token --watch --every 60
    """


@cli.command("init")
@_folder
@click.argument("name")
@_keys
def init(folder: Path, name: str, texts: tuple[str, ...]) -> None:
    """Make a witness named NAME in DIR and print its verifier key; the branch adds it (`casework keys witness add`).

    \b
    Examples:
      casework witness init /audit/wuhan audit.bank.example --key bank.example/loans/wuhan+3a1f…+AY…
    """
    from casework.evidence.witness import folder as kept
    from casework.evidence.witness.judging import trust_of
    from casework.log.write.kept import holding

    with told(), holding(folder, kept.LOCK):
        if texts:
            trust_of(texts)  # nothing is made where they are wrong
        made = kept.make(folder, name)
        if texts:
            kept.trust_also(folder, texts)
        click.echo(made.key.text)


@cli.command("trust")
@_folder
@_keys
def trust(folder: Path, texts: tuple[str, ...]) -> None:
    """Trust the log of these keys; after a change of the log's key, trust the new one too.

    Take them from paper or from somebody you know, not from the machine that is to be watched.

    \b
    Examples:
      casework witness trust /audit/wuhan --key bank.example/loans/wuhan+3a1f…+AY…
    """
    from casework.evidence.witness import folder as kept
    from casework.log.write.kept import holding

    if not texts:
        raise click.UsageError("give at least one --key")
    with told(), holding(folder, kept.LOCK):
        kept.read_key(folder)
        for key in kept.trust_also(folder, texts).log_keys:
            click.echo(key.text)


@cli.command("show")
@_folder
@as_json
def show(folder: Path, json_: bool) -> None:
    """Print who this witness is, which log it watches, and what it signed last.

    \b
    Examples:
      casework witness show /audit/wuhan
    """
    from casework.evidence.witness import folder as kept
    from casework.evidence.witness.judging import trust_of
    from casework.log.format import note

    with told():
        key, texts = kept.read_key(folder).key.text, kept.trusted_texts(folder)
        last = kept.remembered(folder, trust_of(texts)) if texts else None
        waiting = kept.not_handed_in(folder)
    checkpoint = last.checkpoint if last else None
    facts: dict[str, Any] = {
        "key": key, "trusted": texts, "size": checkpoint.size if checkpoint else None,
        "root": note.to_base64(checkpoint.root) if checkpoint else None, "not_handed_in": waiting,
    }  # fmt: skip
    if json_:
        print_json(facts)
        return
    console.print(f"witness 见证人: {on_screen(key)}", markup=False)
    for text in texts:
        console.print(f"trusts 信任: {on_screen(text)}", markup=False)
    if checkpoint:
        console.print(f"signed last 上次见证: {checkpoint.size:,} leaves, {facts['root']}", markup=False)
    else:
        console.print("nothing was signed yet 尚未见证")
    if waiting:
        console.print(f"not handed in 尚未提交: {len(waiting):,}")


@cli.command("check")
@_folder
@click.argument("url", required=False)
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="A file with an auditor's API key.")
@click.option("--file", "note_file", type=click.Path(path_type=Path, dir_okay=False), help="A checkpoint, by hand.")
@click.option("--proof", type=click.Path(path_type=Path, dir_okay=False), help="With --file: the consistency proof.")
@click.option("--first", type=click.Path(path_type=Path, dir_okay=False), help="First contact: begin from this one.")
@click.option("--watch", is_flag=True, help="Go on until interrupted, or until something is refused.")
@click.option("--every", type=click.FloatRange(1, 86_400), default=60, show_default=True, help="With --watch: seconds.")
@as_json
def check(
    folder: Path, url: str | None, token_file: Path | None, note_file: Path | None, proof: Path | None,
    first: Path | None, watch: bool, every: float, json_: bool,
) -> None:  # fmt: skip
    """Look at the log of URL, or at a checkpoint carried here; cosign it if it goes on from the one signed last.

    What is signed is remembered on the disk before anything is handed out, and handed in again where that failed.

    \b
    Exit code: 0 the log is as it was, or has only grown, and the branch has our signature; 1 refused: another history
    (fork, shrunk, inconsistent), another log, an unknown key, no checkpoint: nothing was signed, what was shown is kept
    in DIR/refused; 2 cannot tell (network, token, folder), or not handed in.

    \b
    Examples:
      casework witness check /audit/wuhan https://branch.example --token-file /audit/token
      casework witness check /audit/wuhan https://branch.example --token-file /audit/token --watch --every 60
      casework witness check /audit/wuhan --file 1307.checkpoint --proof 1200-1307.proof
    """
    from casework.evidence.witness.checking import check_branch, check_file

    if (url is None) == (note_file is None) or (watch and url is None) or (proof and note_file is None):
        raise click.UsageError("give a URL (with --watch or not), or --file NOTE with its --proof")
    if note_file is not None:
        by_hand = note_file
        sys.exit(_told(lambda: check_file(folder, by_hand, proof=proof, first=first), json_))
    branch = _branch(str(url), token_file, json_)
    if not watch:
        sys.exit(_told(lambda: check_branch(folder, branch, first=first), json_))
    _watch(folder, branch, first, every, json_)


def _branch(url: str, token_file: Path | None, json_: bool) -> "WitnessedBranch":
    from casework.evidence.witness.fetching import WitnessedBranch

    try:
        token = token_file.read_text(encoding="ascii").strip() if token_file else None
        return WitnessedBranch(url, token)
    except CallerError as mistake:
        _end(json_, mistake.code, f"{mistake} / {mistake.zh}")
    except (OSError, UnicodeDecodeError) as failure:
        _end(json_, "unreadable", f"--token-file: {type(failure).__name__}")


def _watch(folder: Path, branch: "WitnessedBranch", first: Path | None, every: float, json_: bool) -> None:
    """Look again and again; what cannot be said now may be said later, what is refused ends it."""
    from casework.evidence.witness.checking import check_branch

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        begin, first = first, None
        code = _told(lambda begin=begin: check_branch(folder, branch, first=begin), json_)  # type: ignore[misc]  # bound
        if code == _REFUSED:
            sys.exit(code)
        stop.wait(every)


def _told(do: "Callable[[], Checked]", json_: bool) -> int:
    """Say what came of a check; its exit code. Only what was shown and verified may accuse anybody."""
    from casework.evidence.witness.fetching import CannotTell
    from casework.evidence.witness.judging import CosigningRefused

    try:
        checked = do()
    except CosigningRefused as refused:
        if json_:
            print_json({"verdict": "refused", "code": refused.code, "en": str(refused), "zh": refused.zh})
        click.echo(f"refused 拒绝见证: {refused.code}: {refused} / {refused.zh}", err=True)
        return _REFUSED
    except CannotTell as failure:
        return _cannot_tell(json_, failure.code, str(failure))
    except CallerError as mistake:
        return _cannot_tell(json_, mistake.code, f"{mistake} / {mistake.zh}")
    except OSError as failure:
        return _cannot_tell(json_, "unreadable", f"the folder: {type(failure).__name__}")
    _tell(checked, json_)
    if checked.kept_back is None:
        return 0
    click.echo(
        f"not handed in 未能提交: {checked.kept_back.code}: {checked.kept_back}; kept 已保留: {checked.path}", err=True
    )
    return _CANNOT_TELL


def _tell(checked: "Checked", json_: bool) -> None:
    from casework.log.format import note
    from casework.log.format.times import instant_text

    root = note.to_base64(checked.checkpoint.root)
    if checked.step == "first":
        errors.print(
            f"FIRST CONTACT 首次见证: this witness vouches for nothing before {checked.checkpoint.size:,} leaves.\n"
            f"Compare with the branch, by another way than the network, the root {root}\n"
            "请以网络以外的方式与本机构核对该根；此前的历史本见证人无从担保。",
            markup=False, style="bold",
        )  # fmt: skip
    if json_:
        print_json({
            "verdict": "cosigned", "step": checked.step, "size": checked.checkpoint.size, "root": root,
            "cosigned_at": instant_text(checked.at), "path": str(checked.path), "handed_in": checked.handed_in,
            "kept_back": checked.kept_back.code if checked.kept_back else None,
        })  # fmt: skip
        return
    console.print(
        f"{_STEPS[checked.step]}: {checked.checkpoint.size:,} leaves of {on_screen(checked.checkpoint.origin)}",
        markup=False,
    )
    if checked.step != "same":
        console.print(f"cosigned 已见证: {instant_text(checked.at)}  {checked.path}", markup=False)
    for size in checked.handed_in:
        console.print(f"handed in 已提交: {size:,}", markup=False)


def _cannot_tell(json_: bool, code: str, text: str) -> int:
    if json_:
        print_json({"verdict": "cannot_tell", "code": code, "en": text})
    click.echo(f"cannot tell 无法判断: {code}: {text}", err=True)
    return _CANNOT_TELL


def _end(json_: bool, code: str, text: str) -> NoReturn:
    sys.exit(_cannot_tell(json_, code, text))


__all__ = ["cli"]
