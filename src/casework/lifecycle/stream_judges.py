"""Follows whole streams: of one subject, of a customer, and what lives in the stream of another; no database. Pure.

Each entry is judged by `casework.lifecycle.judge`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from casework.customer import Customer, may_be_of
from casework.lifecycle.judge import Fields, Judged, NounJudge, Stopped
from casework.lifecycle.noun import Noun
from casework.lifecycle.told import Act, Told, said
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy


class Within:
    """Subjects that live in the stream of another, each by its number under its noun's word in an entry's `data`."""

    def __init__(self, judges: Collection[NounJudge]) -> None:
        self._judges = {judge.noun.word: judge for judge in judges}
        self.begin()

    def begin(self) -> None:
        """Another stream begins: nothing lives in it yet."""
        self.subjects: dict[tuple[str, int], Any] = {}

    def judges(self, event: str) -> NounJudge | None:
        """Who judges an entry of this name; none: it is of none of these nouns."""
        return self._judges.get(event.partition(".")[0])

    def follow(self, judge: NounJudge, judged: Judged, parent: Any = None) -> Any:
        """The next entry of one of them: which it is, none of an opening that was refused."""
        if judged.entry.event == judge.noun.says.refused_opening:
            judge.refuse_opening(judged, parent)
            return None
        word = judge.noun.word
        number = judged.data[word]
        if type(number) is not int:
            judge.stop("replay_impossible", judged.entry, error="no_number")
        subject = self.subjects.get((word, number))
        if subject is None:
            subject = self.subjects[word, number] = judge.open(judged, number, parent)
        else:
            judge.follow(judged, subject, parent)
        return subject


CitedBy = Callable[[Entry], tuple[Chart, Policy] | None]
"""Chart and policy that an entry cites, none where they cannot be used (which has been told)."""


class ActOf(Protocol):
    """Says how far whoever acted by an entry reached; none of the service, and where no table says."""

    def __call__(
        self, judged: Judged, subject: Any, only_own: Collection[str] = (), *, any_of: bool = False
    ) -> Act | None:
        """`any_of`: through any of the customer's, not only those that the subject binds."""


class _StreamJudge:
    """Follows one stream after the other. `untold`: an entry of this one cites rules that cannot be used."""

    def __init__(self, cited: CitedBy) -> None:
        self._rules = cited
        self._begin()

    def _begin(self) -> None:
        self._broken = self.untold = False
        self._on = ""

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the stream is left alone."""
        judge = self._judge_of(entry)
        if judge is None or self._broken:
            return
        try:
            rules = self._rules(entry)
            if rules is None:
                self.untold = True
                raise Stopped
            self._on = in_order(judge, entry, self._on)
            self._replay(judge, Judged(entry, *rules))
        except Stopped:
            self._broken = True
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            judge.find("replay_impossible", entry, error=type(error).__name__)
            self._broken = True

    def _judge_of(self, entry: Entry) -> NounJudge | None:
        """Who judges it; none: others do."""
        raise NotImplementedError

    def _replay(self, judge: NounJudge, judged: Judged) -> None:
        raise NotImplementedError


class RootJudge(_StreamJudge):
    """Follows streams of which each is one subject's, by its number."""

    def __init__(self, judge: NounJudge, cited: CitedBy) -> None:
        self._judge = judge
        super().__init__(cited)

    def _begin(self) -> None:
        super()._begin()
        self._subject: Any = None

    def end(self, *, sound: bool) -> Any:
        """The stream has ended: whose it is, none where it could not be replayed or (`sound`) is not whole."""
        subject = self._subject if sound and not self._broken else None
        self._begin()
        return subject

    def _judge_of(self, entry: Entry) -> NounJudge:
        del entry
        return self._judge

    def _replay(self, judge: NounJudge, judged: Judged) -> None:
        if self._subject is None:
            self._subject = judge.open(judged, int(judged.entry.stream.partition(":")[2]))
        else:
            judge.follow(judged, self._subject)


class CustomerJudge(_StreamJudge):
    """Follows one customer's stream after the other; what is of no noun in it is for others to judge.

    `asked` hears every entry that names a request under four eyes, `told` what others are told; `act_of`
    says how far whoever acted reached.
    """

    def __init__(
        self, nouns: Collection[Noun], cited: CitedBy, report: Report, asked: Callable[[Entry], None] = lambda _: None,
        told: Told | None = None, act_of: ActOf | None = None,
    ) -> None:  # fmt: skip
        self._told = Told() if told is None else told
        fields = Fields()
        self._judges = [
            _OfCustomer(noun, report, fields, asked, self._told, act_of) for noun in nouns if noun.of_customer
        ]
        super().__init__(cited)

    def _begin(self) -> None:
        super()._begin()
        self._within = Within(self._judges)
        self._stream = ""

    def forget(self) -> None:
        """A part of the streams has ended."""
        for judge in self._judges:
            judge.forget()

    def end(self, *, sound: bool) -> Mapping[tuple[str, int], Any]:
        """The stream has ended: what lives in it, by word and number; nothing where it could not be replayed."""
        subjects = self._within.subjects if sound and not self._broken else {}
        if self._stream and not subjects:
            self._told.broken(self._stream)
        for (word, number), subject in subjects.items():
            self._told.ended(word, number, subject)
        self._begin()
        return subjects

    def _judge_of(self, entry: Entry) -> NounJudge | None:
        judge = self._within.judges(entry.event)
        self._stream = entry.stream if judge is not None else self._stream
        return judge

    def _replay(self, judge: NounJudge, judged: Judged) -> None:
        subject = self._within.follow(judge, judged)
        if subject is not None:
            self._tell(judge, judged, subject)

    def _tell(self, judge: NounJudge, judged: Judged, subject: Any) -> None:
        """What this entry tells; and what whoever is opened from now on would be told."""
        teller = self._told.teller(judge.noun.word, subject.id)
        opening, now = judged.chart.openings[subject.opened_for].tells, judge.tells(judged)
        for tell in (*opening, *now):
            on = judged.today if tell.on is None else getattr(subject, tell.on[1:])
            teller.may_tell.add(said(tell.fact, on.isoformat(), tell.filled(subject)))
        teller.began = frozenset(tell.fact for tell in opening)
        teller.ended = teller.ended if subject.live else frozenset(tell.fact for tell in now) or teller.ended


def in_order(judge: NounJudge, entry: Entry, before: str) -> str:
    """The entry's business date, which is not before that of the entry before it."""
    here: str = entry.data["business_date"]
    if here < before:
        judge.find("business_date_decreased", entry, before=before, here=here)
    return here


class _OfCustomer(NounJudge):
    """What is a customer's lives in their stream, and in nobody else's; whom who acted reached is asked at the end."""

    def __init__(
        self, noun: Noun, report: Report, fields: Fields, asked: Callable[[Entry], None], told: Told,
        act_of: ActOf | None,
    ) -> None:  # fmt: skip
        super().__init__(noun, report, fields, asked)
        self._told, self._act_of = told, act_of

    def _opened(self, judged: Judged, subject: Any, parent: Any) -> None:
        del parent
        if not may_be_of(judged.entry.stream, Customer(subject.institution, subject.borrower_id)):
            self.stop("replay_impossible", judged.entry, error="another_customer")
        self._remember(judged, subject, (), any_of=not subject.binds(None))  # it was not there yet to bind anybody

    def _acted(self, judged: Judged, subject: Any, parent: Any, only_own: Collection[str]) -> None:
        del parent
        self._remember(judged, subject, only_own)

    def _remember(self, judged: Judged, subject: Any, only_own: Collection[str], *, any_of: bool = False) -> None:
        act = None if self._act_of is None else self._act_of(judged, subject, only_own, any_of=any_of)
        if act is not None:
            self._told.acts.append(act)
