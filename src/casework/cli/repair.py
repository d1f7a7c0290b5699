"""`casework repair`: information repairs: sources tried, and what was found into the contact book."""

import click

from casework.cli import lifecycle, looking
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.intake.contact_book.adding import ADDRESS_KINDS, RELATIONS
from casework.work.contacts.contact import PARTIES


@click.group()
def cli() -> None:
    """Information repairs: start one, try sources one by one, say what was found or that nothing was.

    \b
    Examples:
      casework repair open --case 1207 --ground started --data because=lost_contact --as S0012
      casework repair fire 31 try_source --data source=court --as S0012
      casework repair found 31 --role debtor --phone 12000000000 --source liable_person --legal-basis contract
      casework repair fire 31 find_nothing --as S0012
      casework repair sources
    """


for _command in (
    *looking.looking("repair"),
    looking.list_of("repair"),
    *lifecycle.doing(
        "repair",
        child=True,
        opening="--case 1207 --ground started --data because=lost_contact --as S0012",
        event="31 try_source --data source=court --as S0012",
    ),
):
    cli.add_command(_command)


@cli.command("found")
@click.argument("number", type=int)
@click.option("--role", type=click.Choice(PARTIES), required=True, help="Who is reached there.")
@click.option("--source", required=True, help="A code of `casework repair sources`.")
@click.option("--legal-basis", required=True, help="A ground that the source has there.")
@click.option("--phone")
@click.option("--address")
@click.option("--address-kind", type=click.Choice(ADDRESS_KINDS))
@click.option("--name", help="Whose it is.")
@click.option("--relation", type=click.Choice(RELATIONS))
@as_json
@as_staff
def found_(
    *, number: int, role: str, source: str, legal_basis: str, json_: bool, staff_no: str | None, **more: str | None
) -> None:
    """Enter what repair NUMBER found in the contact book and end the repair, both or neither.

    What is in the book already, or was refused (X6), is no finding. Exit code 1: refused; 2: usage.

    \b
    Example:
      casework repair found 31 --role debtor --phone 12000000000 --source liable_person \\
        --legal-basis contract --as S0012
    """
    from casework.intake.contact_book.adding import Finding
    from casework.intake.contact_book.repairing import find
    from casework.storage.database import writing
    from casework.work.cases.repairing import REPAIRS

    found = Finding(role=role, source=source, legal_basis=legal_basis, **more)
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, f"{REPAIRS.word}.event")
        outcome = find(conn, open_.branch, actor, number, found)
    raise SystemExit(lifecycle.tell(outcome, REPAIRS, open_.branch.rulebook.charts[REPAIRS.chart], json_=json_))


@cli.command("sources")
@as_json
@as_staff
def sources_(*, json_: bool, staff_no: str | None) -> None:
    """Show the lawful sources with their grounds, and those that are refused, with the law.

    \b
    Example:
      casework repair sources
    """
    from casework.storage.database import reading
    from casework.work.cases.repairing import REPAIRS

    with started() as open_:
        with reading(open_.engine) as conn:
            permitted(conn, open_.branch, staff_no, f"{REPAIRS.word}.sources")
        sources = open_.branch.rulebook.sources
    lawful, unlawful = sources.lawful.values(), sources.unlawful.values()
    if json_:
        print_json(
            {
                "table": sources.title,
                "sources": [{"code": one.code, "zh": one.zh, "en": one.en, "bases": list(one.bases)} for one in lawful],
                "unlawful": [
                    {"code": one.code, "zh": one.zh, "en": one.en, "law_zh": one.law_zh, "law_en": one.law_en}
                    for one in unlawful
                ],
            }
        )
        return
    table = Table("source\n来源", "what\n说明", "grounds, or why not\n合法依据，或不得使用的法律", box=None)
    for one in lawful:
        table.add_row(one.code, f"{one.en}\n{one.zh}", ", ".join(one.bases))
    for barred in unlawful:
        table.add_row(barred.code, f"{barred.en}\n{barred.zh}", f"{barred.law_en}\n{barred.law_zh}")
    console.print(table)
