"""What customers' subjects told others, held against what those heard: across streams, once all are replayed. Pure.

A fact that was told names its teller as evidence (`<word>:<number>`). It must be one that the teller tells, with the
same data and day, of somebody whom the teller binds. Whoever has lived ever since it was opened, and is bound by what
lives, must have heard of it; whoever heard of the end of what is over must have heard of its beginning, and vice versa.
Whoever acted on a teller must have reached one of those whom it concerns, wherever they belonged on that day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from casework.customer import Customer, may_be_of
from casework.lifecycle.judge import OUT_OF_REACH
from casework.log.check.findings import Report
from casework.people.staff.permissions import Reach

Said = tuple[str, str, tuple[tuple[str, Any], ...]]
"""Fact, day and data, as they can be compared."""


class Heard(NamedTuple):
    """A fact that somebody was told, and by whom."""

    stream: str
    seq: int
    customer: Customer
    loan_id: str | None
    teller: tuple[str, int]
    said: Said


class Standing(NamedTuple):
    """Somebody who has lived ever since it was opened."""

    stream: str
    customer: Customer
    loan_id: str | None


@dataclass(slots=True)
class Teller:
    """All that it may have told, the facts of its beginning and of its end, and how it stands at last."""

    may_tell: set[Said] = field(default_factory=set)
    began: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    subject: Any = None


class Whose(NamedTuple):
    """Whose somebody was, at some time, as a reach looks at it: `HERE` for a team or a region, whichever."""

    owner: str
    handler: str
    team: str | None
    region: str | None
    product: str | None


class Act(NamedTuple):
    """Somebody acted on a teller by a post that reaches so far; `any_of`: through any of the customer's."""

    stream: str
    seq: int
    customer: Customer
    post: str
    reaches: tuple[Reach, ...]
    any_of: bool


HERE = "here"
"""The team and region of everybody, for whom only that they belonged to one is known."""


def said(fact: str, on: str, given: Mapping[str, Any]) -> Said:
    """In a form that can be compared."""
    return fact, on, tuple(sorted((name, value) for name, value in given.items() if value is not None))


class Told:
    """Hears tellers and listeners stream by stream; `words`: those of tellers.

    `all_told`: the streams of tellers come first, so that it is known of whom to remember that they live; else what was
    heard is compared, and nothing else.
    """

    def __init__(self, words: Iterable[str] = (), *, all_told: bool = False) -> None:
        self._words, self._all_told = frozenset(words), all_told
        self.tellers: dict[tuple[str, int], Teller] = {}
        self.customers: set[Customer] = set()
        self.heard: list[Heard] = []
        self.standing: list[Standing] = []
        self.unread: list[str] = []
        self.acts: list[Act] = []
        self.whose: dict[Customer, set[Whose]] = {}

    def teller(self, word: str, number: int) -> Teller:
        """What is known of one."""
        return self.tellers.setdefault((word, number), Teller())

    def ended(self, word: str, number: int, subject: Any) -> None:
        """Its stream has ended, and this is how it stands."""
        self.teller(word, number).subject = subject
        self.customers.add(Customer(subject.institution, subject.borrower_id))

    def broken(self, stream: str) -> None:
        """Of a stream that cannot be replayed nothing is known."""
        self.unread.append(stream)

    def hear(self, stream: str, seq: int, listener: Any, event: str, data: Mapping[str, Any]) -> bool:
        """A fact was recorded of somebody; whether it was told: its evidence names a teller."""
        word, _, number = str(data["evidence"]).partition(":")
        if word in self._words and number.isascii() and number.isdecimal() and len(number) <= 18:
            customer = Customer(listener.institution, listener.borrower_id)
            what = said(event, data["on"], data["given"])
            loan_id = getattr(listener, "loan_id", None)
            self.heard.append(Heard(stream, seq, customer, loan_id, (word, int(number)), what))
            return True
        return False

    def belonged(self, listener: Any, people: Iterable[tuple[str, str]], *, heard: bool) -> None:
        """Whose somebody has been (owner and handler); those who heard nothing count where all are remembered."""
        customer = Customer(listener.institution, listener.borrower_id)
        if heard or (self._all_told and customer in self.customers):
            team, region = HERE if listener.team else None, HERE if listener.region else None
            whose = {Whose(*both, team, region, listener.product) for both in people}
            self.whose.setdefault(customer, set()).update(whose)

    def stands(self, stream: str, listener: Any) -> None:
        """Somebody has lived ever since; kept only of customers of whom there is a teller."""
        customer = Customer(listener.institution, listener.borrower_id)
        if self._all_told and customer in self.customers:
            self.standing.append(Standing(stream, customer, getattr(listener, "loan_id", None)))

    def cut(self) -> "Told":
        """What a part of the streams said; of whom there is a teller stays known."""
        part, fresh = Told(self._words, all_told=self._all_told), Told()
        for name in ("tellers", "heard", "standing", "unread", "acts", "whose"):
            setattr(part, name, getattr(self, name))
            setattr(self, name, getattr(fresh, name))
        subjects = [teller.subject for teller in part.tellers.values() if teller.subject is not None]
        part.customers = {Customer(one.institution, one.borrower_id) for one in subjects}
        return part

    def absorb(self, other: "Told") -> None:
        """What another part of the streams said."""
        self.tellers |= other.tellers
        self.customers |= other.customers
        self.heard += other.heard
        self.standing += other.standing
        self.unread += other.unread
        self.acts += other.acts
        for customer, whose in other.whose.items():
            self.whose.setdefault(customer, set()).update(whose)

    def compare(self, report: Report) -> None:
        """All streams were replayed: `told_differs` at the fact, `not_told` at who was not told."""
        self._compare_acts(report)
        known: dict[tuple[str, tuple[str, int]], set[str]] = {}
        for one in self.heard:
            known.setdefault((one.stream, one.teller), set()).add(one.said[0])
            if not self._agrees(one):
                word, number = one.teller
                report.find("told_differs", one.stream, one.seq, fact=one.said[0], **{word: number})
        bound: dict[Customer, list[tuple[tuple[str, int], Teller]]] = {}
        for name, teller in self.tellers.items():
            if teller.subject is not None:
                customer = Customer(teller.subject.institution, teller.subject.borrower_id)
                bound.setdefault(customer, []).append((name, teller))
        for listener in self.standing:
            for name, teller in bound.get(listener.customer, ()):
                facts = known.get((listener.stream, name), set())
                wanted = teller.began if teller.subject.live else teller.began | teller.ended if facts else frozenset()
                untold = wanted - facts
                if untold and teller.subject.binds(listener):
                    report.find("not_told", listener.stream, facts=sorted(untold), **{name[0]: name[1]})

    def _compare_acts(self, report: Report) -> None:
        for act in self.acts:
            if act.any_of and not self._all_told:
                continue  # it may have been reached through somebody who heard nothing
            theirs: Iterable[Any] = self.whose.get(act.customer, ())
            if not any(reach.everything or any(map(reach.covers, theirs)) for reach in act.reaches):
                report.find(OUT_OF_REACH, act.stream, act.seq, post=act.post)

    def _agrees(self, one: Heard) -> bool:
        teller = self.tellers.get(one.teller)
        if teller is None or teller.subject is None:
            return any(may_be_of(stream, one.customer) for stream in self.unread)
        whose = Customer(teller.subject.institution, teller.subject.borrower_id)
        return whose == one.customer and teller.subject.binds(one) and one.said in teller.may_tell
