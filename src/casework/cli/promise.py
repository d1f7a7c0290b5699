"""`casework promise`: promises to pay, as they were made and what came of them."""

from pathlib import Path

import click

from casework.cli import lifecycle, looking
from casework.cli.agreed import import_file, importing, listed
from casework.cli.shell import as_json
from casework.money import yuan_text


@click.group()
def cli() -> None:
    """Promises to pay: record one, withdraw it, import those agreed elsewhere, list them.

    \b
    Examples:
      casework promise open --case 1207 --ground made --data amount_fen=50000 --data made_on=2026-03-09 \\
        --data pay_by=2026-03-12 --as S0012
      casework promise fire 204 withdraw --data reason=misheard --as S0012
      casework promise import promises.csv
      casework promise list --all
    """


for _command in looking.looking("promise"):
    cli.add_command(_command)
for _command in lifecycle.doing(
    "promise",
    child=True,
    opening="--case 1207 --ground made --data amount_fen=50000 --data made_on=2026-03-09 \\\n    "
    "--data pay_by=2026-03-12 --as S0012",
    event="204 withdraw --data reason=misheard --as S0012",
):
    cli.add_command(_command)


@cli.command("import")
@importing
def import_(*, file: Path, atomic: bool, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Take in FILE (CSV or XLSX): ref, loan_id, made_on, pay_by, amount in yuan, staff_no.

    A promise is known by its ref: the same row again changes nothing. What the rules would forbid here is a warning.

    \b
    Examples:
      casework promise import promises.csv
      casework promise import 承诺.xlsx --json
    """
    from casework.intake.feed.agreed import import_promises

    import_file(import_promises, "promises", file, json_=json_, atomic=atomic, dry_run=dry_run, mend=mend)


@cli.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that were judged too.")
@as_json
def list_(all_: bool, json_: bool) -> None:
    """Open promises in the order of their day; with --all the judged ones too. Not paged.

    \b
    Examples:
      casework promise list
      casework promise list --all --json
    """
    from casework.work.cases.lifecycles import PROMISES

    listed(
        PROMISES, "pay_by", every_one=all_, json_=json_,
        line=lambda one: {
            "id": one.id, "ref": one.ref, "loan_id": one.loan_id, "state": one.state,
            "outcome": one.state if one.judged_on else "open", "judged_on": one.judged_on, "because": one.because,
            "case_id": one.parent_id, "made_on": one.made_on, "pay_by": one.pay_by, "amount_fen": one.amount_fen,
            "counted_fen": one.received_fen,
        },
        headers=("no.", "reference", "loan", "case", "made on", "pay by", "¥", "received ¥", "state"),
        cells=lambda one, chart: (
            str(one.id), one.ref, one.loan_id, str(one.parent_id), str(one.made_on), str(one.pay_by),
            yuan_text(one.amount_fen), yuan_text(one.received_fen),
            f"{chart.state_named(one.state).zh} {one.judged_on or ''}",
        ),
    )  # fmt: skip
