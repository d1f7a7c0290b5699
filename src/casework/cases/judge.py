"""Folds the entries of a case anew and decides again every step and refusal of them; no database. Pure.

The same `fold` as the door's, with the chart and policy that each entry cites. Live verification compares what comes of
it with the rows (`casework.cases.replay`); a bundle has no rows, and is judged by this alone.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from casework.audit.entry import Entry
from casework.audit.findings import Report
from casework.cases import asked, fold
from casework.cases.case import Case
from casework.cases.cited import Cited
from casework.cases.days import day_faults
from casework.cases.noun import CASE
from casework.cases.owners_judge import OwnersJudge, history_of
from casework.cases.rules_in_force import Judged
from casework.cases.situation import Situation
from casework.lifecycle.fold import apply
from casework.statechart.chart import Chart, Event
from casework.statechart.decide import Refusal, Step, decide, decide_opening, unmet
from casework.statechart.fields import Field, take
from casework.statechart.policy import Policy

_POST_REASON: Final = "post_not_permitted"
_REMEMBERED: Final = 4_096


class _Told(Exception):
    """The entry cannot be replayed further; the finding has been noted."""


class _Judge:
    """What a case's entry means under the chart and policy it cites."""

    __slots__ = ("chart", "data", "entry", "judged", "policy", "today")

    def __init__(self, entry: Entry, chart: Chart, policy: Policy) -> None:
        self.entry = entry
        self.chart = chart
        self.policy = policy
        self.data = entry.data
        self.judged = Judged(entry, chart, policy)
        self.today = date.fromisoformat(entry.data["business_date"])

    def situation(self, case: Case) -> Situation:
        """The world in which it was decided."""
        data = self.data
        return Situation(
            case,
            self.today,
            self.policy,
            self.entry.actor.id,
            data["given"],
            data.get("gathered", {}),
            date.fromisoformat(data["on"]) if "on" in data else None,
        )


class _Fields:
    """Whether the data of entries are as their charts declare them; what recurs (a call, a day) is asked once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def faulty(self, judge: _Judge, of: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
        """Fields that are not as the chart declares them for `of`; a committed text counts as given."""
        entry, given = judge.entry, judge.data["given"]
        if entry.personal:
            given = dict.fromkeys(entry.personal, "–") | given
        if not fields and not given:
            return ()
        recorded_on = entry.recorded_at[:10]
        if any(type(value) is not str for value in given.values()):  # 1 and true would be remembered as one
            return _faulty(fields, given, judge, recorded_on)
        question = (entry.chart, entry.policy, of, judge.today, recorded_on, *given.items())
        known = self._known.get(question)
        if known is None:
            known = _faulty(fields, given, judge, recorded_on)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[question] = known
        return known


def _faulty(fields: Mapping[str, Field], given: Mapping[str, Any], judge: _Judge, recorded_on: str) -> tuple[str, ...]:
    latest = _latest(judge.today, recorded_on)
    return tuple(fault.field for fault in take(fields, given, today=judge.today, latest=latest, policy=judge.policy)[2])


def _latest(today: date, recorded_on: str) -> date:
    """A day more than the wall clock of the entry, which no time zone exceeds."""
    return max(today, date.fromisoformat(recorded_on) + timedelta(days=1))


class Ended(NamedTuple):
    """A case whose stream has ended: none if it could not be replayed; and its owners' history, as it is stored."""

    case: Case | None
    owners: list[tuple[Any, ...]]


class CaseJudge:
    """Follows one stream of a case after the other; findings go into the report.

    `cited` hears every entry that names a request under four eyes: whoever judges requests holds them against it.
    """

    def __init__(
        self, rulebook: Cited, owners: OwnersJudge, report: Report, cited: Callable[[Entry], None] = lambda _: None
    ) -> None:
        self._cited = cited
        self._report = report
        self._rulebook = rulebook
        self._owners = owners
        self._fields = _Fields()
        self._begin()

    def _begin(self) -> None:
        self._case: Case | None = None
        self._broken = False
        self._on = ""
        self._before: Entry | None = None
        self._history: list[tuple[Any, ...]] = []

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the case is left alone."""
        if self._broken:
            return
        try:
            self._replay(entry)
            self._before = entry
        except _Told:
            self._broken = True
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._find("replay_impossible", entry, error=type(error).__name__)
            self._broken = True

    def end(self, *, sound: bool) -> Ended:
        """The stream has ended; `sound` if nothing was wrong with its chain."""
        self._report.cases += 1
        ended = Ended(self._case if sound and not self._broken else None, self._history)
        self._report.cases_not_replayed += ended.case is None
        self._begin()
        return ended

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, code: str, entry: Entry, /, **detail: Any) -> None:
        self._report.find(code, entry.stream, entry.stream_seq, **detail)

    def _stop(self, code: str, entry: Entry, /, **detail: Any) -> None:
        self._find(code, entry, **detail)
        raise _Told

    def _replay(self, entry: Entry) -> None:
        cited = self._rulebook.of(entry)
        if cited is None:
            raise _Told
        judge = _Judge(entry, *cited)
        business_date = entry.data["business_date"]
        if business_date < self._on:
            self._find("business_date_decreased", entry, before=self._on, here=business_date)
        self._on = business_date
        case, event = self._case, entry.event
        if case is None:
            self._case = self._open(judge)
            self._remember(entry, self._case)
            return
        if entry.from_ != case.state:
            self._stop("state_differs", entry, entry_says=entry.from_, replayed=case.state)
        if event.startswith(fold.SAYS.step):
            self._step(judge, case)
        elif event.startswith(fold.SAYS.refused):
            self._refusal(judge, case)
        else:
            self._other(judge, case)
        apply(CASE, case, event, entry.to, entry.actor.id, entry.data, judge.chart, judge.policy)
        if entry.to != case.state:
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)
        self._remember(entry, case)

    def _remember(self, entry: Entry, case: Case) -> None:
        owner = history_of(entry, case)
        if owner is not None:
            self._history.append(owner)

    def _open(self, judge: _Judge) -> Case:
        entry, chart = judge.entry, judge.chart
        case_id = int(entry.stream.partition(":")[2])
        if entry.event != fold.SAYS.opened:
            self._stop("replay_impossible", entry, error="not_opened")
        case = fold.open_case(case_id, entry.actor.id, chart, entry.data)
        ground = chart.openings[entry.data["ground"]]
        refusal = decide_opening(ground, judge.situation(case), ground.posts)
        if refusal is not None:
            self._find("opening_not_allowed", entry, reasons=_codes(refusal))
        self._check_fields(judge, ground.fields, ground.name)
        self._owners.opened(judge.judged, case)
        if (entry.from_, entry.to) != (None, case.state):
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)
        return case

    def _step(self, judge: _Judge, case: Case) -> None:
        entry, name = judge.entry, judge.entry.event.removeprefix(fold.SAYS.step)
        self._report.replayed_steps += 1
        spec = judge.chart.events[name]
        self._under_four_eyes(judge, case, spec)
        # Who may approve is for the chart of requests to say: their keeper does.
        posts = spec.posts if spec.four_eyes is not None else frozenset({entry.data["post"]})
        verdict = decide(judge.chart, name, case.state, judge.situation(case), posts)
        if not isinstance(verdict, Step):
            self._stop("step_not_allowed", entry, reasons=_codes(verdict))
        elif verdict.to != entry.to:
            self._stop("step_elsewhere", entry, entry_says=entry.to, replayed=verdict.to)
        self._owners.acted(judge.judged, case, spec.only_own)
        self._check_fields(judge, spec.fields)
        self._check_flags(judge, case, spec)

    def _refusal(self, judge: _Judge, case: Case) -> None:
        entry, chart = judge.entry, judge.chart
        self._report.replayed_refusals += 1
        name, reasons = entry.event.removeprefix(fold.SAYS.refused), entry.data["reasons"]
        recorded = [reason["code"] for reason in reasons]
        if self._owners.refused(judge.judged, case, name):
            return
        if recorded == [_POST_REASON]:
            permitted = (chart.events.get(name) or chart.facts[name]).posts
            if not permitted.isdisjoint(reasons[0]["saw"]["posts"]):
                self._find("refusal_differs", entry, entry_says=recorded, replayed=[])
            return
        if name in chart.facts:
            replayed = [reason.code for reason in unmet(chart.facts[name].guards, judge.situation(case))]
        else:
            verdict = decide(chart, name, case.state, judge.situation(case), chart.events[name].posts)
            replayed = asked.before_the_guards(chart.events[name], entry, case)
            replayed += _codes(verdict) if isinstance(verdict, Refusal) else []
        if recorded != replayed or entry.reason_code != recorded[0]:
            self._find("refusal_differs", entry, entry_says=recorded, replayed=replayed)

    def _other(self, judge: _Judge, case: Case) -> None:
        """Facts, measures, notes, assignments: none of them moves the case."""
        entry = judge.entry
        if entry.event.startswith(fold.SAYS.fact):
            self._report.replayed_facts += 1
            kind = judge.chart.facts[entry.event.removeprefix(fold.SAYS.fact)]
            if entry.data["post"] not in kind.posts:
                self._find(_POST_REASON, entry, post=entry.data["post"])
            self._owners.acted(judge.judged, case, kind.only_own)
            on, latest = date.fromisoformat(entry.data["on"]), _latest(judge.today, entry.recorded_at[:10])
            if day_faults(case, on, latest, judge.policy):
                self._find("data_not_typed", entry, fields=["on"])
            reasons = unmet(kind.guards, judge.situation(case))
            if reasons:
                self._find("fact_not_allowed", entry, reasons=[reason.code for reason in reasons])
            self._check_fields(judge, kind.fields)
        elif entry.event == fold.SAYS.noted:
            self._owners.noted(judge.judged, case)
        elif entry.event == fold.ASSIGNED:
            self._owners.assigned(judge.judged, case, self._before)
        elif entry.event.startswith(fold.SAYS.asked):
            self._asked(judge, case)
            spec = judge.chart.events[entry.event.removeprefix(fold.SAYS.asked)]
            self._owners.acted(judge.judged, case, spec.only_own)
        if entry.to != case.state:
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)

    def _under_four_eyes(self, judge: _Judge, case: Case, spec: Event) -> None:
        fault = asked.fault_of_step(spec, judge.entry, case)
        if fault is not None:
            self._find(fault, judge.entry)
        if "four_eyes" in judge.data:
            self._cited(judge.entry)

    def _asked(self, judge: _Judge, case: Case) -> None:
        """An event asked for under four eyes: it could have happened then, and nothing moves yet."""
        entry, name = judge.entry, judge.entry.event.removeprefix(fold.SAYS.asked)
        spec = judge.chart.events[name]
        verdict = decide(judge.chart, name, case.state, judge.situation(case), frozenset({entry.data["post"]}))
        if isinstance(verdict, Refusal) or spec.four_eyes is None:
            self._find("step_not_allowed", entry, reasons=_codes(verdict) if isinstance(verdict, Refusal) else [])
        self._check_fields(judge, spec.fields)
        self._check_flags(judge, case, spec)
        self._cited(entry)

    def _check_flags(self, judge: _Judge, case: Case, spec: Event) -> None:
        """Whoever asked and decided was shown what the case called for."""
        recorded = [flag["code"] for flag in judge.data.get("flags", [])]
        replayed = [flag.code for flag in unmet(spec.flags, judge.situation(case))]
        if recorded != replayed:
            self._find("flags_differ", judge.entry, entry_says=recorded, replayed=replayed)

    def _check_fields(self, judge: _Judge, fields: Mapping[str, Field], of: str = "") -> None:
        """`of`: the ground of an opening; else the fields are those of the entry's event."""
        faulty = self._fields.faulty(judge, of or judge.entry.event, fields)
        if faulty:
            self._find("data_not_typed", judge.entry, fields=list(faulty))


def _codes(verdict: Refusal) -> list[str]:
    return [reason.code for reason in verdict.reasons]
