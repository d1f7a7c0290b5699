"""`casework contact`: what happened between collectors and debtors."""

import click

from casework.cli.breaches import breaches_


@click.group()
def cli() -> None:
    """Contacts with debtors.

    \b
    Examples:
      casework contact breaches --from 2026-03-01
    """


cli.add_command(breaches_)
