"""The root command; groups are imported only when they are asked for, so that `--help` stays quick."""

import importlib

import click

_GROUPS = {
    "db": "schema, backup, restore",
    "chart": "check, draw and show the statecharts",
    "staff": "the register: people, posts, leave, keys",
    "feed": "the core-banking feed",
    "institution": "whose feeds are taken",
    "case": "cases and what may happen to them",
    "borrower": "personal data in clear, for a purpose",
    "promise": "promises to pay, and what came of them",
    "hold": "why debtors are left in peace, and until when",
    "contact": "contacts with debtors, and what was against the gate",
    "request": "what takes four eyes: ask, review, approve",
    "privacy": "legal holds, and erasing a borrower's data",
    "permissions": "who may do what, and is shown what",
    "handover": "departures and transfers",
    "sweep": "fire what days alone have made due",
    "audit": "the verifiable log",
    "keys": "the key that signs the log",
    "witness": "watch a log from another machine",
    "demo": "a generated branch to look at",
    "serve": "the API",
}


class _Lazy(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_GROUPS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _GROUPS:
            return None
        command: click.Command = importlib.import_module(f"casework.cli.{cmd_name}").cli
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_GROUPS.items()))


@click.command(cls=_Lazy)
@click.version_option(package_name="casework")
def main() -> None:
    """Work a lender's overdue loans: charts decide, one door changes, a verifiable log remembers.

    The database is named by CASEWORK_DATABASE_URL (default: sqlite:///casework.db in this folder).

    \b
    Examples:
      casework db upgrade
      casework feed import feeds/2026-03-01
      casework case list --state lost_contact
      casework audit verify
    """
