"""What every command shares: opening the branch, who acts, telling mistakes in one line, printing JSON."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec
from rich.console import Console

from casework import ids
from casework.clock import now
from casework.codes import texts_of
from casework.errors import CallerError, RulesBroken, TryAgain
from casework.screen import in_json, on_screen

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.operation.startup import Started
    from casework.people.staff.actor import Actor
    from casework.work.cases.branch import Branch


class _Folded(click.ParamType[str]):
    """A staff number as ids are compared: full width and blanks around it make no difference."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 (the signature is click's)
        """The text, folded."""
        return ids.fold(str(value))


FOLDED = _Folded()
ALL: Final = 2**53
"""As a limit: as many as there are."""
Command = TypeVar("Command", bound=Callable[..., Any])


def as_option(
    name: str, whose: str = "Act as this member of staff (default: system)", *, required: bool = False
) -> Callable[[Command], Command]:
    """`--as`, which is taken on trust where CASEWORK_AS does not ask for a token."""
    help_ = f"{whose}; taken on trust, unless CASEWORK_AS=token (which trusts who has the keys)."
    return click.option("--as", name, type=FOLDED, required=required, metavar="STAFF_NO", help=help_)


as_staff = as_option("staff_no")
as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
# A pipe has no width of its own: wide enough that no table is cut.
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def told() -> Iterator[None]:
    """A caller's mistake, a broken rulebook or an unavailable database becomes one line on stderr and exit code 1."""
    try:
        yield
    except CallerError as mistake:
        _end(f"{mistake.code}: {mistake} / {mistake.zh}")
    except RulesBroken as broken:
        _end(*[f"rules_broken: {fault}" for fault in broken.faults])
    except TryAgain as busy:
        _end(f"{busy.code}: {busy} / {texts_of(busy.code)[0]}")


def _end(*lines: str) -> None:
    for line in lines:
        click.echo(on_screen(line, kept="\n"), err=True)
    sys.exit(1)


@contextmanager
def started(*, check: bool = True) -> "Iterator[Started]":
    """The branch that the environment names, closed at the end; mistakes are shown."""
    from casework.operation.startup import start
    from casework.settings import Settings

    with told():
        branch = start(Settings.from_environment(), check=check)
        try:
            yield branch
        finally:
            branch.engine.dispose()


def acting(conn: "Connection", branch: "Branch", staff_no: str | None) -> "Actor":
    """Who acts at the shell: the member of staff that `--as` names, or the service itself.

    CallerError `as_needs_token` where CASEWORK_AS asks for a token of theirs, and CASEWORK_TOKEN holds none.
    """
    from casework.people.staff.actor import system
    from casework.settings import Settings

    if staff_no is None:
        return system("cli")
    settings, today = Settings.from_environment(), branch.today(now())
    if not settings.as_needs_token:
        return branch.actor(conn, staff_no, "cli", today)
    from casework.people.identity.holding import holder_of  # most commands are taken on trust
    from casework.people.staff.tokens import hash_of, is_shaped

    holder, token = None, settings.token or ""
    if is_shaped(token):
        policy = branch.rulebook.policies.at(today)
        holder = holder_of(
            conn, hash_of(token), now(), branch.mac_key, today=today, policy=policy, answering=branch.answering
        )
    if holder is None or holder.actor.id != staff_no:
        raise CallerError("as_needs_token", staff_no=staff_no)
    return msgspec.structs.replace(holder.actor, via="cli")


def permitted(conn: "Connection", branch: "Branch", staff_no: str | None, command: str) -> "Actor":
    """Who acts, if they may do `command` of permissions.toml; CallerErrors post_not_permitted, key_not_permitted."""
    actor = acting(conn, branch, staff_no)
    branch.rulebook.permissions.require(actor, command)
    return actor


def as_typed() -> str:
    """What calls this program from where one stands: its name if that is on the PATH, else the way to it."""
    program = Path(sys.argv[0])
    if program.name != "casework":  # called from within: by tests, or with python -m
        return "casework"
    on_path = shutil.which("casework")
    if on_path is not None and Path(on_path).resolve() == program.resolve():
        return "casework"
    whole = program.absolute()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)


def print_json(value: Any) -> None:
    """One JSON document on stdout, indented, keys as given; safe to look at."""
    import msgspec

    click.echo(in_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def progress_wanted() -> bool:
    """Whether a person is watching stderr: progress there, silence in a pipe."""
    return sys.stderr.isatty()


def days_of(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    """The days of `--from` and `--to`; a mistake of usage where the last is before the first."""
    if first is not None and last is not None and last < first:
        raise click.BadParameter(f"{last.date()} is before {first.date()} 早于起始日期", param_hint="--to")
    return first.date() if first else None, last.date() if last else None
