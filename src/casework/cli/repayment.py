"""`casework repayment`: repayments that the branch learns of during the day."""

from pathlib import Path

import click

from casework.cli.agreed import import_file, importing


@click.group()
def cli() -> None:
    """Repayments of the day: on the books at once, not only with the night's feed.

    \b
    Examples:
      casework repayment import repayments-2026-03-09-1400.csv
    """


@cli.command("import")
@importing
def import_(*, file: Path, atomic: bool, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Take in FILE (CSV in UTF-8 or GB18030, or XLSX; the feed's columns, in English or Chinese).

    A payment is known by its payment_id: the same row again changes nothing, here or in the night's feed. A bad row is
    set aside with line, column and reason; mended, it can be fed again. Exit code 0 done, 1 refused, 2 usage.

    \b
    Examples:
      casework repayment import repayments-2026-03-09-1400.csv
      casework repayment import 还款.xlsx --json
    """
    from casework.intake.feed.daytime import import_repayments

    import_file(import_repayments, "repayments", file, json_=json_, atomic=atomic, dry_run=dry_run, mend=mend)
