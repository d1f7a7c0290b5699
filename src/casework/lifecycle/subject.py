"""What every subject of a chart begins with, and its row: the struct column by column. Pure.

A noun's struct is made from one of these: `Subject` alone (its stream's head lies in `streams`), `Root` (a stream of
its own, whose head its row keeps), `Child` (it lives in its parent's stream and is held with it).
"""

import types
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from casework.rules.statechart.fields import DataFault
from casework.rules.statechart.policy import Policy


class Subject(msgspec.Struct):
    """Something with a life of its own. Field order is column order; dates are business dates."""

    id: int
    chart: str  # name@version
    state: str
    state_since: date
    live: bool  # its state is in the chart's group `live`; where the chart has none, it is not closed
    version: int
    opened_on: date
    opened_for: str  # a key of the chart's [openings]
    opened_by: str

    @property
    def material(self) -> int:
        """Rises with every change that an approver would want to look at again (decision 0007)."""
        return self.version

    @property
    def remembered(self) -> Collection[str]:
        """States that it was in and that something depends on."""
        return ()

    def renamed(self, moves: Mapping[str, str]) -> None:
        """Another version of its chart: what the states that it remembers are called now."""

    @property
    def stream(self) -> str:
        """The stream of its entries, where it keeps its head."""
        raise NotImplementedError

    def binds(self, _other: Any) -> bool:
        """Whether what is a customer's concerns this subject of theirs."""
        return True

    def day_faults(self, on: date, latest: date, _policy: Policy) -> list[DataFault]:
        """What is wrong with the day of a fact: before it was opened, or after `latest`, the branch's today."""
        if self.opened_on <= on <= latest:
            return []
        first, last = self.opened_on.isoformat(), latest.isoformat()
        return [DataFault("on", "out_of_range", f"须在{first}至{last}之间", f"on: must lie between {first} and {last}")]


class Root(Subject):
    """A subject whose row keeps the head of its stream; a noun's struct ends in these three."""

    last_entry_at: datetime
    audit_seq: int
    audit_head: bytes


class Child(Subject):
    """Something of a parent: it lives in the parent's stream and is locked with it. Whose customer it is, is theirs."""

    parent_id: int
    institution: str
    borrower_id: str


class Label(NamedTuple):
    """What people call a field that no data of the chart names: `Annotated[date | None, Label("到期日", "Due on")]`.

    `words_of`: the table of the rulebook that says what its codes mean; of a list, what the first of each item means.
    """

    zh: str
    en: str
    words_of: str | None = None


@cache
def labels_in(subject: type) -> Mapping[str, Label]:
    """The labels that a struct gives its fields itself; read once, for lists ask again and again."""
    hints = get_type_hints(subject, include_extras=True)
    return {
        name: label for name, hint in hints.items() if get_origin(hint) is Annotated
        for label in get_args(hint)[1:] if isinstance(label, Label)
    }  # fmt: skip


HEAD: Final = ("last_entry_at", "audit_seq", "audit_head")
_encode = msgspec.json.Encoder(order="deterministic").encode
_FIXED: Final = frozenset({"id", "opened_on", "opened_for", "opened_by", "parent_id", "institution", "borrower_id"})
_PLAIN: Final = frozenset({int, bool, str, date, datetime, bytes})
S = TypeVar("S", bound=Subject)


class Rows(Generic[S]):
    """From a struct to its row and back: plain values as they are, all else as canonical JSON."""

    def __init__(self, struct: type[S], changing: Sequence[str] | None = None) -> None:
        self.columns: tuple[str, ...] = struct.__struct_fields__
        self.changing = (
            tuple(name for name in self.columns if name not in _FIXED) if changing is None else tuple(changing)
        )
        hints = get_type_hints(struct)
        self.kinds = {name: _plain(hints[name]) for name in self.columns}
        self._struct: Any = struct
        self._read = [
            (place, bytes if kind[0] is bytes else msgspec.json.Decoder(hints[name]).decode)
            for place, (name, kind) in enumerate(self.kinds.items())
            if kind[0] is bytes or kind[0] is None
        ]
        self._written = [place for place, kind in enumerate(self.kinds.values()) if kind[0] is None]
        self._changed = [1 + place for place, name in enumerate(self.changing) if self.kinds[name][0] is None]

    def read(self, row: Any) -> S:
        """A subject from a row whose columns stand in the order of `columns`."""
        values = list(row)
        for place, decode in self._read:
            if values[place] is not None:
                values[place] = decode(values[place])
        read: S = self._struct(*values)
        return read

    def row(self, subject: S) -> tuple[Any, ...]:
        """Its row, in the order of `columns`."""
        values = list(msgspec.structs.astuple(subject))
        for place in self._written:
            values[place] = _encode(values[place])
        return tuple(values)

    def change(self, subject: S) -> tuple[Any, ...]:
        """Its id and the columns that an entry can change, in that order."""
        values = [subject.id, *(getattr(subject, name) for name in self.changing)]
        for place in self._changed:
            values[place] = _encode(values[place])
        return tuple(values)


def _plain(hint: Any) -> tuple[Any, bool]:
    """The type of a plain column, none for what is kept as JSON; and whether it may be none."""
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        rest = [one for one in get_args(hint) if one is not type(None)]
        optional = len(rest) < len(get_args(hint))
        hint = rest[0] if len(rest) == 1 else hint
    return (hint if hint in _PLAIN else None), optional
