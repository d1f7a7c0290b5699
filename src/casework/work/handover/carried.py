"""What a case carries that must not be forgotten because its owner changes. Pure.

What is open of every noun comes from the nouns (`casework.lifecycle.carried`); here stand the case's own days.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final, Literal

import msgspec

from casework.lifecycle.noun import Thing
from casework.work.cases.case import Case

OF_CASES: Final[Mapping[str, tuple[str, str]]] = {
    "visit": ("已安排下户日", "visit ordered for"),
    "placement_term": ("委外到期日", "end of the placement's term"),
    "exception": ("留存催收例外到期日", "end of the exception from placement"),
    "destruction": ("委外资料销毁期限", "agency's copy to be destroyed by"),
    "limitation": ("诉讼时效届满日", "limitation period ends"),
    "request": ("待审批申请到期日", "pending request expires"),
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


def own_of(case: Case, visit_on: date | None, request_expires_on: date | None) -> Iterator[Thing]:
    """The days of the case itself."""
    facts, placement = case.facts, case.facts.placement
    term_until = placement.term_until if placement is not None and not placement.ended else None
    days = (visit_on, term_until, facts.exception_until, facts.destruction_due_on, facts.limitation_ends_on,
            request_expires_on)  # fmt: skip
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
