"""Guards on settling, reversing, transferring and closing."""

from datetime import timedelta
from typing import Any

from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import FOR_ARREARS, shown
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

guard = REGISTRY.guard


@guard(facts=("opened_for",))
def opened_for_arrears(now: CaseSituation, _: Params) -> Verdict:
    met = now.case.opened_for in FOR_ARREARS
    return Verdict(met, {"opened_for": now.case.opened_for}, {"opened_for_any_of": list(FOR_ARREARS)})


@guard(facts=("accelerated_on",))
def not_accelerated(now: CaseSituation, _: Params) -> Verdict:
    on = now.facts.accelerated_on
    return Verdict(on is None, {"accelerated_on": shown(on)}, {"accelerated": False})


@guard(facts=())
def agreement_filed(now: CaseSituation, _: Params) -> Verdict:
    filed = now.facts.agreed_fen is not None
    return Verdict(filed, {"filed": filed}, {"filed": True})


@guard(facts=("opened_on",))
def dated_since_opening(now: CaseSituation, _: Params) -> Verdict:
    """What was paid before the case was there is no part of a compromise of it; no day named: nothing to object to."""
    opened_on = now.case.opened_on
    return Verdict(
        now.on is None or now.on >= opened_on, {"opened_on": shown(opened_on)}, {"on_or_after_opening": True}
    )


@guard(facts=("received_fen", "agreed_fen"))
def agreed_sum_received(now: CaseSituation, _: Params) -> Verdict:
    """Every instalment that the feed brought since the agreement; that there is none `agreement_filed` says."""
    agreed, received = now.facts.agreed_fen or 0, sum(now.facts.received_fen.values())
    return Verdict(received >= agreed, {"received_fen": received}, {"agreed_fen": agreed})


@guard(facts=("recovered_fen", "written_off_fen"))
def written_off_sum_received(now: CaseSituation, _: Params) -> Verdict:
    recovered, owed = now.facts.recovered_fen, now.facts.written_off_fen
    met = now.facts.written_off_on is not None and recovered >= owed
    return Verdict(met, {"recovered_fen": recovered}, {"written_off_fen": owed})


@guard()
def claim_written_off(now: CaseSituation, _: Params) -> Verdict:
    on = now.facts.written_off_on
    return Verdict(on is not None, {"written_off_on": shown(on)}, {"written_off": True})


@guard()
def recovery_counted(now: CaseSituation, _: Params) -> Verdict:
    counted = now.given.get("payment") in now.facts.recoveries
    return Verdict(counted, {"counted": counted}, {"counted": True})


@guard(facts=("recovered_fen", "written_off_fen"))
def recovery_falls_short(now: CaseSituation, _: Params) -> Verdict:
    """A claim that its recoveries settled opens again only when they no longer reach it; others are not asked."""
    facts = now.facts
    recovered, owed = facts.recovered_fen, facts.written_off_fen
    met = facts.written_off_on is None or facts.settled_as != "paid_in_full" or recovered < owed
    return Verdict(met, {"recovered_fen": recovered}, {"written_off_fen": owed})


@guard(facts=("paid_since",))
def settling_payment_reversed(now: CaseSituation, _: Params) -> Verdict:
    since, paid_on = now.facts.settlement_since, now.facts.reversed_paid_on
    met = since is not None and paid_on is not None and paid_on >= since
    return Verdict(met, {"reversed_payment_of": shown(paid_on)}, {"paid_since": shown(since)})


@guard()
def settled_by_corrected_feed(now: CaseSituation, _: Params) -> Verdict:
    """Settled by what the feed of that day said of the loan: neither by an agreement nor by money on a write-off."""
    facts, as_of = now.facts, now.given.get("as_of")
    by_feed = facts.settled_as in ("arrears_cleared", "paid_in_full") and facts.written_off_on is None
    met = by_feed and facts.settled_on is not None and shown(facts.settled_on) == as_of
    return Verdict(met, {"settled_on": shown(facts.settled_on)}, {"settled_on_the_day_corrected": True})


@guard(facts=("newer_case",))
def no_newer_case(now: CaseSituation, _: Params) -> Verdict:
    newer: Any = now.gathered.get("newer_case")
    return Verdict(newer is None, {"newer_case": newer}, {"newer_cases_at_most": 0})


@guard(params={"state": "text"}, facts=("settled_from",))
def settled_from(now: CaseSituation, params: Params) -> Verdict:
    met = now.facts.settled_from == params["state"]
    return Verdict(met, {"settled_from": now.facts.settled_from}, {"settled_from_required": params["state"]})


@guard(params={"days": "int"}, facts=("settled_on", "days_required"))
def settled_for(now: CaseSituation, params: Params) -> Verdict:
    on = now.facts.settled_on
    met = on is not None and (now.today - on).days > params["days"]
    opens_on = on + timedelta(days=params["days"] + 1) if on else None
    return Verdict(met, {"settled_on": shown(on)}, {"days_required": params["days"]}, opens_on)


@guard(facts=())
def transfer_contract_filed(now: CaseSituation, _: Params) -> Verdict:
    filed = now.facts.transfer_contract_on is not None
    return Verdict(filed, {"filed": filed}, {"filed": True})


@guard(facts=())
def debtor_notified(now: CaseSituation, _: Params) -> Verdict:
    notified = now.facts.debtor_notified_on is not None
    return Verdict(notified, {"notified": notified}, {"notified": True})


@guard(facts=("days_past_due",))
def ground_to_cancel(now: CaseSituation, _: Params) -> Verdict:
    facts, days_past_due = now.facts, now.days_past_due
    met = facts.opening_error_on is not None or (facts.finding_cleared_on is not None and days_past_due == 0)
    return Verdict(met, {"days_past_due": days_past_due}, {"error_or_cleared_finding_at_dpd": 0})


@guard(facts=("opened_by", "opened_on", "opened_for"))
def opened_by_corrected_feed(now: CaseSituation, _: Params) -> Verdict:
    case = now.case
    met = (case.opened_by, case.opened_on) == (SYSTEM_POST, now.today) and case.opened_for in FOR_ARREARS
    saw = {"opened_by": case.opened_by, "opened_on": shown(case.opened_on), "opened_for": case.opened_for}
    return Verdict(met, saw, {"opened_by": SYSTEM_POST, "opened_on": shown(now.today)})


@guard(facts=("opened_by",))
def actor_is_not_opener(now: CaseSituation, _: Params) -> Verdict:
    by = now.case.opened_by
    return Verdict(by != now.actor, {"opened_by": by}, {"another_person": True})
