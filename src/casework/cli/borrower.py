"""`casework borrower`: personal data in clear, for a purpose."""

from typing import TYPE_CHECKING

import click

from casework.cli.given import institution_option
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now

if TYPE_CHECKING:
    from casework.intake.feed.reveal import ClearBorrower


@click.group()
def cli() -> None:
    """Borrowers: be shown their data in clear, with a purpose and an entry in the log.

    \b
    Example:
      casework borrower reveal B000731 --field name --field phone --purpose collection --as S0012
    """


@cli.command("reveal")
@click.argument("borrower_id")
@click.option("--field", "fields", multiple=True, required=True, help="A field of permissions.toml; may be repeated.")
@click.option("--purpose", required=True, metavar="CODE", help="What for: a purpose of permissions.toml.")
@institution_option
@click.option("--contact", "contact_ids", multiple=True, type=int, help="Of this contact only; may be repeated.")
@as_json
@as_staff
def reveal_(
    *, borrower_id: str, fields: tuple[str, ...], purpose: str, institution: str | None,
    contact_ids: tuple[int, ...], json_: bool, staff_no: str | None,
) -> None:  # fmt: skip
    """Show fields of BORROWER_ID in clear. The entry `personal.revealed` is committed before anything is shown.

    \b
    Examples:
      casework borrower reveal B000731 --field name --field phone --purpose collection --as S0012
      casework borrower reveal B000731 --field id_number --purpose judicial --as S0031 --json
      casework borrower reveal B000731 --institution wuhan --field name --purpose collection --as S0012
    """
    from casework.intake.feed.customers import customer_named
    from casework.intake.feed.reveal import reveal
    from casework.storage.database import writing
    from casework.work.cases.sight import reach_of

    with started() as open_:
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, "borrower.reveal")
            within = reach_of(open_.branch, actor, "borrower.reveal", open_.branch.today(now()))
            customer = customer_named(conn, borrower_id, institution, within=within)
            found = reveal(
                conn, open_.branch, customer, fields, contact_ids or None, actor=actor, within=within,
                purpose=purpose,
            )  # fmt: skip
        shown = found.open(open_.branch.vault)
    if json_:
        print_json(shown)
    else:
        _print(shown)


def _print(shown: "ClearBorrower") -> None:
    table = Table(box=None, show_header=False)
    table.add_row("borrower", shown.borrower_id)
    table.add_row("institution", shown.institution)
    for name in ("name", "id_number"):
        if value := getattr(shown, name):
            table.add_row(name, value)
    if shown.erased_on is not None:
        table.add_row("erased 已删除", shown.erased_on.isoformat())
    for contact in shown.contacts:
        told = "  ".join(value for value in (contact.name, contact.phone, contact.address) if value)
        table.add_row(f"contact {contact.id}", told)
    console.print(table)
