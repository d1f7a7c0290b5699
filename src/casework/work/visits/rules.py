"""Rules on when and how a visit is made, reported, reviewed and checked again (1.3.2, 5.2, X9). Pure."""

from datetime import UTC, date, datetime
from typing import Final

from casework.lifecycle.situation import SubjectSituation
from casework.rules.statechart.registry import Params, Verdict
from casework.work.visits import visitors
from casework.work.visits.proof import is_disproved
from casework.work.visits.visit import (
    CANNOT_BE,
    SET_ASIDE,
    Corrected,
    Photo,
    Recheck,
    minute_of,
    slack_of,
    text_of,
    told_at,
    told_on,
    visit_of,
    zone_of,
)

REGISTRY: Final = visitors.REGISTRY
guard, effect, recorder = REGISTRY.guard, REGISTRY.effect, REGISTRY.recorder

# ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(params={"states": "texts"}, facts=())
def case_may_be_visited(now: SubjectSituation, params: Params) -> Verdict:
    state = now.parent.state
    return Verdict(state in params["states"], {"state": state}, {"any_of_states": sorted(params["states"])})


@guard(params={"holds": "texts"}, facts=("holds",))
def contact_not_stopped(now: SubjectSituation, params: Params) -> Verdict:
    found = [name for name in now.parent.facts.holds if name in params["holds"]]
    return Verdict(not found, {"holds": found}, {"holds_at_most": 0})


@guard(facts=("zh", "en"))
def gate_open(now: SubjectSituation, _: Params) -> Verdict:
    """The gate of contacts says nothing against visiting the debtor (`gathered`: its reasons, in words)."""
    against = now.gathered.get("gate", [])
    zh, en = "；".join(one["zh"] for one in against), "; ".join(one["en"] for one in against)
    return Verdict(not against, {"zh": zh, "en": en}, {"reasons_at_most": 0})


@guard(facts=("risk", "on", "by"))
def risk_acknowledged(now: SubjectSituation, _: Params) -> Verdict:
    """Whoever plans says that they know of a risk that visitors saw at the address (`gathered`: what was said last)."""
    seen = now.gathered.get("risk_seen", {})
    facts = {name: seen.get(name) for name in ("risk", "on", "by")}
    return Verdict(not seen or now.given.get("risk_acknowledged", False), facts, {"risk_acknowledged": True})


@guard(facts=("visit", "visit_on"))
def alone_that_day(now: SubjectSituation, _: Params) -> Verdict:
    """No other visit of the case is to be made on its day (`gathered`: which is)."""
    other, day = now.gathered.get("that_day"), str(visit_of(now).visit_on)
    return Verdict(other is None, {"visit": other, "visit_on": day}, {"visits_at_most": 1})


@guard(facts=("visit_on", "day"))
def its_day_is_not_over(now: SubjectSituation, _: Params) -> Verdict:
    """By the branch's clock too (`gathered`: when this is): feeds may be late, and nobody checks in on a past day."""
    recorded, day = now.gathered.get("at"), visit_of(now).visit_on
    this = day if recorded is None else datetime.fromisoformat(recorded).astimezone(zone_of(now)).date()
    return Verdict(day >= this, {"visit_on": str(day), "day": str(this)}, {"not_before": str(this)})


@guard(facts=("visit_on", "arrived_on"))
def on_its_day(now: SubjectSituation, _: Params) -> Verdict:
    arrived, day = told_on(now, "at"), visit_of(now).visit_on
    return Verdict(arrived in (None, day), {"arrived_on": str(arrived)}, {"visit_on": str(day)})


@guard(facts=("ordered_at",))
def after_its_order(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody arrives before the visit is ordered; to the minute, as people type times."""
    ordered, arrived = visit_of(now).ordered_at, told_at(now, "at")
    met = ordered is None or arrived is None or arrived >= minute_of(ordered)
    return Verdict(met, {"arrived_at": text_of(now, arrived)}, {"ordered_at": text_of(now, ordered)})


@guard(facts=("minutes", "at"))
def not_ahead(now: SubjectSituation, _: Params) -> Verdict:
    """What has not happened yet is not told (`gathered`: when this is); a phone's clock may be ahead a little."""
    at, recorded, slack = told_at(now, "at"), now.gathered.get("at"), slack_of(now)
    latest = None if recorded is None else datetime.fromisoformat(recorded) + slack
    facts = {"at": text_of(now, at), "minutes": slack.seconds // 60}
    return Verdict(at is None or latest is None or at <= latest, facts, {"at_latest": text_of(now, latest)})


@guard(facts=("risk", "on", "by"))
def risk_known_there(now: SubjectSituation, _: Params) -> Verdict:
    """Whoever arrives says that they know of a risk that was told of since the order (`gathered`)."""
    return risk_acknowledged(now, _)


@guard(facts=("checked_in_at",))
def after_check_in(now: SubjectSituation, _: Params) -> Verdict:
    """They arrived, and then they left, on the same day of branch time; to the minute, as people type times."""
    since, left = visit_of(now).checked_in_at, told_at(now, "at")
    same_day = told_on(now, "at") == visit_of(now).visit_on
    met = left is None or (since is not None and left >= minute_of(since) and same_day)
    return Verdict(met, {"checked_out_at": text_of(now, left)}, {"checked_in_at": text_of(now, since)})


@guard(facts=("outcome", "person_met"))
def met_fits(now: SubjectSituation, _: Params) -> Verdict:
    outcome, met = now.given.get("outcome"), now.given.get("person_met")
    return Verdict((outcome, met) not in CANNOT_BE, {"outcome": outcome, "person_met": met}, {"consistent": True})


@guard(facts=())
def proven(now: SubjectSituation, _: Params) -> Verdict:
    """By a photo; where none could be taken, by what the second visitor states (where a channel's went, the leader)."""
    visit = visit_of(now)
    by_second = now.actor == visit.second_visitor if visit.second_visitor else visit.assistant is not None
    stated = now.given.get("no_photo") is not None and by_second and now.gathered.get("statement", False)
    met = bool(visit.photos) or stated
    return Verdict(met, {"photos": len(visit.photos), "stated": stated}, {"photos_at_least": 1})


@guard(facts=("visit_on",))
def its_day_is_over(now: SubjectSituation, _: Params) -> Verdict:
    day = visit_of(now).visit_on
    return Verdict(now.today >= day, {"today": now.today.isoformat()}, {"visit_on": str(day)}, day)


@guard(params={"states": "texts"}, facts=("state",))
def visit_takes_photos(now: SubjectSituation, params: Params) -> Verdict:
    state = visit_of(now).state
    return Verdict(state in params["states"], {"state": state}, {"any_of_states": sorted(params["states"])})


@guard(facts=("taken_on", "visit_on"))
def taken_on_its_day(now: SubjectSituation, _: Params) -> Verdict:
    taken, day = told_on(now, "taken_at"), visit_of(now).visit_on
    return Verdict(taken in (None, day), {"taken_on": str(taken)}, {"visit_on": str(day)})


@guard(facts=("minutes", "taken_at", "first", "last"))
def taken_while_there(now: SubjectSituation, _: Params) -> Verdict:
    """Between check-in and check-out, or before it came where they are still there; clocks may differ a little."""
    visit, taken, slack = visit_of(now), told_at(now, "taken_at"), slack_of(now)
    first, last = visit.checked_in_at, visit.checked_out_at or told_at(now, "sent_at")
    met = taken is None or first is None or last is None or minute_of(first) - slack <= taken <= last + slack
    facts = {"taken_at": text_of(now, taken), "minutes": slack.seconds // 60}
    return Verdict(met, facts, {"first": text_of(now, first), "last": text_of(now, last)})


@guard(facts=())
def not_sent_before(now: SubjectSituation, _: Params) -> Verdict:
    known = any(one.photo == now.given.get("photo") for one in visit_of(now).photos)
    return Verdict(not known, {"known": known}, {"known": False})


@guard(params={"of": "texts"}, facts=())
def consented(now: SubjectSituation, params: Params) -> Verdict:
    """What shows more than a house may (CC 1033), with the consent of whom it shows."""
    shows, consent = now.given.get("shows"), now.given.get("consent")
    return Verdict(shows not in params["of"] or consent is not None, {"consent": consent}, {"consent_to": params["of"]})


@guard(facts=())
def photo_was_drawn(now: SubjectSituation, _: Params) -> Verdict:
    met = now.given.get("photo") in visit_of(now).drawn
    return Verdict(met, {"drawn": met}, {"drawn": True})


@guard(facts=("verdict",))
def another_verdict_stands(now: SubjectSituation, _: Params) -> Verdict:
    """A verdict is put right where there is one, and another."""
    stands = visit_of(now).verdicts.get(now.given.get("photo", ""))
    met = stands is not None and stands != now.given.get("verdict")
    return Verdict(met, {"verdict": stands}, {"another": True})


# ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@effect()
def visitors_named(now: SubjectSituation, _: Params) -> None:
    visit, given = visit_of(now), now.given
    visit.visitor, visit.second_visitor = visitors.named(now)
    visit.stop = given.get("stop", visit.stop)
    if given.get("assisting_channel") is not None:
        visit.assisting_channel, visit.assistant = given["assisting_channel"], given["assistant"]
        visit.entrustment, visit.trained_on = given["entrustment"], date.fromisoformat(given["trained_on"])


@effect()
def checked_in(now: SubjectSituation, _: Params) -> None:
    visit = visit_of(now)
    visit.checked_in_at = told_at(now, "at")
    visit.risk_acknowledged = visit.risk_acknowledged or now.given.get("risk_acknowledged", False)


@effect()
def checked_out(now: SubjectSituation, _: Params) -> None:
    visit_of(now).checked_out_at = told_at(now, "at")


@effect()
def risk_seen(now: SubjectSituation, _: Params) -> None:
    visit, risk = visit_of(now), now.given.get("address_risk")
    if risk is not None:
        visit.address_risk, visit.risk_by, visit.risk_on = risk, now.actor, now.today
        visit.risk_at = datetime.fromisoformat(now.gathered["at"])


@effect()
def reported(now: SubjectSituation, params: Params) -> None:
    visit, given = visit_of(now), now.given
    visit.outcome, visit.person_met = given["outcome"], given["person_met"]
    visit.no_photo = given.get("no_photo")
    reported_again(now, params)


@effect()
def put_right(now: SubjectSituation, _: Params) -> None:
    """What was reported, where it is reported otherwise now; what it said before is kept beside it."""
    visit, given = visit_of(now), now.given
    for name in ("outcome", "person_met", "address_kind"):
        was, told = str(getattr(visit, name)), given.get(name)
        if told not in (None, was):
            visit.corrected = (*visit.corrected, Corrected(name, was, now.actor, now.today))
            setattr(visit, name, told)


@effect()
def reported_again(now: SubjectSituation, _: Params) -> None:
    """Where a photo has come since, by a bad connection, it proves the visit, and nobody's word has to."""
    visit, given = visit_of(now), now.given
    visit.photo = visit.photo or (visit.photos[0].photo if visit.photos else None)
    visit.stated = visit.photo is None
    visit.no_photo = visit.no_photo if visit.stated else None
    for name in ("house", "workplace", "attitude", "ability", "next_step"):
        setattr(visit, name, given[name])
    visit.reported_at = visit.reported_at or datetime.fromisoformat(now.gathered["at"])


@effect()
def sent_back(now: SubjectSituation, _: Params) -> None:
    visit = visit_of(now)
    visit.times_returned, visit.returned_for = visit.times_returned + 1, now.given["reason"]


@effect()
def accepted(now: SubjectSituation, _: Params) -> None:
    visit_of(now).accepted_by = now.actor


@effect()
def set_aside(now: SubjectSituation, _: Params) -> None:
    visit_of(now).disproved = True


@recorder
def photo(now: SubjectSituation, _: Params) -> None:
    given = now.given
    taken = datetime.fromisoformat(given["taken_at"]).astimezone(UTC)
    visit_of(now).photos = (*visit_of(now).photos, Photo(given["photo"], given["shows"], taken))


@recorder
def drawn(now: SubjectSituation, _: Params) -> None:
    visit = visit_of(now)
    visit.drawn = tuple(sorted({*visit.drawn, now.given["photo"]}))
    visit.recheck_since = visit.recheck_since or now.today


@recorder
def recheck(now: SubjectSituation, _: Params) -> None:
    visit, photo = visit_of(now), now.given["photo"]
    visit.drawn = tuple(one for one in visit.drawn if one != photo)
    visit.recheck_since = visit.recheck_since if visit.drawn else None
    _judged(now)


@recorder
def recheck_corrected(now: SubjectSituation, _: Params) -> None:
    _judged(now)


def _judged(now: SubjectSituation) -> None:
    """The last verdict on each photo is the one that stands."""
    visit = visit_of(now)
    visit.rechecks = (*visit.rechecks, Recheck(now.given["photo"], now.given["verdict"], now.actor, now.today))
    visit.rechecked_on = now.today
    visit.disproved = visit.state == SET_ASIDE or is_disproved(visit.verdicts.values(), now.policy)
