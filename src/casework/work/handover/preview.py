"""What an approver sees of a plan: per receiver, what cannot be placed and why, and what else ends with the person.

Pure. Stored with the plan as JSON and pinned by its digest: what was shown is what was approved.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final, Literal

import msgspec

from casework.lifecycle.noun import Thing
from casework.people.staff.roster import Roster
from casework.rules.statechart.policy import Capacities
from casework.work.cases.case import Case
from casework.work.cases.ownership import Loads, capacity_of
from casework.work.handover.moves import Move, receivers_of

SHOWN: Final = 100
"""Cases that cannot be placed which are named one by one; the others are counted."""

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "no_holder": ("无人任该岗位，且无人可代为负责", "nobody holds the owning post, or one that stands in for it"),
    "all_full": ("可接收人员的在办案件均已达上限", "everybody who could have it has as many cases as they may have"),
}
"""Why a case cannot be placed, in Chinese and English."""


# ── what cases carry, which must not be forgotten because their owner changes ───────────────────────────────

OF_CASES: Final[Mapping[str, tuple[str, str]]] = {
    "visit": ("已安排下户日", "visit ordered for"),
    "placement_term": ("委外到期日", "end of the placement's term"),
    "exception": ("留存催收例外到期日", "end of the exception from placement"),
    "destruction": ("委外资料销毁期限", "agency's copy to be destroyed by"),
    "limitation": ("诉讼时效届满日", "limitation period ends"),
}
Kinds = Mapping[str, tuple[str, str]]
"""What may be carried, in Chinese and English, in the order in which it is shown."""


class Carried(msgspec.Struct):
    """How many cases carry one kind of thing, and the earliest date of it (none: it has no date)."""

    kind: str
    zh: str
    en: str
    cases: int
    earliest: date | None


def own_of(case: Case) -> Iterator[Thing]:
    """The days of the case itself."""
    facts, placement = case.facts, case.facts.placement
    term_until = placement.term_until if placement is not None and not placement.ended else None
    visit_on = facts.visit_on if case.state == "home_visit" else None
    days = (visit_on, term_until, facts.exception_until, facts.destruction_due_on, facts.limitation_ends_on)
    return (Thing(kind, on) for kind, on in zip(OF_CASES, days, strict=True) if on is not None)


def summed(carried: Iterable[Sequence[Thing]], kinds: Kinds) -> list[Carried]:
    """Counts of cases and earliest dates of what many of them carry, in the order of `kinds`."""
    counts, days = dict[str, int](), dict[str, list[date]]()
    for things in carried:
        for word in {thing.word for thing in things}:
            counts[word] = counts.get(word, 0) + 1
        for thing in things:
            days.setdefault(thing.word, []).extend([thing.on] if thing.on is not None else ())
    return [
        Carried(kind, zh, en, counts[kind], min(days[kind], default=None))
        for kind, (zh, en) in kinds.items() if kind in counts
    ]  # fmt: skip


def cells_of(things: Iterable[Thing], lang: Literal["zh", "en"]) -> dict[str, date | str]:
    """As a sheet shows them: a day, or in words what has none or is more than one."""
    found: dict[str, date | str] = {}
    for word, same in groupby(sorted(things, key=lambda one: one.word), lambda one: one.word):
        first, *more = same
        if first.on is not None and not first.codes and not more:
            found[word] = first.on
            continue
        told = ([*(code[lang] for code in one.codes), *([str(one.on)] if one.on else ())] for one in (first, *more))
        found[word] = ", ".join(" ".join(words) for words in told)
    return found


# ── the preview ─────────────────────────────────────────────────────────────────────────────────────────────


class Receiving(msgspec.Struct):
    """What one receiver gets: counts, amounts in fen, dated things, and their live cases before and after."""

    receiver: str
    posts: list[str]
    cases: int
    live_cases: int
    overdue_fen: int
    outstanding_principal_fen: int
    by_state: dict[str, int]
    by_rule: dict[str, int]
    carried: list[Carried]
    open_before: int
    open_after: int
    capacity: int


class Unplaced(msgspec.Struct):
    """A case that cannot be placed."""

    case_id: int
    state: str
    post: str | None
    rule: str | None
    reason: str


class OpenRequest(msgspec.Struct):
    """A request under four eyes that this touches."""

    id: int
    subject: str
    what: str
    state: str
    expires_on: date


class Ending(msgspec.Struct):
    """What ends or changes beside the cases.

    `proposals`: their own pending requests, which are returned. `on_his_cases`: others' requests about cases that move;
    they wait on. `deputises_for`: people on leave whose deputy they are, now or later. `deputies`: their own deputies.
    `programs`: those that they answer for, which stop unless somebody else is given a key of them.
    """

    proposals: list[OpenRequest]
    on_his_cases: int
    deputises_for: list[str]
    deputies: list[str]
    tokens: int
    sessions: int
    posts: list[str]
    programs: list[str] = []


class Preview(msgspec.Struct):
    """The whole plan at a glance. `stays`: cases that stay with somebody who moves; amounts in fen."""

    cases: int
    overdue_fen: int
    by_state: dict[str, int]
    receivers: list[Receiving]
    unplaced: int
    unplaced_by_reason: dict[str, int]
    unplaced_cases: list[Unplaced]
    stays: int
    ending: Ending


def preview_of(
    found: Mapping[int, Case], moves: Sequence[Move], *, before: Mapping[str, int], after: Loads, roster: Roster,
    usual: Capacities, carried: Mapping[int, Sequence[Thing]], kinds: Kinds, ending: Ending, stays: int,
) -> Preview:  # fmt: skip
    """`before` and `after`: live cases per receiver; `carried`: what each case carries."""
    receivers = []
    for receiver, theirs in receivers_of(moves).items():
        colleague = roster.colleagues[receiver]
        cases = [found[move.case_id] for move in theirs]
        receivers.append(
            Receiving(
                receiver, sorted(colleague.posts), len(theirs), sum(case.live for case in cases),
                sum(case.overdue_fen for case in cases), sum(case.outstanding_principal_fen for case in cases),
                _counted(case.state for case in cases), _counted(move.rule or move.reason for move in theirs),
                summed((carried.get(move.case_id, ()) for move in theirs), kinds), before.get(receiver, 0),
                after.of(receiver), capacity_of(colleague, usual),
            )
        )  # fmt: skip
    left = [move for move in moves if move.receiver is None]
    return Preview(
        len(moves), sum(move.overdue_fen for move in moves), _counted(move.state for move in moves), receivers,
        len(left), _counted(move.reason for move in left),
        [Unplaced(move.case_id, move.state, move.post, move.rule, move.reason) for move in left[:SHOWN]], stays, ending,
    )  # fmt: skip


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


encoded = msgspec.json.Encoder(order="deterministic").encode
"""A preview as it is stored."""
decoded = msgspec.json.Decoder(Preview).decode
