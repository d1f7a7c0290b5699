"""Cases as tables and lines for people."""

from typing import TYPE_CHECKING

import click

from casework.cli.shell import console
from casework.cli.tables import NONE, Table
from casework.codes import texts_of
from casework.instants import branch_text
from casework.money import yuan_text

if TYPE_CHECKING:
    from casework.evidence.list_acts import ListAct
    from casework.lifecycle.commands import Done, Outcome
    from casework.rules.statechart.chart import Chart
    from casework.work.cases.detail import CaseDetail
    from casework.work.cases.history import HistoryItem
    from casework.work.cases.line import CasePage
    from casework.work.cases.options import CaseOptions
    from casework.work.cases.shown import NounOptions


def person(staff_no: str, name: str | None) -> str:
    """Somebody as people say it: by name and number."""
    return f"{name} {staff_no}" if name else staff_no


def lines(page: "CasePage", chart: "Chart") -> None:
    """A page of a list."""
    from rich.markup import escape

    table = Table("Case", "Loan", "State", "DPD", "Bucket", "Overdue", "Owner", "Handler", "Team", box=None)
    for column in (0, 3, 5):
        table.columns[column].justify = "right"
    for line in page.items:
        state = chart.states.get(line.state)
        label = state.told(line.ended_as, "zh") if state else ""
        table.add_row(
            str(line.id), escape(line.loan_id), f"{line.state} {label}", str(line.days_past_due), line.bucket,
            yuan_text(line.overdue_fen), person(line.owner, line.owner_name),
            person(line.handler, line.handler_name), escape(line.team or ""),
        )  # fmt: skip
    console.print(table)
    if page.next:
        console.print(f"{len(page.items)} cases; more with --cursor {page.next}")
    else:
        console.print(f"{len(page.items)} cases")


def detail(case: "CaseDetail", items: "list[HistoryItem]", time_zone: str) -> None:
    """A case and its history, in branch time."""
    from rich.markup import escape

    console.print(f"[bold]Case {case.id}[/bold] of loan {escape(case.loan_id)}: {case.state} {case.state_zh}")
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in (
        ("version", case.version), ("borrower", case.borrower_id), ("institution", case.institution),
        ("business date", case.business_date), ("days past due", f"{case.days_past_due} ({case.bucket})"),
        ("overdue", yuan_text(case.overdue_fen)), ("outstanding", yuan_text(case.outstanding_principal_fen)),
        ("owner, handler", f"{person(case.owner, case.owner_name)}, {person(case.handler, case.handler_name)}"),
        ("team, region", f"{case.team or NONE}, {case.region or NONE}"),
        ("opened", f"{case.opened_on} for {case.opened_for} by {case.opened_by}"),
        ("next", f"{case.deadline_zh} / {case.deadline_en}"),
    ):  # fmt: skip
        facts.add_row(name, escape(str(value)))
    if case.half_lost:
        facts.add_row("reached", "half lost 半失联: somebody answers, the debtor does not 有人接听，本人未接")
    console.print(facts)
    history(items, time_zone)


def history(items: "list[HistoryItem]", time_zone: str) -> None:
    """The entries of a history."""
    from rich.markup import escape

    table = Table("No.", "Recorded", "What", "By", "From → to", "Rules", box=None)
    for item in items:
        moved = f"{item.from_state or ''} → {item.to_state}" if item.from_state != item.to_state else ""
        what = f"{item.event} {item.zh}" + "".join(f"\n{name}: {text}" for name, text in item.texts.items())
        if not item.mac_holds:
            what += "\nFORGED 伪造"
        if item.reason_code:
            what += f"\n{item.reason_code}"
        at = branch_text(item.recorded_at, time_zone)
        by = f"{item.actor} ({item.via})"
        table.add_row(str(item.seq), at, escape(what), by, moved, " ".join(item.rules))
    console.print(table)


def list_acts(acts: "list[ListAct]", time_zone: str) -> None:
    """What people did with a case's tasks; nothing where nobody did."""
    from rich.markup import escape

    if not acts:
        return
    table = Table("Entry", "Recorded", "What", "By", "Reason", box=None)
    for act in acts:
        at = branch_text(act.recorded_at, time_zone)
        what = f"{act.event} {act.zh}" + ("" if act.mac_holds else "\nFORGED 伪造")
        reason = f"{act.reason_code} {act.reason_zh or ''}".strip() if act.reason_code else ""
        table.add_row(act.entry_id, at, escape(what), f"{act.actor} ({act.via})", reason)
    console.print(table)


def options(offers: "CaseOptions | NounOptions", title: str) -> None:
    """What may be done next: first what may, then what may not and why. Events of other states are left out."""
    from rich.markup import escape

    console.print(f"[bold]{title}[/bold] {offers.state}, business date {offers.business_date}")
    possible = [offer for offer in offers.events if offer.leads_to]
    for offer in sorted(possible, key=lambda offer: not offer.allowed):
        mark = "[green]may    [/green]" if offer.allowed else "[red]may not[/red]"
        opens = f", from {offer.opens_on} on if nothing else changes" if offer.opens_on else ""
        console.print(f"{mark} [bold]{offer.event}[/bold] {offer.zh} → {', '.join(offer.leads_to)}{opens}")
        needs = ", ".join(field.name for field in offer.data if field.required)
        if needs:
            console.print(f"          with {needs}", soft_wrap=True)
        if offer.four_eyes is not None:
            console.print(f"          four eyes: {offer.four_eyes.topic}, asked for with `casework request ask`")
        if offer.request is not None:
            waiting = offer.request
            stuck = waiting.changed or waiting.void
            what = "can only be returned or withdrawn" if stuck else f"waits for {', '.join(waiting.missing)}"
            console.print(f"          request {waiting.id} by {waiting.asked_by} {what}")
        for reason in offer.reasons:
            console.print(escape(f"          {reason.code} ({' '.join(reason.rules)}): {reason.zh}"), soft_wrap=True)
            console.print(escape(f"          {' ' * len(reason.code)} {reason.en}"), soft_wrap=True)
    others = sum(not offer.leads_to for offer in offers.events)
    recordable = ", ".join(fact.kind for fact in offers.facts if fact.allowed)
    console.print(
        f"{others} events belong to other states. Facts you may record: {recordable or 'none'}", soft_wrap=True
    )


def done(outcome: "Done", chart: "Chart", word: str = "case") -> None:
    """What happened, in one line."""
    state = chart.state_named(outcome.state)
    console.print(
        f"{word} {outcome.id} is in {outcome.state} {state.zh}, version {outcome.version}, entry {outcome.entry_id}"
    )


def why_not(outcome: "Outcome", chart: "Chart | None" = None) -> None:
    """On stderr: every reason of a refusal, or every fault of the data; of another noun by its chart."""
    from casework.lifecycle.commands import Mistaken, Refused

    if isinstance(outcome, Refused):
        for reason in outcome.reasons:
            opens = f" [opens on {reason.opens_on}]" if reason.opens_on else ""
            _err(f"refused: {reason.code} ({' '.join(reason.rules)}): {reason.en}{opens} / {reason.zh}")
        return
    about = None if chart is None else {"zh": chart.zh, "en": chart.en.lower(), "opened": "开立"}
    zh, en = texts_of(outcome.code, about)
    at = f" (it is at version {outcome.version})" if isinstance(outcome, Mistaken) and outcome.version else ""
    _err(f"{outcome.code}: {en}{at if outcome.code == 'stale_version' else ''} / {zh}")
    for fault in outcome.faults if isinstance(outcome, Mistaken) else ():
        _err(f"  {fault.field}: {fault.en} / {fault.zh}")


def _err(line: str) -> None:
    click.echo(line, err=True)
