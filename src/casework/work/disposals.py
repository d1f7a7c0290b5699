"""A judicial disposal form (司法处置表): what a lawyer needs before anybody sues, drawn up and reviewed (5.2). Pure.

A child of the case, which learns whether one is filed or accepted. Its chart is `statecharts/disposal.toml`. Addresses
for service, assets and collateral are texts: sealed beside the log, shown to who may see the case.
"""

from datetime import date, datetime
from typing import Annotated, Final

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect
RETURNED: Final = "returned"
"""How a case is told that its form was sent back: none stands until it is corrected."""
_AMOUNTS: Final = ("principal_fen", "interest_fen", "penalty_fen")


class Disposal(Child):
    """What is owed since when, secured and proven by what, where one may sue until when, what was tried, what to do."""

    loan_id: str
    proposal: str
    contract_no: str
    overdue_since: date
    principal_fen: int
    interest_fen: int
    penalty_fen: int
    security: str
    has_contract: bool
    has_disbursement: bool
    has_statement: bool
    has_demand: bool
    service_agreed: bool
    jurisdiction: str
    limitation_ends_on: date
    calls: int
    visits: int
    promises_broken: int
    filed_at: Annotated[datetime | None, Label("提交时间", "Filed at")] = None
    corrected_on: Annotated[date | None, Label("补正日期", "Corrected on")] = None
    reviewed_by: Annotated[str | None, Label("审核人", "Reviewed by")] = None
    reviewed_on: Annotated[date | None, Label("审核日期", "Reviewed on")] = None


def _form(now: SubjectSituation) -> Disposal:
    form: Disposal = now.subject
    return form


@guard(params={"states": "texts"}, facts=())
def case_may_be_disposed(now: SubjectSituation, params: Params) -> Verdict:
    state = now.parent.state
    return Verdict(state in params["states"], {"state": state}, {"any_of_states": sorted(params["states"])})


@guard(facts=("form",))
def no_form_under_way(now: SubjectSituation, _: Params) -> Verdict:
    """One of a case at a time."""
    other = now.gathered.get("another")
    return Verdict(other is None, {"form": other}, {"forms_at_most": 1})


@guard(facts=("stated_fen", "owed_fen"))
def owed_as_the_books_say(now: SubjectSituation, _: Params) -> Verdict:
    """Not more than principal outstanding, interest and penalty of the newest snapshot together."""
    case, form = now.parent, _form(now)
    stated = sum(now.given.get(name, getattr(form, name)) for name in _AMOUNTS)
    owed = case.outstanding_principal_fen + case.overdue_interest_fen + case.overdue_penalty_fen
    return Verdict(stated <= owed, {"stated_fen": stated}, {"owed_fen": owed})


@guard(facts=())
def by_another(now: SubjectSituation, _: Params) -> Verdict:
    drew = _form(now).opened_by
    return Verdict(now.actor != drew, {"actor": now.actor}, {"opened_by_another": True})


@effect()
def corrected(now: SubjectSituation, _: Params) -> None:
    form = _form(now)
    for name, value in now.given.items():
        setattr(form, name, date.fromisoformat(value) if name in ("overdue_since", "limitation_ends_on") else value)
    form.corrected_on = now.today


@effect()
def reviewed(now: SubjectSituation, _: Params) -> None:
    _form(now).reviewed_by, _form(now).reviewed_on = now.actor, now.today


DISPOSAL = Noun(chart="disposal", word="disposal", subject=Disposal, rows=Rows(Disposal), registry=REGISTRY)
