"""Folds the entries of a case and of its children anew and decides every one of them again; no database. Pure.

Every noun's entries are judged by `casework.lifecycle.judge`; here stands what a case adds: its owners, who reaches it,
and its children, which live in its stream and whose guards look at the case as it stands. Live verification compares
what comes of it with the rows (`casework.work.cases.replay`); a bundle has no rows, and is judged by this alone.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from casework.lifecycle.fold import DATED
from casework.lifecycle.judge import Fields, Judged, NounJudge, Stopped
from casework.lifecycle.noun import Noun
from casework.lifecycle.stream_judges import Within, in_order
from casework.lifecycle.told import Told
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Chart, Tell
from casework.work.cases import fold
from casework.work.cases.case import Case
from casework.work.cases.cited import Cited
from casework.work.cases.noun import CASE
from casework.work.cases.nouns import NOUNS
from casework.work.cases.owners_judge import OwnersJudge, history_of, receiver_refused

_ASSIGN: Final = "assign"
_OWNER_AT: Final = 4  # in the rows of `owner_history`; the handler follows


class Ended(NamedTuple):
    """A case whose stream has ended: none if it could not be replayed; and its owners' history, as it is stored.

    `children`: what lived in its stream, by word and number.
    """

    case: Case | None
    owners: list[tuple[Any, ...]]
    children: Mapping[tuple[str, int], Any]


class _OfCase(NounJudge):
    """Entries of the case itself: who acted must reach it, and its owners follow from the rules."""

    def __init__(self, owners: OwnersJudge, report: Report, fields: Fields, cited: Callable[[Entry], None]) -> None:
        super().__init__(CASE, report, fields, cited)
        self._owners = owners
        self.before: Entry | None = None

    def _opened(self, judged: Judged, subject: Case, parent: Any) -> None:
        del parent
        self._owners.opened(judged, subject)

    def _acted(self, judged: Judged, subject: Case, parent: Any, only_own: Collection[str]) -> None:
        del parent
        self._owners.acted(judged, subject, only_own)

    def _noted(self, judged: Judged, subject: Case, parent: Any) -> None:
        del parent
        self._owners.noted(judged, subject, f"{CASE.word}.note")

    def _more(self, judged: Judged, subject: Case) -> None:
        if judged.entry.event == fold.ASSIGNED:
            self._owners.assigned(judged, subject, self.before)

    def _beyond_reach(self, judged: Judged, subject: Case, parent: Any, only_own: Collection[str]) -> bool:
        del parent
        return self._owners.beyond_reach(judged, subject, only_own)

    def _refused_beside(self, judged: Judged, subject: Case, name: str) -> bool:
        if name != _ASSIGN:
            return super()._refused_beside(judged, subject, name)
        data = judged.data
        return super()._refused_beside(judged, subject, "note") or all(
            receiver_refused(reason, data, subject) for reason in data["reasons"]
        )


class _OfChild(NounJudge):
    """Entries of a child: who acted must reach the case that it is of. `chart`: that of the case."""

    def __init__(
        self, noun: Noun, owners: OwnersJudge, report: Report, fields: Fields, cited: Callable[[Entry], None]
    ) -> None:
        super().__init__(noun, report, fields, cited)
        self._owners = owners
        self.chart: Chart | None = None

    def _opened(self, judged: Judged, subject: Any, parent: Case) -> None:
        del subject
        self._owners.acted(self._over(judged), parent)

    def _acted(self, judged: Judged, subject: Any, parent: Case, only_own: Collection[str]) -> None:
        if not self._shares(judged, subject):
            self._owners.acted(self._over(judged), parent, only_own)

    def _shares(self, judged: Judged, subject: Any) -> bool:
        """Whether it is as their own to whoever acted."""
        who = judged.data.get("acting_for", judged.entry.actor.id)
        return any(one.owner == who for one in self.noun.shared(subject))

    def _noted(self, judged: Judged, subject: Any, parent: Case) -> None:
        if not self._shares(judged, subject):
            self._owners.noted(self._over(judged), parent, f"{self.noun.word}.note")

    def _beyond_reach(self, judged: Judged, subject: Any, parent: Case, only_own: Collection[str]) -> bool:
        return not self._shares(judged, subject) and self._owners.beyond_reach(self._over(judged), parent, only_own)

    def _over(self, judged: Judged) -> Judged:
        """The entry under the chart of the case, by whose posts the tables of permissions are read."""
        return judged if self.chart is None else Judged(judged.entry, self.chart, judged.policy)


class _Untold(NamedTuple):
    """A fact that the case has to learn next: what a child's entry tells it."""

    entry: Entry
    event: str
    on: str
    given: Mapping[str, Any]

    def is_told(self, judged: Judged | None) -> bool:
        """Whether this entry of the case records it."""
        if judged is None or judged.entry.event != self.event:
            return False
        data = judged.data
        return bool((data["on"], data["evidence"], data["given"]) == (self.on, self.entry.entry_id, self.given))


def _untold(tell: Tell, judged: Judged, subject: Any) -> _Untold:
    happened = date.fromisoformat(judged.data.get(DATED, judged.data["business_date"]))
    on = happened if tell.on is None else getattr(subject, tell.on[1:])
    given = {name: value for name, value in tell.filled(subject).items() if value is not None}
    return _Untold(judged.entry, f"{fold.SAYS.fact}{tell.fact}", on.isoformat(), given)


class CaseJudge:
    """Follows one stream of a case after the other; findings go into the report.

    `cited` hears every entry that names a request under four eyes: whoever judges requests holds them against it.
    `told` hears of facts that others told.
    """

    def __init__(
        self, rulebook: Cited, owners: OwnersJudge, report: Report, cited: Callable[[Entry], None] = lambda _: None,
        told: Told | None = None,
    ) -> None:  # fmt: skip
        self._told = Told() if told is None else told
        self._report = report
        self._rulebook = rulebook
        fields = Fields()
        self._of_case = _OfCase(owners, report, fields, cited)
        self._of_children = [_OfChild(noun, owners, report, fields, cited) for noun in NOUNS if noun.child]
        self._children = Within(self._of_children)
        self._chart: Chart | None = None  # what they were told
        self._begin()

    def _begin(self) -> None:
        self._case: Case | None = None
        self._broken = False
        self._on = ""
        self._of_case.before = None
        self._history: list[tuple[Any, ...]] = []
        self._children.begin()
        self._untold: list[_Untold] = []
        self._steady, self._heard = True, False  # it has lived ever since it was opened; it was told something

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the case is left alone."""
        if self._broken:
            self._of_case.hear_unread(entry)
            return
        try:
            self._replay(entry)
            self._of_case.before = entry
        except Stopped:
            self._broken = True
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._of_case.find("replay_impossible", entry, error=type(error).__name__)
            self._broken = True

    def end(self, *, sound: bool) -> Ended:
        """The stream has ended; `sound` if nothing was wrong with its chain."""
        self._report.cases += 1
        if sound and not self._broken:
            self._hear(None)
        if sound and not self._broken and self._case is not None:
            self._tell(self._case)
        ended = Ended(self._case if sound and not self._broken else None, self._history, self._children.subjects)
        self._report.cases_not_replayed += ended.case is None
        self._begin()
        return ended

    def forget(self) -> None:
        """A part of the streams has ended."""
        for judge in (self._of_case, *self._of_children):
            judge.forget()

    def _tell(self, case: Case) -> None:
        """Who may have heard of what is their customer's, and through whom it was reached."""
        if self._steady and case.live:
            self._told.stands(case.stream, case)
        came_back = case.live and not self._steady  # it may have been reached, and have heard nothing
        people = [(row[_OWNER_AT], row[_OWNER_AT + 1]) for row in self._history]
        self._told.belonged(case, people, heard=self._heard or came_back)

    def _replay(self, entry: Entry) -> None:
        cited = self._rulebook.of(entry)
        if cited is None:
            self._of_case.hear_unread(entry)
            raise Stopped
        judged = Judged(entry, *cited)
        self._on = in_order(self._of_case, entry, self._on)
        case = self._case
        if case is None:
            self._case = case = self._of_case.open(judged, int(entry.stream.partition(":")[2]))
        elif (child := self._children.judges(entry.event)) is not None:
            self._hear(None)
            subject = self._children.follow(child, judged, case)
            self._untold = [_untold(tell, judged, subject) for tell in child.tells(judged)]
            return
        else:
            self._hear(judged)
            self._of_case.follow(judged, case)
            self._steady = self._steady and case.live
            if entry.event.startswith(fold.SAYS.fact):
                fact = entry.event.removeprefix(fold.SAYS.fact)
                self._heard |= self._told.hear(entry.stream, entry.stream_seq, case, fact, entry.data)
        if judged.chart is not self._chart:
            self._chart = judged.chart
            for one in self._of_children:
                one.chart = judged.chart
        owner = history_of(entry, case)
        if owner is not None:
            self._history.append(owner)

    def _hear(self, judged: Judged | None) -> None:
        """What a child's entry tells the case stands right behind it, as a fact of which that entry is the evidence."""
        if not self._untold:
            return
        first, *rest = self._untold
        if first.is_told(judged):
            self._untold = rest
            return
        self._untold = []
        self._of_case.find("not_told", first.entry, fact=first.event.removeprefix(fold.SAYS.fact))
