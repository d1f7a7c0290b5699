"""`casework disposal`: judicial disposal forms: what is known already, drawing one up, its review, on paper."""

from pathlib import Path

import click

from casework.cli import lifecycle, looking
from casework.cli.ledger import write_out
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.clock import now


@click.group()
def cli() -> None:
    """Judicial disposal forms (5.2): drawn up by who works the case, accepted by somebody else, or returned.

    \b
    Examples:
      casework disposal prefilled 1207 --as S0012 --json
      casework disposal open --case 1207 --ground drawn_up --data-json FORM --as S0012
      casework disposal fire 31 accept --as S0031
      casework disposal form 31 form.xlsx --as S0012
    """


for _command in (
    *looking.looking("disposal"),
    looking.list_of("disposal"),
    *lifecycle.doing(
        "disposal", child=True, opening="--case 1207 --ground drawn_up --data-json FORM --as S0012",
        event="31 send_back --data reason=limitation --as S0031",
    ),
):  # fmt: skip
    cli.add_command(_command)


@cli.command("prefilled")
@click.argument("case_id", type=int)
@as_json
@as_staff
def prefilled_(*, case_id: int, json_: bool, staff_no: str | None) -> None:
    """Show what a form would say of CASE_ID: amounts of the newest snapshot, limitation, what was tried.

    \b
    Example:
      casework disposal prefilled 1207 --json
    """
    from casework.evidence.disposal_form import prefilled
    from casework.storage.database import reading, writing
    from casework.work.cases.disclosure import record_read
    from casework.work.cases.lifecycles import CASES, DISPOSALS
    from casework.work.cases.shown import seen

    with started() as open_:
        branch = open_.branch
        with reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, branch, staff_no, f"{DISPOSALS.word}.open")
            case = seen(conn, branch, CASES, actor, case_id, branch.today(now()))[0]
            known = prefilled(conn, branch, actor, case)
        if known.customer is not None:
            with writing(open_.engine) as conn:
                record_read(conn, branch, actor, [case.customer], {"name"})
    if json_:
        print_json(known)
        return
    for name, value in known.data.items():
        console.print(f"{name}={value}", markup=False)


@cli.command("form")
@click.argument("number", type=int)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_staff
def form_(*, number: int, file: Path, staff_no: str | None) -> None:
    """Write form NUMBER to FILE as a workbook to be signed; that is an entry itself.

    \b
    Example:
      casework disposal form 31 form.xlsx --as S0012
    """
    from casework.evidence.disposal_form import form_file
    from casework.storage.database import writing
    from casework.work.cases.lifecycles import DISPOSALS

    with started() as open_:
        branch = open_.branch
        with writing(open_.engine) as conn:
            actor = permitted(conn, branch, staff_no, f"{DISPOSALS.word}.read")
            body = form_file(conn, branch, actor, number, branch.today(now()))
        write_out(file, body)
    console.print(f"form {number} in {file}", markup=False)
