"""`casework permit`: whether a contact may be made now, its number once dialling begins, what came of it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from casework.cli.contact_typed import result_of, tell_many
from casework.cli.several import GivenRows, atomic_option, from_option, right, rows_of
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.clock import now
from casework.instants import branch_text
from casework.intake.dialler.outcome import PermitOutcome
from casework.intake.dialler.typed import MOST
from casework.work.cases.filter import MAX_ID
from casework.work.contacts.contact import PARTIES, PURPOSES
from casework.work.gate.asking import OUTBOUND

_ID = click.IntRange(1, MAX_ID)
_COLUMNS = PermitOutcome.__struct_fields__
_NEEDED = ("permit_id", "result", "started_at")


@click.group()
def cli() -> None:
    """Permits: ask the gate before a contact is made, be shown its number, settle it by what came of it.

    \b
    Examples:
      casework permit ask 17 --party debtor --contact 9 --as S0012
      casework permit reveal 5501 --as S0012
      casework permit settle 5501 --result no_answer --started-at 2026-03-09T10:00:00+08:00 --as S0012
    """


@cli.command("ask")
@click.argument("case_id", type=_ID, metavar="CASE")
@click.option("--party", type=click.Choice(PARTIES), required=True, help="Who is to be contacted.")
@click.option("--channel", type=click.Choice(OUTBOUND), default="call", show_default=True)
@click.option("--purpose", type=click.Choice(PURPOSES), help="Demand where none is given, for a contact locate.")
@click.option("--contact", "contact_id", type=_ID, help="Its number in the contact book.")
@click.option("--phone", help="A number that is not in the book.")
@as_json
@as_staff
def ask_(*, json_: bool, staff_no: str | None, **wanted: Any) -> None:
    """Ask whether a contact may be made now for CASE, and reserve it for some minutes.

    Exit code 0 allowed, 1 not, with every reason and from when it no longer holds, 2 usage.

    \b
    Examples:
      casework permit ask 17 --party debtor --contact 9 --as S0012
      casework permit ask 17 --party contact --phone 12000000000 --json
    """
    from casework.storage.database import writing
    from casework.work.gate.asking import COMMAND, Wanted, decide

    with started() as open_:
        zone = open_.branch.time_zone
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            permit = decide(conn, open_.branch, actor, Wanted(**wanted), now())
    if json_:
        print_json(permit)
    elif permit.allowed:
        console.print(f"permit {permit.permit_id} 已许可{_at(' until 至 ', permit.expires_at, zone)}", markup=False)
    else:
        for why in permit.reasons:
            opens = _at("; allowed from 可联系时间 ", why.allowed_from, zone)
            console.print(f"{why.rule}: {why.en} / {why.zh}{opens}", markup=False, soft_wrap=True)
    raise SystemExit(0 if permit.allowed else 1)


def _at(before: str, instant: datetime | None, zone: str) -> str:
    return "" if instant is None else f"{before}{branch_text(instant, zone)}"


@cli.command("reveal")
@click.argument("permit_id", type=_ID, metavar="PERMIT")
@as_json
@as_staff
def reveal_(*, permit_id: int, json_: bool, staff_no: str | None) -> None:
    """Begin to dial: show PERMIT's number in clear, which is an entry; from now on it waits for its outcome.

    \b
    Examples:
      casework permit reveal 5501 --as S0012
      casework permit reveal 5501 --as S0012 --json
    """
    from casework.intake.dialler.dialling import dial
    from casework.work.gate.asking import COMMAND

    with started() as open_:
        branch, zone = open_.branch, open_.branch.time_zone
        begun = dial(
            open_.engine, branch, permit_id, lambda conn: permitted(conn, branch, staff_no, COMMAND), clock=now
        )  # fmt: skip
    if json_:
        print_json(begun)
    else:
        number = begun.phone or "no number on record 无登记号码"
        console.print(f"{number}{_at(', settle before 请于此前登记结果 ', begun.holds_until, zone)}", markup=False)


def _fields(command: Any) -> Any:
    """An option for each field of an outcome."""
    for name in reversed(_COLUMNS):
        if name != "permit_id":
            command = click.option(f"--{name.replace('_', '-')}", name)(command)
    return command


@cli.command("settle")
@click.argument("permit_id", required=False, metavar="PERMIT")
@_fields
@from_option(_COLUMNS, MOST)
@atomic_option
@as_json
@as_staff
def settle_(*, file: Path | None, atomic: bool, json_: bool, staff_no: str | None, **cells: str | None) -> None:
    """Record what came of PERMIT, or of some: a contact in the debtor's log, and the permit is used.

    Exit code 0 if all are recorded, 1 if one is not, 2 usage.

    \b
    Examples:
      casework permit settle 5501 --result no_answer --started-at 2026-03-09T10:00:00+08:00 --as S0012
      casework permit settle --from outcomes.csv --atomic --as S0012
    """
    import msgspec

    from casework.intake.dialler.outcome import record_outcomes
    from casework.intake.dialler.row import KNOWN
    from casework.storage.database import writing
    from casework.work.gate.asking import COMMAND

    given = rows_of(file, _COLUMNS, _NEEDED, MOST, KNOWN) if file else [{k: v for k, v in cells.items() if v}]
    reported, wrong = list[PermitOutcome](), list[str]()
    for at, row in enumerate(given):
        try:
            reported.append(msgspec.convert(row, PermitOutcome, strict=False))
        except msgspec.ValidationError as fault:
            wrong.append(f"line {given.line(at)}: {fault}" if isinstance(given, GivenRows) else str(fault))
    if wrong:
        raise click.UsageError(f"{'; '.join(wrong)} (PERMIT, --result and --started-at, or --from FILE)")
    with started() as open_:
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            pairs = [(one.permit_id, one) for one in reported]
            told = record_outcomes(conn, open_.branch, pairs, actor, now(), atomic=atomic)
        if file is None:
            right(result_of(told[0]))
    tell_many(told, json_=json_, rows=given)
