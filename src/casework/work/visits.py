"""A home visit: ordered for a day, made by two, reported with a photo, reviewed (1.3.2, 5.2, X9). Pure.

A child of the case, which it moves: its opening sends the case to a visit, its report says whether the debtor was
found. Its chart is `statecharts/visit.toml`; the files of its photos are kept by `casework.work.photos`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect, recorder = REGISTRY.guard, REGISTRY.effect, REGISTRY.recorder
_OF_AN_ASSISTANT: Final = ("assisting_channel", "assistant", "entrustment", "trained_on")
NO_RISK: Final = "no_risk"
"""What visitors say of an address where a risk is gone."""
CANNOT_BE: Final = frozenset({("found", "nobody"), ("not_found", "debtor")})
"""What came of a visit, and who cannot have been met then."""


class Photo(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One photo of it: the hash of the file as it came, what it shows, when it was taken."""

    photo: str
    shows: str
    taken_at: datetime


class Recheck(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What came of looking at a photo again: which, the verdict, by whom, when."""

    photo: str
    verdict: str
    by: str
    on: date


class Visit(Child):
    """Who goes when; what they found; what the reviewer said. `stated`: no photo, the second visitor's word instead."""

    loan_id: str
    address_kind: str
    visit_on: date
    ordered_at: Annotated[datetime | None, Label("安排时间", "Ordered at")] = None
    contact_id: int | None = None
    area: str | None = None
    stop: int | None = None
    risk_acknowledged: bool = False
    visitor: str = ""
    second_visitor: str | None = None
    assisting_channel: str | None = None
    assistant: str | None = None
    entrustment: str | None = None
    trained_on: date | None = None
    checked_in_at: Annotated[datetime | None, Label("签到时间", "Checked in at")] = None
    checked_out_at: Annotated[datetime | None, Label("签离时间", "Checked out at")] = None
    reported_at: Annotated[datetime | None, Label("报告提交时间", "Reported at")] = None
    outcome: str | None = None
    person_met: str | None = None
    house: str | None = None
    workplace: str | None = None
    attitude: str | None = None
    ability: str | None = None
    next_step: str | None = None
    address_risk: str | None = None
    risk_by: Annotated[str | None, Label("风险登记人", "Who saw the risk")] = None
    risk_at: Annotated[datetime | None, Label("风险登记时间", "Risk told at")] = None
    risk_on: Annotated[date | None, Label("风险登记日", "Risk seen on")] = None
    photo: Annotated[str | None, Label("证明照片", "Photo that proves it")] = None
    no_photo: str | None = None
    stated: Annotated[bool, Label("以说明代照片", "Stated instead of a photo")] = False
    photos: Annotated[tuple[Photo, ...], Label("照片", "Photos")] = ()
    drawn: Annotated[tuple[str, ...], Label("抽中待复核", "Drawn to be checked again")] = ()
    recheck_since: Annotated[date | None, Label("待复核起始日", "To be checked again since")] = None
    rechecks: Annotated[tuple[Recheck, ...], Label("复核结论", "Checked again")] = ()
    times_returned: Annotated[int, Label("退回次数", "Times returned")] = 0
    due_on: date | None = None

    def __post_init__(self) -> None:
        """Whoever orders it leads it, where nobody else is named."""
        self.visitor = self.visitor or self.opened_by

    @property
    def visitors(self) -> tuple[str, ...]:
        """The staff who visit."""
        return (self.visitor, *((self.second_visitor,) if self.second_visitor else ()))


def _visit(now: SubjectSituation) -> Visit:
    visit: Visit = now.subject
    return visit


def _named(now: SubjectSituation) -> tuple[str, str | None]:
    """Leader and second visitor, with what is given now."""
    visit = _visit(now)
    second = now.given.get("second_visitor", visit.second_visitor)
    return now.given.get("visitor", visit.visitor), second


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


@guard(facts=("not_there",))
def visitors_are_there(now: SubjectSituation, _: Params) -> Verdict:
    """Who is named works here (`gathered`: the register as it is)."""
    there = now.gathered.get("not_there", [])
    missing = [one for one in _named(now) if one is not None and one in there]
    return Verdict(not missing, {"not_there": ", ".join(missing)}, {"not_there_at_most": 0})


@guard(facts=())
def visitors_differ(now: SubjectSituation, _: Params) -> Verdict:
    first, second = _named(now)
    return Verdict(first != second, {"visitor": first}, {"second_visitor": "another"})


@guard(facts=("missing",))
def assistant_entrusted(now: SubjectSituation, _: Params) -> Verdict:
    """A channel's person is named, trained, and under written entrustment: all of it, or no channel at all (1.1.1)."""
    told = {name for name in _OF_AN_ASSISTANT if now.given.get(name) is not None}
    missing = [name for name in _OF_AN_ASSISTANT if name not in told] if told else []
    return Verdict(not missing, {"missing": missing}, {"missing_at_most": 0})


@guard(facts=("visitors",))
def by_a_visitor(now: SubjectSituation, _: Params) -> Verdict:
    visitors = _visit(now).visitors
    return Verdict(now.actor in visitors, {"actor": now.actor}, {"visitors": ", ".join(visitors)})


@guard(facts=())
def by_no_visitor(now: SubjectSituation, _: Params) -> Verdict:
    met = now.actor not in _visit(now).visitors
    return Verdict(met, {"actor": now.actor}, {"visitor": False})


@guard(facts=())
def two_go(now: SubjectSituation, _: Params) -> Verdict:
    visit = _visit(now)
    return Verdict(bool(visit.second_visitor or visit.assistant), {"second": None}, {"second": True})


@guard(facts=("visit_on", "arrived_on"))
def on_its_day(now: SubjectSituation, _: Params) -> Verdict:
    arrived, day = _day(now, "at"), _visit(now).visit_on
    return Verdict(arrived in (None, day), {"arrived_on": str(arrived)}, {"visit_on": str(day)})


@guard(facts=("ordered_at",))
def after_its_order(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody arrives before the visit is ordered; to the minute, as people type times."""
    ordered, arrived = _visit(now).ordered_at, _at(now, "at")
    met = ordered is None or arrived is None or arrived >= _minute(ordered)
    return Verdict(met, {"arrived_at": _text(now, arrived)}, {"ordered_at": _text(now, ordered)})


@guard(facts=("minutes", "at"))
def not_ahead(now: SubjectSituation, _: Params) -> Verdict:
    """What has not happened yet is not told (`gathered`: when this is); a phone's clock may be ahead a little."""
    at, recorded, slack = _at(now, "at"), now.gathered.get("at"), _slack(now)
    latest = None if recorded is None else datetime.fromisoformat(recorded) + slack
    facts = {"at": _text(now, at), "minutes": slack.seconds // 60}
    return Verdict(at is None or latest is None or at <= latest, facts, {"at_latest": _text(now, latest)})


@guard(facts=("risk", "on", "by"))
def risk_known_there(now: SubjectSituation, _: Params) -> Verdict:
    """Whoever arrives says that they know of a risk that was told of since the order (`gathered`)."""
    return risk_acknowledged(now, _)


@guard(facts=("checked_in_at",))
def after_check_in(now: SubjectSituation, _: Params) -> Verdict:
    """They arrived, and then they left, on the same day of branch time; to the minute, as people type times."""
    since, left = _visit(now).checked_in_at, _at(now, "at")
    met = left is None or (since is not None and left >= _minute(since) and _day(now, "at") == _visit(now).visit_on)
    return Verdict(met, {"checked_out_at": _text(now, left)}, {"checked_in_at": _text(now, since)})


@guard(facts=("outcome", "person_met"))
def met_fits(now: SubjectSituation, _: Params) -> Verdict:
    outcome, met = now.given.get("outcome"), now.given.get("person_met")
    return Verdict((outcome, met) not in CANNOT_BE, {"outcome": outcome, "person_met": met}, {"consistent": True})


@guard(facts=())
def proven(now: SubjectSituation, _: Params) -> Verdict:
    """By a photo; where none could be taken, by what the second visitor states (where a channel's went, the leader)."""
    visit = _visit(now)
    by_second = now.actor == visit.second_visitor if visit.second_visitor else visit.assistant is not None
    stated = now.given.get("no_photo") is not None and by_second and now.gathered.get("statement", False)
    met = bool(visit.photos) or stated
    return Verdict(met, {"photos": len(visit.photos), "stated": stated}, {"photos_at_least": 1})


@guard(facts=("visit_on",))
def its_day_is_over(now: SubjectSituation, _: Params) -> Verdict:
    day = _visit(now).visit_on
    return Verdict(now.today >= day, {"today": now.today.isoformat()}, {"visit_on": str(day)}, day)


@guard(params={"states": "texts"}, facts=("state",))
def visit_takes_photos(now: SubjectSituation, params: Params) -> Verdict:
    state = _visit(now).state
    return Verdict(state in params["states"], {"state": state}, {"any_of_states": sorted(params["states"])})


@guard(facts=("taken_on", "visit_on"))
def taken_on_its_day(now: SubjectSituation, _: Params) -> Verdict:
    taken, day = _day(now, "taken_at"), _visit(now).visit_on
    return Verdict(taken in (None, day), {"taken_on": str(taken)}, {"visit_on": str(day)})


@guard(facts=("minutes", "taken_at", "first", "last"))
def taken_while_there(now: SubjectSituation, _: Params) -> Verdict:
    """Between check-in and check-out, or before it came where they are still there; clocks may differ a little."""
    visit, taken, slack = _visit(now), _at(now, "taken_at"), _slack(now)
    first, last = visit.checked_in_at, visit.checked_out_at or _at(now, "sent_at")
    met = taken is None or first is None or last is None or _minute(first) - slack <= taken <= last + slack
    facts = {"taken_at": _text(now, taken), "minutes": slack.seconds // 60}
    return Verdict(met, facts, {"first": _text(now, first), "last": _text(now, last)})


@guard(facts=())
def not_sent_before(now: SubjectSituation, _: Params) -> Verdict:
    known = any(one.photo == now.given.get("photo") for one in _visit(now).photos)
    return Verdict(not known, {"known": known}, {"known": False})


@guard(params={"of": "texts"}, facts=())
def consented(now: SubjectSituation, params: Params) -> Verdict:
    """What shows more than a house may (CC 1033), with the consent of whom it shows."""
    shows, consent = now.given.get("shows"), now.given.get("consent")
    return Verdict(shows not in params["of"] or consent is not None, {"consent": consent}, {"consent_to": params["of"]})


@guard(facts=())
def photo_was_drawn(now: SubjectSituation, _: Params) -> Verdict:
    met = now.given.get("photo") in _visit(now).drawn
    return Verdict(met, {"drawn": met}, {"drawn": True})


# ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@effect()
def visitors_named(now: SubjectSituation, _: Params) -> None:
    visit, given = _visit(now), now.given
    visit.visitor, visit.second_visitor = _named(now)
    visit.stop = given.get("stop", visit.stop)
    if given.get("assisting_channel") is not None:
        visit.assisting_channel, visit.assistant = given["assisting_channel"], given["assistant"]
        visit.entrustment, visit.trained_on = given["entrustment"], date.fromisoformat(given["trained_on"])


@effect()
def checked_in(now: SubjectSituation, _: Params) -> None:
    visit = _visit(now)
    visit.checked_in_at = _at(now, "at")
    visit.risk_acknowledged = visit.risk_acknowledged or now.given.get("risk_acknowledged", False)


@effect()
def checked_out(now: SubjectSituation, _: Params) -> None:
    _visit(now).checked_out_at = _at(now, "at")


@effect()
def risk_seen(now: SubjectSituation, _: Params) -> None:
    visit, risk = _visit(now), now.given.get("address_risk")
    if risk is not None:
        visit.address_risk, visit.risk_by, visit.risk_on = risk, now.actor, now.today
        visit.risk_at = datetime.fromisoformat(now.gathered["at"])


@effect()
def reported(now: SubjectSituation, params: Params) -> None:
    visit, given = _visit(now), now.given
    visit.outcome, visit.person_met = given["outcome"], given["person_met"]
    visit.photo = visit.photos[0].photo if visit.photos else None
    visit.stated = visit.photo is None
    visit.no_photo = given.get("no_photo") if visit.stated else None
    reported_again(now, params)


@effect()
def reported_again(now: SubjectSituation, _: Params) -> None:
    visit, given = _visit(now), now.given
    for name in ("house", "workplace", "attitude", "ability", "next_step"):
        setattr(visit, name, given[name])
    visit.reported_at = visit.reported_at or datetime.fromisoformat(now.gathered["at"])


@effect()
def sent_back(now: SubjectSituation, _: Params) -> None:
    _visit(now).times_returned += 1


@recorder
def photo(now: SubjectSituation, _: Params) -> None:
    given = now.given
    taken = datetime.fromisoformat(given["taken_at"]).astimezone(UTC)
    _visit(now).photos = (*_visit(now).photos, Photo(given["photo"], given["shows"], taken))


@recorder
def drawn(now: SubjectSituation, _: Params) -> None:
    visit = _visit(now)
    visit.drawn = tuple(sorted({*visit.drawn, now.given["photo"]}))
    visit.recheck_since = visit.recheck_since or now.today


@recorder
def recheck(now: SubjectSituation, _: Params) -> None:
    visit, photo = _visit(now), now.given["photo"]
    visit.drawn = tuple(one for one in visit.drawn if one != photo)
    visit.recheck_since = visit.recheck_since if visit.drawn else None
    visit.rechecks = (*visit.rechecks, Recheck(photo, now.given["verdict"], now.actor, now.today))


def _zone(now: SubjectSituation) -> ZoneInfo:
    return ZoneInfo(now.policy.figure("branch.time_zone"))


def _slack(now: SubjectSituation) -> timedelta:
    return timedelta(minutes=now.policy.figure("visit.clock_minutes"))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _text(now: SubjectSituation, at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(_zone(now)).isoformat(timespec="seconds")


def _at(now: SubjectSituation, name: str) -> datetime | None:
    raw: Any = now.given.get(name)
    return None if raw is None else datetime.fromisoformat(raw).astimezone(UTC)


def _day(now: SubjectSituation, name: str) -> date | None:
    at = _at(now, name)
    return None if at is None else at.astimezone(_zone(now)).date()


VISIT = Noun(
    chart="visit", word="visit", subject=Visit, rows=Rows(Visit), registry=REGISTRY,
    people=("visitor", "second_visitor"),
)  # fmt: skip
