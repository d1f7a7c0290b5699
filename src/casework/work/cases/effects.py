"""What a fired event or a recorded fact does to the facts of a case. Pure. Only the given case changes.

Registered by name; the chart says which event has which effect. The replay runs the very same functions.
"""

from datetime import date, timedelta

from casework.rules.statechart.registry import Params
from casework.work.cases.case import (
    ANSWERED_BY,
    LOOKED_BACK,
    PROMISE,
    AgencyFile,
    AttemptDay,
    Facts,
    Placement,
    Spoilt,
    Stood,
)
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

effect, recorder = REGISTRY.effect, REGISTRY.recorder
ATTEMPT_DAYS_KEPT = LOOKED_BACK.days


def add(names: list[str], name: str) -> list[str]:
    """In order, each once."""
    return sorted({*names, name})


def _day(now: CaseSituation, field: str) -> date:
    return date.fromisoformat(now.given[field])


def happened_on(now: CaseSituation) -> date:
    """Of a fact the day on which it happened, of an event that of its entry."""
    return now.on or now.today


def in_this_state(now: CaseSituation) -> bool:
    """Whether it happened since the case came into its present state; an old call recorded today did not."""
    return happened_on(now) >= now.case.state_since


# ── effects of events ─────────────────────────────────────────────────────────────────────────────────────


@effect()
def visit_ordered(now: CaseSituation, _: Params) -> None:
    """Keeps for which day."""
    now.facts.visit_on = date.fromisoformat(now.given["visit_on"])


@effect()
def count_failed_visit(now: CaseSituation, _: Params) -> None:
    """Counts the visit recorded last: one report is one visit."""
    facts, visit = now.facts, now.facts.last_failed_visit
    if visit is not None:
        facts.failed_visits = sorted([*facts.failed_visits, visit], key=lambda one: (one.on, one.photo))
    facts.last_failed_visit = None
    facts.fresh = [name for name in facts.fresh if name != "visit_not_found"]


@effect()
def place_with_agency(now: CaseSituation, _: Params) -> None:
    now.facts.placement = Placement(now.given["agency"], now.today, _day(now, "term_until"))
    now.facts.placements += 1


@effect(params={"destruction_days": "int"})
def end_placement(now: CaseSituation, params: Params) -> None:
    """The agency's copy is to be destroyed by the date given, else by the policy's (X12)."""
    given = now.given.get("destruction_due_on")
    due = date.fromisoformat(given) if given else now.today + timedelta(days=params["destruction_days"])
    now.facts.placement = None
    now.facts.recalled_on = now.today
    now.facts.destruction_due_on = due


@effect()
def grant_exception(now: CaseSituation, _: Params) -> None:
    now.facts.exception_until, now.facts.exception_on = _day(now, "expires_on"), now.today


@effect()
def open_matter(now: CaseSituation, _: Params) -> None:
    """Rulings are those of this suit, not of one before it."""
    now.facts.matter_open = True
    now.facts.sued_on = now.today
    now.facts.rulings = []


@effect()
def end_matter(now: CaseSituation, _: Params) -> None:
    now.facts.matter_open, now.facts.matter_ended_on = False, now.today


@effect()
def book_write_off(now: CaseSituation, _: Params) -> None:
    """From here on the claim is what was written off, and only money received counts towards it (MOF2017.90)."""
    facts, given = now.facts, now.given
    facts.written_off_on = now.today
    facts.written_off_fen = given["principal_fen"] + given["interest_fen"] + given.get("penalty_fen", 0)
    facts.recoveries, facts.recovered_fen = [], 0


@effect()
def unbook_write_off(now: CaseSituation, _: Params) -> None:
    facts = now.facts
    facts.written_off_on, facts.written_off_fen, facts.recoveries, facts.recovered_fen = None, 0, [], 0


@effect()
def count_recovery(now: CaseSituation, _: Params) -> None:
    """A payment counts once however often it is reported."""
    facts, known = now.facts, now.given["payment"]
    if known not in facts.recoveries:
        facts.recoveries = add(facts.recoveries, known)
        facts.recovered_fen += now.given["amount_fen"]


@effect()
def uncount_recovery(now: CaseSituation, _: Params) -> None:
    facts = now.facts
    facts.recoveries = [known for known in facts.recoveries if known != now.given["payment"]]
    facts.recovered_fen -= now.given["amount_fen"]


@effect(params={"settled_as": "text"})
def settle(now: CaseSituation, params: Params) -> None:
    """What the settlement rests on: the undoing of a payment dated since then re-opens the case.

    A compromise rests on what was paid since the agreement, a claim written off on what was recovered since the
    write-off, any other settlement on the payments since the feed before.
    """
    facts, since = now.facts, now.given.get("previous_as_of")
    facts.settled_from = now.case.state
    facts.settled_out_of = Stood(now.case.state, now.case.state_since, facts.fresh)
    facts.settled_on = now.today
    facts.settled_as = params["settled_as"]
    facts.settlement_since = date.fromisoformat(since) if since else now.today
    if facts.settled_as == "compromise":
        facts.settlement_since = facts.agreed_on or now.today
    elif facts.settled_as == "paid_in_full" and facts.written_off_on is not None:
        facts.settlement_since = facts.written_off_on
    facts.reversed_paid_on = None


@effect()
def unsettle(now: CaseSituation, _: Params) -> None:
    facts = now.facts
    facts.settled_from = facts.settled_on = facts.settled_as = facts.settlement_since = facts.reversed_paid_on = None
    facts.settled_out_of = None


@effect()
def resume(now: CaseSituation, params: Params) -> None:
    """The settlement never was: what had happened in the state before it still counts there, and since the same day."""
    now.resumed = now.facts.settled_out_of
    unsettle(now, params)


@effect(params={"closed_as": "text"})
def close(now: CaseSituation, params: Params) -> None:
    now.case.closed_as = params["closed_as"]


# ── facts ─────────────────────────────────────────────────────────────────────────────────────────────────


@recorder
def contact_day(now: CaseSituation, _: Params) -> None:
    """What the log of contacts knows of the debtor's day: it says anew what it said before (1.3.1a, c).

    A connection that is learnt of in this state counts in it, whenever it was: the debtor is not lost (1.3.1d).
    """
    on, given = happened_on(now), now.given
    answered = [party for party in ANSWERED_BY if given.get(party)]
    keep_day(now.facts, AttemptDay(on, given["attempts"], given["connected"], answered))
    if given["connected"]:
        now.facts.fresh = add(now.facts.fresh, "debtor_connected")


def keep_day(facts: Facts, day: AttemptDay) -> None:
    """In the place of what was known of the day."""
    others = [one for one in facts.attempt_days if one.on != day.on]
    facts.attempt_days = sorted([*others, day], key=lambda one: one.on)[-ATTEMPT_DAYS_KEPT:]
    taken_back = None if day.connected else day.on
    known = {one.on for one in facts.attempt_days if one.connected} | {facts.connected_on, facts.connected_before}
    last = sorted(one for one in known if one is not None and one != taken_back)[-2:]
    facts.connected_on = last[-1] if last else None
    facts.connected_before = last[0] if len(last) > 1 else None


def _spoil(now: CaseSituation, by: str, number: int = 0) -> None:
    """From that day on the days are spoilt (1.3.1c); what had ended and began that day goes on, as if it had not."""
    first = happened_on(now)
    known = [one for one in now.facts.spoilt if one.last is None or one.last > now.today - LOOKED_BACK]
    new = Spoilt(by, first, number=number)
    known = [new if (one.by, one.first, one.number) == (by, first, number) else one for one in known]
    if not any((one.by, one.number, one.last) == (by, number, None) for one in known):
        known.append(new)
    now.facts.spoilt = known


def _spoil_no_more(now: CaseSituation, by: str, number: int = 0) -> None:
    """That day was the last; of every one, where none is named."""
    now.facts.spoilt = [
        Spoilt(one.by, one.first, happened_on(now), one.number)
        if one.by == by and number in (0, one.number) and one.last is None else one
        for one in now.facts.spoilt
    ]  # fmt: skip


@recorder
def promise(now: CaseSituation, _: Params) -> None:
    """Open from its day to the day on which it is judged."""
    facts = now.facts
    _spoil(now, PROMISE + now.given["promise"])
    facts.promises_made += now.given["promise"] not in facts.promises and not now.given.get("again", False)
    _promised(facts, {**facts.promises, now.given["promise"]: _day(now, "pay_by")})


@recorder
def promise_ended(now: CaseSituation, _: Params) -> None:
    """Of one judged again after a reversal nothing was open: it spoils no day."""
    facts, ended, outcome = now.facts, now.given["promise"], now.given["outcome"]
    _spoil_no_more(now, PROMISE + ended)
    if ended in facts.promises and now.case.live:  # else the case is done with, until a correction says otherwise
        facts.broken_in_a_row = facts.broken_in_a_row + 1 if outcome == "broken" else 0
    _promised(facts, {name: day for name, day in facts.promises.items() if name != ended})


def _promised(facts: Facts, promises: dict[str, date]) -> None:
    facts.promises, facts.promise_pay_by = promises, max(promises.values(), default=None)


@recorder
def remittance(now: CaseSituation, _: Params) -> None:
    """Awaited from its day until a snapshot tells; it spoils no day of the run."""
    others = {name: day for name, day in now.facts.remittances.items() if name != now.given["remittance"]}
    awaited = now.given["outcome"] == "awaited"
    now.facts.remittances = others | ({now.given["remittance"]: _day(now, "begins_on")} if awaited else {})


@recorder
def hold(now: CaseSituation, _: Params) -> None:
    now.facts.holds = add(now.facts.holds, now.given["hold"])
    _spoil(now, now.given["hold"], now.given.get("number", 0))
    now.facts.material_version += 1


@recorder
def hold_lifted(now: CaseSituation, _: Params) -> None:
    ground = now.given["hold"]
    _spoil_no_more(now, ground, now.given.get("number", 0))
    if not any(one.by == ground and one.last is None for one in now.facts.spoilt):  # another may have begun since
        now.facts.holds = [name for name in now.facts.holds if name != ground]
    now.facts.material_version += 1


@recorder
def at_risk(now: CaseSituation, _: Params) -> None:
    now.facts.at_risk = now.given["ground"]
    now.facts.material_version += 1


@recorder
def at_risk_lifted(now: CaseSituation, _: Params) -> None:
    now.facts.at_risk = None
    now.facts.material_version += 1


@recorder
def information_repair(now: CaseSituation, _: Params) -> None:
    """Where nothing was found, that holds good for so many days."""
    now.facts.repaired_on = happened_on(now)
    nothing, days = now.given["outcome"] == "nothing_new", timedelta(days=now.policy.figure("repair.good_for_days"))
    now.facts.repair_good_until = now.facts.repaired_on + days if nothing else None
    if now.given["outcome"] == "new_number" and in_this_state(now):
        now.facts.fresh = add(now.facts.fresh, "new_number")


@recorder
def agency_file(now: CaseSituation, _: Params) -> None:
    given = now.given
    now.facts.agency_file = AgencyFile(
        given["agency"], given["active"], _day(now, "inspected_on"), _day(now, "evaluated_on")
    )


@recorder
def placement_ended(now: CaseSituation, _: Params) -> None:
    if now.facts.placement is not None:
        now.facts.placement.ended = True


@recorder
def disposal_form(now: CaseSituation, _: Params) -> None:
    """The latest; one that is withdrawn is none."""
    form = now.given.get("form")
    withdrawn = form == "withdrawn"
    now.facts.disposal_form_on = None if withdrawn else happened_on(now)
    now.facts.disposal_form = None if withdrawn else form


@recorder
def limitation_check(now: CaseSituation, _: Params) -> None:
    now.facts.limitation_ends_on = _day(now, "ends_on")


@recorder
def acceleration(now: CaseSituation, _: Params) -> None:
    now.facts.accelerated_on = happened_on(now)
    now.facts.material_version += 1


@recorder
def ruling(now: CaseSituation, _: Params) -> None:
    """A judgment leaves the matter open, for enforcement follows it; every other ruling ends it."""
    now.facts.rulings = add(now.facts.rulings, now.given["outcome"])
    if now.given["outcome"] != "judgment":
        now.facts.matter_open = False


@recorder
def payment(now: CaseSituation, _: Params) -> None:
    """Counts once however often it is recorded, and only towards an agreement that it came after."""
    facts = now.facts
    if facts.agreed_on is not None and happened_on(now) >= facts.agreed_on:
        facts.received_fen = facts.received_fen | {now.given["payment"]: now.given["amount_fen"]}


@recorder
def reversal(now: CaseSituation, _: Params) -> None:
    """What was undone counts towards no agreement any more."""
    facts, undone = now.facts, now.given["payment"]
    facts.reversed_paid_on = _day(now, "paid_on")
    facts.received_fen = {name: fen for name, fen in facts.received_fen.items() if name != undone}


@recorder
def agreement(now: CaseSituation, _: Params) -> None:
    now.facts.agreed_fen = now.given["agreed_fen"]
    now.facts.agreed_on = happened_on(now)
    now.facts.received_fen = {}
    now.facts.material_version += 1


@recorder
def transfer_contract(now: CaseSituation, _: Params) -> None:
    now.facts.transfer_contract_on = happened_on(now)


@recorder
def debtor_notice(now: CaseSituation, _: Params) -> None:
    now.facts.debtor_notified_on = happened_on(now)


@recorder
def opening_error(now: CaseSituation, _: Params) -> None:
    now.facts.opening_error_on = happened_on(now)


@recorder
def left_books(now: CaseSituation, _: Params) -> None:
    """Nothing that an approver would look at again: a write-off asked for here is what the bank has booked."""
    now.facts.left_books = now.given["status"]


@recorder
def finding_cleared(now: CaseSituation, _: Params) -> None:
    now.facts.finding_cleared_on = happened_on(now)
