"""A noun: its chart by name, its struct, what its chart may name, what its entries are called. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Root, Rows, Subject
from casework.rules.statechart.registry import Registry


class Words:
    """What the entries of a noun say (their event): its first word, and what happened.

    `<word>.opened`, `<word>.step.<event>`, `<word>.refused.<event>`, `<word>.asked.<event>` (under four eyes; nothing
    moves yet), `<word>.fact.<kind>`, `<word>.noted`, `<word>.moved` (to the next version of its chart);
    `<word>.refused_opening`. A noun may call its opening otherwise, and its steps, where there is
    nothing else in its life.
    """

    __slots__ = ("asked", "fact", "moved", "noted", "opened", "refused", "refused_opening", "step")

    def __init__(self, word: str, *, opened: str | None = None, step: str | None = None) -> None:
        self.opened, self.noted, self.refused_opening = f"{word}.opened", f"{word}.noted", f"{word}.refused_opening"
        self.moved = f"{word}.moved"
        self.step, self.refused, self.fact, self.asked = (
            f"{word}.step.", f"{word}.refused.", f"{word}.fact.", f"{word}.asked.",
        )  # fmt: skip
        self.opened, self.step = opened or self.opened, step or self.step


class Shared(msgspec.Struct, frozen=True):
    """What is somebody's own, as a reach looks at it."""

    owner: str
    team: str | None = None
    region: str | None = None
    product: str | None = None

    @property
    def handler(self) -> str:
        """The same."""
        return self.owner


@dataclass(frozen=True, kw_only=True, eq=False)
class Noun:
    """One kind of subject, as its entries are folded and judged.

    `begin` makes the subject of an opening entry where its fields alone do not
    say all. `more`: entries beyond those of `Words`, event → what it does to the subject. `named`: what its entries are
    called, where that is not what `Words` makes of its word. `reads_from`: the first version of its chart whose entries
    were written as they are now; of those before it nothing can be said.
    """

    chart: str
    word: str
    subject: type[Subject]
    rows: Rows[Any]
    registry: Registry
    situation: Callable[..., Any] = SubjectSituation
    begin: Callable[..., Any] | None = None
    more: Mapping[str, Callable[[Any, Mapping[str, Any]], None]] = field(default_factory=dict)
    named: Words | None = None
    called: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # in zh and en, where its chart does not say it
    reads_from: int = 1
    people: tuple[str, ...] = ()
    """Of a child, the columns of the people who see and act on it as on what is their own, whoever's its parent is."""

    @cached_property
    def child(self) -> bool:
        """Whether it is a child of the main noun's subjects: it lives in their stream and is held with them."""
        return issubclass(self.subject, Child)

    def shared(self, subject: Any) -> Sequence["Shared"]:
        """Whose it is beside its parent."""
        return [Shared(who) for name in self.people if (who := getattr(subject, name)) is not None]

    @cached_property
    def of_customer(self) -> bool:
        """Whether it is a customer's: it lives in their stream, whose head no row of its own keeps."""
        return not self.child and not issubclass(self.subject, Root) and "borrower_id" in self.rows.columns

    @cached_property
    def alone(self) -> bool:
        """Whether each has a stream of its own, called by word and number."""
        return not self.child and not self.of_customer

    @cached_property
    def headless(self) -> bool:
        """Whether it has a stream of its own whose head its row does not keep; it lies in `streams`."""
        return self.alone and not issubclass(self.subject, Root)

    @cached_property
    def says(self) -> Words:
        """The names of its entries."""
        return self.named or Words(self.word)


def made(noun: Noun, common: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """A subject of what every subject has and of the fields that its opening was given."""
    fields = {name: value for name, value in given.items() if name in noun.rows.columns}
    return msgspec.convert({**fields, **common}, noun.subject, strict=False)


class Thing(NamedTuple):
    """One thing that is open: the word of its noun, by when (none: without a day), its codes (language → text)."""

    word: str
    on: date | None
    codes: tuple[Mapping[str, str], ...] = ()
