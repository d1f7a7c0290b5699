"""The root command; groups are imported only when they are asked for, so that `--help` stays quick."""

import codecs
import contextlib
import errno
import gc
import importlib
import io
import json
import os
import sys
from typing import Any, NoReturn

import click

from casework.storage.garbage import seldom_collected

_GROUPS = {
    "db": "schema, backup, restore",
    "chart": "check, draw and show the statecharts",
    "staff": "the register: people, posts, leave, keys",
    "program": "keys of programs, and who answers for each",
    "feed": "the core-banking feed",
    "institution": "whose feeds are taken",
    "case": "cases and what may happen to them",
    "borrower": "personal data in clear, for a purpose",
    "contact": "what happened between collectors and debtors, and what was against the gate",
    "permit": "ask before a contact is made, be shown its number, say what came of it",
    "promise": "promises to pay, and what came of them",
    "disposal": "judicial disposal forms: drawn up, reviewed, on paper",
    "repair": "information repairs: sources tried, and what was found",
    "repayment": "repayments of the day, before the feed brings them",
    "visit": "visits: ordered, made by two, reported, reviewed; which are due",
    "hold": "why debtors are left in peace, and until when",
    "request": "what takes four eyes: ask, review, approve",
    "privacy": "legal holds, and erasing a borrower's data",
    "permissions": "who may do what, and is shown what",
    "handover": "departures and transfers",
    "duty": "what each case is owed on a day",
    "task": "task lists of a morning",
    "day": "17:00: what each person did, handing it in, who could not be repaired, the daily report",
    "ledger": "the collection ledger of a day, as a workbook",
    "roster": "who has which shift, and who answers for who is off",
    "calendar": "working days, and a year that nobody knows yet",
    "template": "what a file of each kind looks like, to fill in",
    "outage": "days on which something was out",
    "distribute": "who works on which case, each morning",
    "morning": "give out the cases and make the lists of a morning",
    "sweep": "fire what days alone have made due",
    "audit": "the verifiable log",
    "keys": "the key that signs the log",
    "witness": "watch a log from another machine",
    "demo": "a generated branch to look at",
    "serve": "the pages and the API",
}


class _Lazy(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*_GROUPS, *_others()]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _GROUPS:
            command: click.Command = importlib.import_module(f"casework.cli.{cmd_name}").cli
            return command
        noun = _others().get(cmd_name)
        return None if noun is None else importlib.import_module("casework.cli.lifecycle").group(noun)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """The command; an error of the file system that it met is one line with place and cause."""
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                sys.stdout.flush()  # into a file on a full disk: said now, not once nobody can say anything
        except OSError as error:
            if error.errno == errno.EPIPE:  # click's: whoever read has gone
                raise
            _end_of_file(error)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*_GROUPS.items(), *((name, _about(noun)) for name, noun in _others().items())])


def _end_of_file(error: OSError) -> NoReturn:
    place = f"{error.filename}: " if error.filename else ""
    cause = error.strerror or type(error).__name__
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what could not be written is not tried again
    click.echo(f"file_failed: {place}{cause} / 文件无法读写：{place}{cause}", err=True)
    ended = error.__context__  # a command that had said by its code how it went goes on saying so
    sys.exit(ended.code if isinstance(ended, SystemExit) and ended.code else 1)


def _others() -> dict[str, Any]:
    """The nouns that have no file here: all that they can do is made from their charts."""
    nouns: Any = importlib.import_module("casework.work.cases.nouns").NOUNS  # without a database
    return {noun.word: noun for noun in nouns if noun.word not in _GROUPS}


def _about(noun: Any) -> str:
    about = str(noun.subject.__doc__).splitlines()[0].partition(";")[0].rstrip(".")  # behind it are fields
    return about[0].lower() + about[1:]


def escape_what_the_terminal_lacks() -> None:
    """Print what a terminal's encoding (GBK) lacks as its JSON escape: no command dies of it, and JSON stays JSON."""
    codecs.register_error("json_escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json_escape")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


@click.command(cls=_Lazy)
@click.version_option(package_name="casework")
def main() -> None:
    """Work a lender's overdue loans: charts decide, one door changes, a verifiable log remembers.

    The database is named by CASEWORK_DATABASE_URL (default: sqlite:///casework.db in this folder). Who has the shell
    and the keys acts for anybody: --as is taken on trust, unless CASEWORK_AS=token. That, too, trusts who holds the
    keys folder: they act as the service without --as, and can set it anew.

    \b
    Examples:
      casework db upgrade
      casework feed import feeds/2026-03-01
      casework case list --state lost_contact
      casework audit verify
    """
    escape_what_the_terminal_lacks()


def run() -> None:
    """What a process begins with that runs one command.

    What it imports stays until it ends: looked through for circles again and again, and once more at the end, it costs
    a third of a short command.
    """
    with seldom_collected():
        try:
            main()
        finally:
            gc.freeze()  # before the collector is as it was: else it begins with all that was imported
