"""Hand-overs for people: lists, a plan with its preview, what was done."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Column

from casework.cli.shell import console
from casework.cli.tables import Table
from casework.money import yuan_text

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch
    from casework.work.handover.applying import Applied
    from casework.work.handover.approving import Approved
    from casework.work.handover.preview import Carried, Preview, Receiving
    from casework.work.handover.queries import Handover, HandoverPage


def lines(page: "HandoverPage") -> None:
    """A page of hand-overs."""
    table = Table("id", "of", "kind", "status", "on", "cases", "unplaced", "overdue yuan", "planned by", "replaced by")
    for one in page.items:
        table.add_row(
            str(one.id), one.staff_no, one.kind, one.status, one.effective_on.isoformat(), f"{one.cases:,}",
            str(one.unplaced or ""), yuan_text(one.overdue_fen), one.planned_by, str(one.replaced_by or ""),
        )  # fmt: skip
    console.print(table)
    if page.next is not None:
        console.print(f"more: --before {page.next}")


def plan(found: "Handover", branch: "Branch") -> None:
    """A plan with its preview."""
    from casework.work.handover.preview import REASONS

    shown = found.preview
    where = f" to {found.team or ''} {found.region or ''}".rstrip() if found.kind == "transfer" else ""
    console.print(
        f"hand-over {found.id}: {found.kind} of {found.staff_no}{where} on {found.effective_on}, {found.status}"
        f" (planned by {found.planned_by}{f', replaced by {found.replaced_by}' if found.replaced_by else ''})"
    )
    console.print(f"{shown.cases:,} cases, {yuan_text(shown.overdue_fen)} yuan overdue" + _states(shown, branch))
    if shown.by_state.keys() - branch.rulebook.chart.groups["live"]:  # or “5 cases, 0 → 2” would look wrong
        console.print("settled cases move too, in case a payment is reversed; they count towards nobody's open cases")
    if shown.stays:
        console.print(f"{shown.stays:,} cases lie in their new territory, or are bound to none, and stay with them")
    if shown.receivers:
        console.print(_receivers(shown.receivers, branch))
    for code, count in shown.unplaced_by_reason.items():
        zh, en = REASONS.get(code, (code, code))
        some = ", ".join(str(one.case_id) for one in shown.unplaced_cases if one.reason == code)
        console.print(f"cannot be placed: {count:,} cases, {en} / {zh} (cases {some})")
    _ending(shown)
    _next(found)


def _states(shown: "Preview", branch: "Branch") -> str:
    states = branch.rulebook.chart.states
    told = ", ".join(
        f"{states[name].zh if name in states else name} {count:,}" for name, count in shown.by_state.items()
    )
    return f": {told}" if told else ""


def _receivers(receivers: "Iterable[Receiving]", branch: "Branch") -> Table:
    # Chinese has no blanks to break at: folded, or it would be cut.
    by_rule, carries = Column("by rule", overflow="fold"), Column("carries", overflow="fold")
    table = Table("receiver", "cases", "overdue yuan", "principal yuan", by_rule, "open before → after / most", carries)
    rules = branch.rulebook.owners
    for one in receivers:
        by = ", ".join(f"{rules.labels(name)[0]} {count:,}" for name, count in one.by_rule.items())
        table.add_row(
            one.receiver, f"{one.cases:,}", yuan_text(one.overdue_fen), yuan_text(one.outstanding_principal_fen), by,
            f"{one.open_before:,} → {one.open_after:,} / {one.capacity:,}", "\n".join(map(_carried, one.carried)),
        )  # fmt: skip
    return table


def _carried(one: "Carried") -> str:
    return f"{one.zh} {one.cases:,}" + (f"，最早 {one.earliest}" if one.earliest else "")


def _ending(shown: "Preview") -> None:
    ending = shown.ending
    told = [
        f"{len(ending.proposals)} pending proposals of theirs are returned" if ending.proposals else "",
        f"{ending.on_his_cases} requests of others about these cases wait on" if ending.on_his_cases else "",
        f"they deputise for {', '.join(ending.deputises_for)}" if ending.deputises_for else "",
        f"{', '.join(ending.deputies)} deputises for them" if ending.deputies else "",
        f"{ending.tokens} tokens and {ending.sessions} sessions" if ending.tokens or ending.sessions else "",
        f"posts: {', '.join(ending.posts)}" if ending.posts else "",
        f"programs stop, unless somebody else gets a key: {', '.join(ending.programs)}" if ending.programs else "",
    ]
    for line in filter(None, told):
        console.print(f"  · {line}")


def _next(found: "Handover") -> None:
    if found.status == "approved":
        console.print(f"approved; from {found.effective_on} on: casework handover apply {found.id}")
    elif found.status == "planned" and found.request is not None and found.request.state in ("asked", "reviewed"):
        console.print(
            f"waits for approval until {found.request.expires_on}: casework handover approve {found.id} --as …"
        )
    elif found.status == "planned":
        console.print("is not asked for: plan again once everything can be placed, or after a return")


def done(outcome: "Approved | Applied") -> None:
    """What an approval or an application did."""
    from casework.work.handover.approving import Approved

    if isinstance(outcome, Approved):
        console.print(f"hand-over {outcome.handover} is approved ({outcome.entry_id})")
        return
    told = ", ".join(f"{receiver} {count:,}" for receiver, count in outcome.receivers.items())
    console.print(
        f"hand-over {outcome.handover} is applied: {outcome.cases:,} cases moved ({told}); {outcome.entry_id}"
    )
    console.print(
        f"{outcome.access_ended} tokens, sessions and codes ended; {len(outcome.returned)} proposals returned"
    )
