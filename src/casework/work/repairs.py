"""An information repair: lawful sources tried one by one until something is found, or nothing is (1.3.2c, 5.2). Pure.

A child of the case, which learns what came of it. Its chart is `statecharts/repair.toml`. What is found enters the
debtor's contact book first, through that book's own door (`casework.intake.contact_book.repairing`).
"""

from datetime import date, timedelta
from typing import Annotated

import msgspec

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect


class Tried(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A source that was tried: which, on what day, by whom."""

    source: str
    on: date
    by: str


class InTheBook(msgspec.Struct, forbid_unknown_fields=True):
    """What an entry of the debtor's contact book says, but for number and address themselves."""

    source: str
    legal_basis: str
    phone: bool
    address: bool
    entered_on: date
    refused: bool


class Repair(Child):
    """Which sources were tried, and what came of it. `good_until`: the last day on which "nothing" holds good."""

    loan_id: str
    because: str
    tried: Annotated[tuple[Tried, ...], Label("已查询来源", "Sources tried", "sources")] = ()
    outcome: str | None = None
    source: Annotated[str | None, Label("修复来源", "Found by source", "sources")] = None
    legal_basis: Annotated[str | None, Label("合法依据", "Legal ground", "bases")] = None
    contact_id: int | None = None
    ended_on: Annotated[date | None, Label("结束日期", "Ended on")] = None
    good_until: Annotated[date | None, Label("结论有效至", "Holds good until")] = None


def _repair(now: SubjectSituation) -> Repair:
    repair: Repair = now.subject
    return repair


def _entered(now: SubjectSituation) -> InTheBook | None:
    """The entry of the book that is named, if it is this debtor's and in use."""
    found = now.gathered.get("contact")
    return None if found is None else msgspec.convert(found, InTheBook)


# ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(params={"states": "texts"}, facts=())
def case_may_be_repaired(now: SubjectSituation, params: Params) -> Verdict:
    state = now.parent.state
    return Verdict(state in params["states"], {"state": state}, {"any_of_states": sorted(params["states"])})


@guard(params={"states": "texts"}, facts=())
def case_is_placed(now: SubjectSituation, params: Params) -> Verdict:
    """An agency repairs what it holds (3.3)."""
    return case_may_be_repaired(now, params)


@guard(facts=("repair",))
def no_repair_under_way(now: SubjectSituation, _: Params) -> Verdict:
    """One of a case at a time."""
    other = now.gathered.get("repair")
    return Verdict(other is None, {"repair": other}, {"repairs_at_most": 1})


@guard(facts=("known",))
def source_known(now: SubjectSituation, _: Params) -> Verdict:
    """It is named in the table, as lawful or as unlawful; `gathered`: those that are lawful, where it is not."""
    known = now.gathered.get("known")
    return Verdict(known is None, {"known": known}, {"in_the_table": True})


@guard(facts=("unlawful_zh", "unlawful_en"))
def source_lawful(now: SubjectSituation, _: Params) -> Verdict:
    found = {name: now.gathered.get(name) for name in ("unlawful_zh", "unlawful_en")}
    return Verdict(found["unlawful_en"] is None, found, {"lawful": True})


@guard(facts=("tried_on",))
def source_not_tried(now: SubjectSituation, _: Params) -> Verdict:
    source = now.given.get("source")
    tried_on = next((str(one.on) for one in _repair(now).tried if one.source == source), None)
    return Verdict(tried_on is None, {"tried_on": tried_on}, {"tried": False})


@guard(facts=("opened_on",))
def entered_since(now: SubjectSituation, _: Params) -> Verdict:
    """By a person, in this debtor's book, since the repair began."""
    began, found = _repair(now).opened_on, _entered(now)
    met = "contact_id" not in now.given or (found is not None and found.entered_on >= began)
    return Verdict(met, {"entered_on": str(found.entered_on) if found else None}, {"opened_on": str(began)})


@guard(facts=())
def nobody_refused_there(now: SubjectSituation, _: Params) -> Verdict:
    found = _entered(now)
    refused = found is not None and found.refused
    return Verdict(not refused, {"refused": refused}, {"refused": False})


@guard(facts=("outcome",))
def outcome_fits(now: SubjectSituation, _: Params) -> Verdict:
    """A number is a number, an address without one an address."""
    found, outcome = _entered(now), now.given.get("outcome")
    met = found is None or outcome is None or outcome == outcome_of(phone=found.phone)
    return Verdict(met, {"outcome": outcome}, {"fits": True})


@guard(params={"count": "int"}, facts=("tried", "at_least"))
def enough_sources_tried(now: SubjectSituation, params: Params) -> Verdict:
    tried = len({one.source for one in _repair(now).tried})
    return Verdict(tried >= params["count"], {"tried": tried}, {"at_least": params["count"]})


def outcome_of(*, phone: bool) -> str:
    """What a repair came to that found this."""
    return "new_number" if phone else "new_address"


# ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@effect()
def source_tried(now: SubjectSituation, _: Params) -> None:
    _repair(now).tried = (*_repair(now).tried, Tried(now.given["source"], now.today, now.actor))


@effect()
def found(now: SubjectSituation, _: Params) -> None:
    repair, entered = _repair(now), _entered(now)
    if entered is None:
        raise ValueError("what was found is in no contact book")
    repair.outcome, repair.contact_id, repair.ended_on = now.given["outcome"], now.given["contact_id"], now.today
    repair.source, repair.legal_basis = entered.source, entered.legal_basis


@effect(params={"days": "int"})
def nothing_found(now: SubjectSituation, params: Params) -> None:
    repair = _repair(now)
    repair.ended_on, repair.good_until = now.today, now.today + timedelta(days=params["days"])


REPAIR = Noun(chart="repair", word="repair", subject=Repair, rows=Rows(Repair), registry=REGISTRY)
