"""`casework template`: what a file of each kind looks like, to fill in."""

from pathlib import Path
from typing import Any

import click

from casework.cli.faults import write_private
from casework.cli.sheet_file import SheetFile
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table
from casework.intake.sheets.template import template, template_csv

_MADE = {".xlsx": template, ".csv": template_csv}


@click.command()
@click.argument("kind", required=False)
@click.option("-o", "--out", type=SheetFile(), metavar="PATH", help="The new .xlsx or .csv file.  [KIND.xlsx]")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of the headers.")
@as_json
def cli(kind: str | None, out: Path | None, lang: Any, *, json_: bool) -> None:
    """Write the template of a KIND of file: headers, an invented row, and a sheet that explains each column.

    A CSV has the headers and the row alone. Without KIND, the kinds that there are and how each is taken in.

    \b
    Examples:
      casework template
      casework template contact_records -o 催记.xlsx
    """
    from casework.intake.sheets.forms import forms_of

    with started() as open_:
        forms = forms_of(open_.branch)
    if kind is None:
        _list(forms.values(), json_=json_)
        return
    if kind not in forms:
        raise click.UsageError(f"KIND is one of {', '.join(forms)}")
    path = out or Path(f"{kind}.xlsx")
    write_private(path, _MADE[path.suffix.lower()](forms[kind], lang))
    console.print(f"{path}: {forms[kind].en} {forms[kind].zh}", markup=False, soft_wrap=True)


def _list(forms: Any, *, json_: bool) -> None:
    if json_:
        print_json([
            {"kind": one.word, "zh": one.zh, "en": one.en, "taken_in_by": f"casework {one.shell}",
             "columns": [column.name for column in one.columns]}
            for one in forms
        ])  # fmt: skip
        return
    table = Table("kind", "label", "command")
    for one in forms:
        table.add_row(one.word, f"{one.en} {one.zh}", f"casework {one.shell}")
    console.print(table)
