"""Judges the entries of any noun: decides again what they say, and folds them; no database. Pure.

The same `fold` as the door's, with the chart and policy that each entry cites. What a noun adds (who reaches it, whose
it is, entries that only it has) stands in a judge made from `NounJudge`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, NoReturn

from casework.lifecycle import asked
from casework.lifecycle.fold import DATED, apply, begin, situation_of
from casework.lifecycle.noun import Noun
from casework.lifecycle.versions import NOT_MOVED, lives_under, why_not
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Chart, Event, Tell
from casework.rules.statechart.decide import (
    Refusal,
    Step,
    decide_again,
    decide_opening,
    unmet,
)
from casework.rules.statechart.fields import Field, take
from casework.rules.statechart.policy import Policy

POST_REASON: Final = "post_not_permitted"
OUT_OF_REACH: Final = "out_of_reach"
NOTE: Final = "note"
_REMEMBERED: Final = 4_096
_SCALARS: Final = frozenset((str, int, bool, type(None)))


class Stopped(Exception):
    """The entry cannot be replayed further; the finding has been noted."""


class Judged:
    """An entry with the chart and policy it cites."""

    __slots__ = ("_known", "_known_of", "chart", "data", "entry", "policy", "today")

    def __init__(self, entry: Entry, chart: Chart, policy: Policy) -> None:
        self.entry = entry
        self.chart = chart
        self.policy = policy
        self.data = entry.data
        self.today = date.fromisoformat(entry.data["business_date"])
        self._known: Any = None
        self._known_of: tuple[Any, Any] = (None, None)

    @property
    def latest(self) -> date:
        """A day more than the wall clock of the entry, which no time zone exceeds."""
        return max(self.today, _day_after(self.entry.recorded_at[:10]))

    @property
    def reasons(self) -> list[str]:
        """The codes of a refusal."""
        return [reason["code"] for reason in self.data["reasons"]]

    def situation(self, noun: Noun, subject: Any, parent: Any = None) -> Any:
        """The world in which it was decided; the same for who asks again."""
        known_of, known_parent = self._known_of
        if known_of is not subject or known_parent is not parent:
            self._known = situation_of(noun, subject, self.entry.actor.id, self.data, self.policy, parent)
            self._known_of = subject, parent
        return self._known

    def known_situation(self, subject: Any) -> Any:
        """The same where it was asked for already, else none."""
        return self._known if self._known_of[0] is subject else None


@lru_cache(maxsize=_REMEMBERED)
def _day_after(day: str) -> date:
    return date.fromisoformat(day) + timedelta(days=1)


class Fields:
    """Whether the data of entries are as their charts declare them; what recurs (a call, a day) is asked once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def faulty(self, judged: Judged, of: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
        """Fields that are not as the chart declares them for `of`; a committed text counts as given."""
        entry, given = judged.entry, judged.data["given"]
        if entry.personal:
            given = dict.fromkeys(entry.personal, "–") | given
        if not fields and not given:
            return ()
        kinds = tuple(map(type, given.values()))  # 1 and true are one question else
        if not _SCALARS.issuperset(kinds):
            return _faulty(fields, given, judged)
        question = (entry.chart, entry.policy, of, judged.today, entry.recorded_at[:10], kinds, *given.items())
        known = self._known.get(question)
        if known is None:
            known = _faulty(fields, given, judged)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[question] = known
        return known


def _faulty(fields: Mapping[str, Field], given: Mapping[str, Any], judged: Judged) -> tuple[str, ...]:
    taken = take(fields, given, today=judged.today, latest=judged.latest, policy=judged.policy)
    return tuple(fault.field for fault in taken[2])


class NounJudge:
    """Judges entries of one noun, whichever subject they are of; findings go into the report.

    `cited` hears every entry that names a request under four eyes.
    """

    def __init__(
        self, noun: Noun, report: Report, fields: Fields, cited: Callable[[Entry], None] = lambda _: None
    ) -> None:
        self.noun = noun
        self._report = report
        self._fields = fields
        self._cited = cited
        self._moves_cited: set[tuple[int, str]] = set()

    def forget(self) -> None:
        """A part of the streams has ended: nothing that was said in it is taken as said in the next."""
        self._moves_cited.clear()

    def hear_unread(self, entry: Entry) -> None:
        """Tell of a request that an entry names which cannot be judged: its approval is not without effect for that."""
        named = entry.data.get("four_eyes" if entry.event.startswith(self.noun.says.step) else "request")
        if entry.event.startswith((self.noun.says.step, self.noun.says.asked)) and named is not None:
            with suppress(KeyError, TypeError, AttributeError):  # the entry itself is not as one of ours
                self._cited(entry)

    def open(self, judged: Judged, number: int, parent: Any = None) -> Any:
        """The subject that an opening begins."""
        entry, chart = judged.entry, judged.chart
        if entry.event != self.noun.says.opened:
            self.stop("replay_impossible", entry, error="not_opened")
        subject = begin(self.noun, number, entry.actor.id, chart, judged.data, judged.policy, parent)
        ground = chart.openings[judged.data["ground"]]
        now = judged.situation(self.noun, subject, parent)
        refusal = decide_opening(ground, now, self._posts_of(judged))
        if refusal is not None:
            self.find("opening_not_allowed", entry, reasons=_codes(refusal))
        self._check_fields(judged, ground.fields, ground.name)
        self._opened(judged, subject, parent)
        if (entry.from_, entry.to) != (None, subject.state):
            self.stop("state_differs", entry, entry_says=entry.to, replayed=subject.state)
        return subject

    def refuse_opening(self, judged: Judged, parent: Any = None) -> None:
        """An opening that was refused: nothing came of it, for the reasons that it says."""
        entry, data = judged.entry, judged.data
        self._report.replayed_refusals += 1
        if (entry.from_, entry.to) != (None, None):
            self.stop("state_differs", entry, entry_says=entry.to, replayed=None)
        ground, recorded = judged.chart.openings[data["ground"]], judged.reasons
        if recorded == [OUT_OF_REACH]:
            self._believe(judged, right=self._beyond_reach(judged, None, parent, ()))
        elif recorded == [POST_REASON]:
            self._believe(judged, right=ground.posts.isdisjoint(data["reasons"][0]["saw"]["posts"]))
        else:
            subject = begin(self.noun, 0, entry.actor.id, judged.chart, data, judged.policy, parent)
            refusal = decide_opening(ground, judged.situation(self.noun, subject, parent), ground.posts)
            self._compare(judged, _codes(refusal) if refusal is not None else [])

    def follow(self, judged: Judged, subject: Any, parent: Any = None) -> None:
        """Judge an entry of a subject, and let it happen to it."""
        entry, event, says = judged.entry, judged.entry.event, self.noun.says
        if entry.from_ != subject.state:
            self.stop("state_differs", entry, entry_says=entry.from_, replayed=subject.state)
        if event == says.moved:  # first: a noun may call its steps by its word alone
            self._moved(judged, subject)
        elif event.startswith(says.step):
            self._step(judged, subject, parent)
        elif event.startswith(says.refused):
            self._refusal(judged, subject, parent)
        elif event.startswith(says.fact):
            self._fact(judged, subject, parent)
        elif event.startswith(says.asked):
            self._asked(judged, subject, parent)
        elif event == says.noted:
            self._noted(judged, subject, parent)
        else:
            self._more(judged, subject)
        apply(
            self.noun, subject, event, entry.to, entry.actor.id, entry.data, judged.chart, judged.policy, parent,
            judged.known_situation(subject),
        )  # fmt: skip
        if entry.to != subject.state:
            self.stop("state_differs", entry, entry_says=entry.to, replayed=subject.state)

    def tells(self, judged: Judged) -> Sequence[Tell]:
        """What others learn of this entry as facts of their own."""
        event, says = judged.entry.event, self.noun.says
        if event == says.opened:
            return judged.chart.openings[judged.data["ground"]].tells
        step = event.startswith(says.step) and event != says.moved
        return judged.chart.events[event.removeprefix(says.step)].tells if step else ()

    def find(self, code: str, entry: Entry, /, **detail: Any) -> None:
        """A finding on this entry."""
        self._report.find(code, entry.stream, entry.stream_seq, **detail)

    def stop(self, code: str, entry: Entry, /, **detail: Any) -> NoReturn:
        """A finding after which nothing can be said of the rest; raises `Stopped`."""
        self.find(code, entry, **detail)
        raise Stopped

    # ── what a noun adds ────────────────────────────────────────────────────────────────────────────────────────────

    def _opened(self, judged: Judged, subject: Any, parent: Any) -> None:
        """Whether whoever opened it reached it."""

    def _acted(self, judged: Judged, subject: Any, parent: Any, only_own: Collection[str]) -> None:
        """Whether the subject, as it was before, was within the actor's reach."""

    def _noted(self, judged: Judged, subject: Any, parent: Any) -> None:
        """Whether the note was permitted."""

    def _more(self, judged: Judged, subject: Any) -> None:
        """An entry that only this noun has."""

    def _posts_of(self, judged: Judged) -> frozenset[str]:
        """The posts of its chart that the actor had a hand in it by."""
        return frozenset({judged.data["post"]})

    def _permitted(self, judged: Judged, subject: Any, name: str, posts: frozenset[str]) -> frozenset[str]:
        """The posts that may do this: as the chart says."""
        del judged, subject, name
        return posts

    def _not_allowed(self, reasons: Collection[str]) -> str:
        """What the finding on a step is called that these reasons forbade."""
        del reasons
        return "step_not_allowed"

    def _beyond_reach(self, judged: Judged, subject: Any, parent: Any, only_own: Collection[str]) -> bool:
        """Whether a refusal for want of reach can be true."""
        del judged, subject, parent, only_own
        return True

    def _refused_beside(self, judged: Judged, subject: Any, name: str) -> bool:
        """Whether a refusal of what no chart decides can be true; KeyError for what there is not."""
        del subject
        if name != NOTE:
            raise KeyError(name)
        if judged.reasons != [POST_REASON]:
            return False
        (reason,) = judged.data["reasons"]
        return frozenset(reason["needs"]["any_of_posts"]).isdisjoint(reason["saw"]["posts"])

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self, judged: Judged, subject: Any, parent: Any) -> None:
        entry, name = judged.entry, judged.entry.event.removeprefix(self.noun.says.step)
        self._report.replayed_steps += 1
        spec = judged.chart.events[name]
        fault = asked.fault_of_step(spec, entry, subject)
        if fault is not None:
            self.find(fault, entry)
        if DATED in judged.data and not self._may_be_dated(judged, subject):
            self.find("step_not_allowed", entry, reasons=[DATED])
        if "four_eyes" in judged.data:
            self._cited(entry)
        # Who may approve is for the chart of requests to say: their keeper does.
        posts = spec.posts if spec.four_eyes is not None else self._posts_of(judged)
        if not lives_under(judged.chart, subject):
            self.find("step_not_allowed", entry, reasons=[NOT_MOVED])
        verdict = decide_again(judged.chart, name, subject.state, judged.situation(self.noun, subject, parent), posts)
        if not isinstance(verdict, Step):
            self.stop(self._not_allowed(_codes(verdict)), entry, reasons=_codes(verdict))
        elif verdict.to != entry.to:
            self.stop("step_elsewhere", entry, entry_says=entry.to, replayed=verdict.to)
        self._acted(judged, subject, parent, spec.only_own)
        self._check_fields(judged, spec.fields)
        self._check_flags(judged, subject, parent, spec)

    def _refusal(self, judged: Judged, subject: Any, parent: Any) -> None:
        entry, chart = judged.entry, judged.chart
        self._report.replayed_refusals += 1
        name, recorded = entry.event.removeprefix(self.noun.says.refused), judged.reasons
        spec = chart.events.get(name) or chart.facts.get(name)
        if recorded == [NOT_MOVED]:
            self._believe(judged, right=not lives_under(chart, subject))
        elif recorded == [OUT_OF_REACH]:
            only_own = spec.only_own if spec is not None else ()
            self._believe(judged, right=self._beyond_reach(judged, subject, parent, only_own))
        elif spec is None:
            self._believe(judged, right=self._refused_beside(judged, subject, name))
        elif recorded == [POST_REASON]:
            posts = self._permitted(judged, subject, name, spec.posts)
            self._believe(judged, right=posts.isdisjoint(judged.data["reasons"][0]["saw"]["posts"]))
        elif isinstance(spec, Event):
            now = judged.situation(self.noun, subject, parent)
            verdict = decide_again(chart, name, subject.state, now, spec.posts)
            replayed = asked.before_the_guards(spec, entry, subject)
            self._compare(judged, replayed + (_codes(verdict) if isinstance(verdict, Refusal) else []))
        else:
            self._compare(judged, _unmet(spec.guards, judged.situation(self.noun, subject, parent)))

    def _fact(self, judged: Judged, subject: Any, parent: Any) -> None:
        entry = judged.entry
        self._report.replayed_facts += 1
        kind = judged.chart.facts[entry.event.removeprefix(self.noun.says.fact)]
        if judged.data["post"] not in kind.posts:
            self.find(POST_REASON, entry, post=judged.data["post"])
        self._acted(judged, subject, parent, kind.only_own)
        if subject.day_faults(date.fromisoformat(judged.data["on"]), judged.latest, judged.policy):
            self.find("data_not_typed", entry, fields=["on"])
        reasons = _unmet(kind.guards, judged.situation(self.noun, subject, parent))
        if reasons:
            self.find("fact_not_allowed", entry, reasons=reasons)
        self._check_fields(judged, kind.fields)

    def _asked(self, judged: Judged, subject: Any, parent: Any) -> None:
        """An event asked for under four eyes: it could have happened then, and nothing moves yet."""
        entry, name = judged.entry, judged.entry.event.removeprefix(self.noun.says.asked)
        spec = judged.chart.events[name]
        now = judged.situation(self.noun, subject, parent)
        verdict = decide_again(judged.chart, name, subject.state, now, frozenset({judged.data["post"]}))
        if isinstance(verdict, Refusal) or spec.four_eyes is None:
            self.find("step_not_allowed", entry, reasons=_codes(verdict) if isinstance(verdict, Refusal) else [])
        self._check_fields(judged, spec.fields)
        self._check_flags(judged, subject, parent, spec)
        self._cited(entry)
        self._acted(judged, subject, parent, spec.only_own)

    def _moved(self, judged: Judged, subject: Any) -> None:
        """Moved to the next version of its chart: from the one under which it lived, as that version says."""
        entry, chart, data = judged.entry, judged.chart, judged.data
        why = why_not(chart, subject.state, subject.chart, live=subject.live)
        if why is not None or chart.name != self.noun.chart or entry.actor.kind != "system":
            self.stop("move_not_allowed", entry, reasons=[why or "other_chart"])
        if (data["from_chart"], entry.to) != (subject.chart, chart.moves[subject.state]):
            self.stop("move_differs", entry, entry_says=entry.to, replayed=chart.moves[subject.state])
        approved = (data["request"], chart.title)
        if approved not in self._moves_cited:  # many thousand rest on one approval
            self._moves_cited.add(approved)
            self._cited(entry)

    def _may_be_dated(self, judged: Judged, subject: Any) -> bool:
        """The service alone finds that something happened on another day: since the last step, and by today."""
        dated, since = date.fromisoformat(judged.data[DATED]), subject.state_since
        return judged.data["post"] == SYSTEM_POST and bool(since <= dated <= judged.latest)

    def _check_flags(self, judged: Judged, subject: Any, parent: Any, spec: Event) -> None:
        """Whoever asked and decided was shown what the subject called for."""
        if not spec.flags and "flags" not in judged.data:
            return
        recorded = [flag["code"] for flag in judged.data.get("flags", [])]
        replayed = _unmet(spec.flags, judged.situation(self.noun, subject, parent)) if spec.flags else []
        if recorded != replayed:
            self.find("flags_differ", judged.entry, entry_says=recorded, replayed=replayed)

    def _check_fields(self, judged: Judged, fields: Mapping[str, Field], of: str = "") -> None:
        """`of`: the ground of an opening; else the fields are those of the entry's event."""
        faulty = self._fields.faulty(judged, of or judged.entry.event, fields)
        if faulty:
            self.find("data_not_typed", judged.entry, fields=list(faulty))

    def _believe(self, judged: Judged, *, right: bool) -> None:
        """A refusal whose reason no guard gives."""
        if not right or judged.entry.reason_code != judged.reasons[0]:
            self.find("refusal_differs", judged.entry, entry_says=judged.reasons, replayed=[])

    def _compare(self, judged: Judged, replayed: list[str]) -> None:
        recorded = judged.reasons
        if recorded != replayed or judged.entry.reason_code != recorded[0]:
            self.find("refusal_differs", judged.entry, entry_says=recorded, replayed=replayed)


def _codes(verdict: Refusal) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def _unmet(uses: Any, situation: Any) -> list[str]:
    return [reason.code for reason in unmet(uses, situation)]
