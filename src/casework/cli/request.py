"""`casework request`: what one person asks for, another reviews and a third approves."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from casework.cli.given import data_json_option, data_option, given
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.work.four_eyes.listing import MAX_PAGE, MINE, OPEN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.people.staff.actor import Actor
    from casework.rules.statechart.decide import Reason
    from casework.work.cases.branch import Branch
    from casework.work.cases.options import ReasonOffer
    from casework.work.four_eyes.listing import RequestDetail
    from casework.work.four_eyes.requests import Asked, Moved, Refused


_id = click.argument("request_id", type=click.IntRange(1, 2**53 - 1), metavar="ID")
_remark = click.option("--remark", metavar="TEXT", help="What you want to say; kept sealed, outside the log.")
_version = click.option("--version", type=int, help="Refuse unless it still is at this version.")


@click.group()
def cli() -> None:
    """Four eyes: ask, look, review, approve, return, withdraw. Proposer, reviewer and approver are three people.

    A deputy counts as the one they deputise for. What was asked for happens in the moment of its approval, if every
    guard still holds and nothing that matters has changed since. Exit codes: 0 done; 1 refused, with every reason.

    \b
    Examples:
      casework request list --as S0007
      casework request ask case:1207 sue --data claim_fen=5230000 --as S0012
      casework request review 3 --as S0007
      casework request approve 3 --as S0009
    """


@cli.command("list")
@click.option("--mine", "box", flag_value=MINE, help="What you asked for.  [default: what waits for your decision]")
@click.option("--open", "box", flag_value=OPEN, help="All open ones that you may see (the default without --as).")
@click.option("--subject", metavar="SUBJECT", help="Every request of one subject, such as case:1207.")
@click.option("--after", type=click.IntRange(0), default=0, help="`next` of the page before.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=50, show_default=True)
@as_json
@as_staff
def list_(*, box: str | None, subject: str | None, after: int, limit: int, json_: bool, staff_no: str | None) -> None:
    """List requests, the oldest first.

    \b
    Examples:
      casework request list --as S0007
      casework request list --mine --as S0012
      casework request list --open --as S0017
      casework request list --subject case:1207 --json
    """
    from casework.storage.database import reading
    from casework.work.four_eyes.listing import INBOX, request_list

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, open_.branch, staff_no, "request.read")
        box = box or (OPEN if staff_no is None else INBOX)  # the service itself decides nothing
        page = request_list(conn, open_.branch, actor, box=box, subject=subject, after=after, limit=limit)
    if json_:
        print_json(page)
        return
    table = Table("id", "subject", "what", "state", "asked by", "on", "until", "waits for", "to weigh")
    for line in page.items:
        waits = "returned or withdrawn only" if line.changed or line.void else ", ".join(line.missing)
        table.add_row(
            str(line.id), line.subject, f"{line.what} {line.what_zh}", line.state, line.asked_by, str(line.asked_on),
            str(line.expires_on), waits, "; ".join(f"{flag.zh} {flag.en}" for flag in line.flags),
        )  # fmt: skip
    console.print(table)
    if page.next is not None:
        console.print(f"more: --after {page.next}")


@cli.command()
@_id
@as_json
@as_staff
def show(request_id: int, json_: bool, staff_no: str | None) -> None:
    """Show a request: what it asks for, who has decided what, and what you may do next or why not.

    \b
    Examples:
      casework request show 3 --as S0007
      casework request show 3 --json
    """
    from casework.storage.database import reading
    from casework.work.four_eyes.listing import request_detail

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, open_.branch, staff_no, "request.read")
        found = request_detail(conn, open_.branch, actor, request_id)
    print_json(found) if json_ else _show(found)


@cli.command()
@click.argument("subject")
@click.argument("what")
@data_option
@data_json_option
@click.option("--version", type=int, help="Refuse unless the case still is at this version.")
@as_json
@as_staff
def ask(
    *, subject: str, what: str, pairs: tuple[str, ...], data_json: str | None, version: int | None, json_: bool,
    staff_no: str | None,
) -> None:  # fmt: skip
    """Ask for WHAT of SUBJECT: an event (of case:ID, promise:ID, hold:ID), or a post for somebody (staff:NO).

    \b
    Examples:
      casework request ask case:1207 sue --data claim_fen=5230000 --as S0012
      casework request ask staff:S0031 phone_collector --data from_on=2026-04-01 --as S0001
    """
    from casework.storage.database import writing
    from casework.work.four_eyes import requests
    from casework.work.four_eyes.events import event_of
    from casework.work.requests import EVENT

    kind = "post" if subject.startswith("staff:") else EVENT
    with started() as open_, writing(open_.engine) as conn:
        spec = event_of(open_.branch, subject, what) if kind == EVENT else None
        data = given(spec.fields if spec else {}, pairs, data_json)
        actor = permitted(conn, open_.branch, staff_no, "request.ask")
        told = requests.ask(
            conn, open_.branch, actor=actor, kind=kind, subject=subject, what=what, data=data, version=version
        )
    _tell(told, json_=json_)


@cli.command()
@_id
@_remark
@_version
@as_json
@as_staff
def review(request_id: int, remark: str | None, version: int | None, json_: bool, staff_no: str | None) -> None:
    """Say that a request may go to the approver.

    \b
    Example:
      casework request review 3 --as S0007
    """
    from casework.work.four_eyes import requests

    _decide("request.decide", staff_no, json_, lambda conn, branch, actor: requests.review(
        conn, branch, request_id, actor=actor, remark=remark, version=version))  # fmt: skip


@cli.command()
@_id
@_remark
@_version
@as_json
@as_staff
def approve(request_id: int, remark: str | None, version: int | None, json_: bool, staff_no: str | None) -> None:
    """Approve a request: what it asks for happens at once.

    \b
    Example:
      casework request approve 3 --remark 同意 --as S0009
    """
    from casework.work.four_eyes import requests

    _decide("request.decide", staff_no, json_, lambda conn, branch, actor: requests.approve(
        conn, branch, request_id, actor=actor, remark=remark, version=version))  # fmt: skip


@cli.command("return")
@_id
@click.option("--reason", required=True, metavar="CODE", help="A code of the chart: casework chart show request.")
@_remark
@_version
@as_json
@as_staff
def return_(
    request_id: int, reason: str, remark: str | None, version: int | None, json_: bool, staff_no: str | None
) -> None:
    """Return a request to who asked, who may ask anew.

    \b
    Example:
      casework request return 3 --reason evidence_missing --as S0007
    """
    from casework.work.four_eyes import requests

    _decide("request.decide", staff_no, json_, lambda conn, branch, actor: requests.send_back(
        conn, branch, request_id, actor=actor, reason=reason, remark=remark, version=version))  # fmt: skip


@cli.command()
@_id
@_remark
@_version
@as_json
@as_staff
def withdraw(request_id: int, remark: str | None, version: int | None, json_: bool, staff_no: str | None) -> None:
    """Withdraw a request of your own.

    \b
    Example:
      casework request withdraw 3 --as S0012
    """
    from casework.work.four_eyes import requests

    _decide("request.ask", staff_no, json_, lambda conn, branch, actor: requests.withdraw(
        conn, branch, request_id, actor=actor, remark=remark, version=version))  # fmt: skip


def _decide(
    command: str, staff_no: str | None, json_: bool, act: "Callable[[Connection, Branch, Actor], Moved | Refused]"
) -> None:
    from casework.storage.database import writing

    with started() as open_, writing(open_.engine) as conn:
        told = act(conn, open_.branch, permitted(conn, open_.branch, staff_no, command))
    _tell(told, json_=json_)


def _tell(told: "Asked | Moved | Refused", *, json_: bool) -> None:
    """What became of it; a refusal is committed by now, for its entry must survive."""
    import msgspec
    from rich.markup import escape

    from casework.work.four_eyes.requests import Asked, Moved, Refused

    if json_:
        print_json({"outcome": type(told).__name__.lower(), **msgspec.to_builtins(told)})
    if isinstance(told, Refused):
        for reason in told.reasons:
            errors.print(_why(reason), markup=False, soft_wrap=True)
        raise SystemExit(1)
    if json_:
        return
    for flag in told.flags:
        console.print(escape(f"to weigh: {_said(flag)}"), soft_wrap=True)
    after = f", open through {told.expires_on}" if isinstance(told, Asked) else ""
    if isinstance(told, Moved) and told.carried_out is not None:
        after = f", carried out as {told.carried_out}"
    console.print(f"request {told.request_id} is {told.state}{after}, entry {told.entry_id}")


def _why(reason: "Reason") -> str:
    return f"refused: {_said(reason)}"


def _said(reason: "Reason | ReasonOffer") -> str:
    return f"{reason.code} ({' '.join(reason.rules)}): {reason.en} / {reason.zh}"


def _show(found: "RequestDetail") -> None:
    from rich.markup import escape

    line = found.request
    console.print(
        f"[bold]Request {line.id}[/bold] {line.what_zh} {line.what} of {line.subject}: {line.state_zh} {line.state}"
    )
    console.print(
        f"topic {line.topic_zh} {line.topic}, asked by {_who(line.asked_by, line.asked_for)} on {line.asked_on}"
    )
    if line.reviewed_by is not None:
        console.print(f"reviewed by {_who(line.reviewed_by, line.reviewed_for)}")
    if line.decided_by is not None:
        console.print(f"{line.state} by {_who(line.decided_by, line.decided_for)}")
    if line.open:
        console.print(f"open through {line.expires_on}, waits for {', '.join(line.missing)}")
    if line.changed or line.void:
        console.print("its subject has changed since: it can only be returned or withdrawn / 所涉事项已变化")
    for flag in line.flags:
        console.print(escape(f"to weigh: {_said(flag)}"), soft_wrap=True)
    for name, value in found.data.items():
        console.print(escape(f"  {name}: {value}"), soft_wrap=True)
    for step in found.options:
        mark = "[green]may    [/green]" if step.allowed else "[red]may not[/red]"
        console.print(f"{mark} [bold]{step.event}[/bold] {step.zh} (posts: {', '.join(step.posts)})")
        for reason in step.reasons:
            console.print(escape(f"          {reason.code}: {reason.en} / {reason.zh}"), soft_wrap=True)


def _who(staff_no: str, principal: str | None) -> str:
    return staff_no if principal is None else f"{staff_no} for {principal}"
