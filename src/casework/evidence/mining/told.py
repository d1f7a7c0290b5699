"""What an entry tells a process miner: activity, time, who, attributes, and the objects it is about. Pure.

Only what is named here leaves the house: codes, numbers, dates and references, never `data` as a whole. Amounts are
fen. The time of an event is `recorded_at`, which never runs backwards within a stream; the days that rules count by are
the attributes `business_date` and `on`.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal, NamedTuple

from casework.customer import Customer
from casework.evidence.mining.names import Kind, Names, visible
from casework.lifecycle.noun import Noun
from casework.log.format.entry import Entry
from casework.work.cases import fold
from casework.work.cases.nouns import NOUNS
from casework.work.requests import REQUEST

Value = str | int
AttributeType = Literal["string", "integer"]

ATTRIBUTES: Final[Mapping[str, AttributeType]] = {
    "actor": "string", "via": "string", "post": "string", "acting_for": "string", "from": "string", "to": "string",
    "reason_code": "string", "reasons": "string", "rules": "string", "chart": "string", "policy": "string",
    "business_date": "string", "on": "string", "bucket": "string", "overdue_fen": "integer",
    "assigned_for": "string", "owner_rule": "string", "kind": "string", "topic": "string", "what": "string",
}  # fmt: skip
"""Of events, with their OCEL types; an event has those that its entry has a value for."""

OBJECTS: Final[Mapping[str, Mapping[str, AttributeType]]] = {
    "case": {
        "state": "string", "owner": "string", "handler": "string", "bucket": "string", "overdue_fen": "integer",
        "outstanding_principal_fen": "integer", "oldest_due_date": "string", "institution": "string",
        "product": "string", "channel": "string", "team": "string", "region": "string", "opened_for": "string",
    },
    "loan": {"institution": "string", "product": "string"},
    "borrower": {},
    "staff": {},
    "request": {"state": "string", "kind": "string", "topic": "string", "what": "string"},
    "handover": {"state": "string", "kind": "string"},
    "agency": {},
    **{noun.word: {"state": "string", "opened_for": "string"} for noun in NOUNS if not noun.alone},
}  # fmt: skip
"""Types of objects with the attributes that the log says of them."""

_NOUNS: Final[Mapping[str, Noun]] = {noun.word: noun for noun in NOUNS}
_REFUSED: Final = tuple(noun.says.refused for noun in NOUNS)
_REFUSED_OPENINGS: Final = frozenset(noun.says.refused_opening for noun in NOUNS)

OWN: Final[Mapping[str, str]] = {
    "case": "case", "request": "request", "handover": "handover", "staff": "staff", "borrower": "borrower",
}  # fmt: skip
"""The object that a stream is about, by the stream's prefix."""
STREAMS: Final = (*OWN, "openings")
"""Prefixes of the streams that are about objects: all but rulebook, feeds, places, exports and the log itself."""


class EventPart(Enum):
    """What an entry that was read is to the file."""

    BEFORE = "before"  # of the period: it says only how things stood when the period began
    BESIDE = "beside"  # in the period but not wanted: what it changed has changed
    IN = "in"


class Relation(NamedTuple):
    """An object that an event is about, and as what."""

    object: str
    type: str
    qualifier: str


class EventTold(NamedTuple):
    """One event. `values` are what objects are from now on; `links` are object, object, qualifier.

    `within`: the object, if any, whose life goes on in the stream that is about `own`.
    """

    id: str
    type: str
    time: str
    own: str | None
    attributes: dict[str, Value]
    relations: list[Relation]
    values: dict[str, dict[str, Value]]
    links: list[tuple[str, str, str]]
    within: str | None = None


def told(entry: Entry, names: Names) -> EventTold:
    """The event that an entry of one of `STREAMS` tells."""
    return _Telling(entry, names).told()


def is_refusal(event: str) -> bool:
    """Whether guards or permissions refused something (four eyes that decide against it are a decision)."""
    return event.startswith(_REFUSED) or event in _REFUSED_OPENINGS


class _Telling:
    """One entry being retold."""

    def __init__(self, entry: Entry, names: Names) -> None:
        self.entry, self.names = entry, names
        self.prefix, _, place = entry.stream.partition(":")
        self.data: Mapping[str, Any] = entry.data
        if self.prefix == REQUEST.word:  # what it is about is what it says
            self.data = {**entry.data, **_dict(entry.data.get("about"))}
        own = OWN.get(self.prefix)
        if own in ("staff", "borrower"):
            place = names.of("staff" if own == "staff" else "borrower", place)
        self.own = None if own is None else f"{own}:{place}"
        self.id = f"{self.prefix}:{place}:{entry.stream_seq}"
        self.relations: list[Relation] = [] if self.own is None else [Relation(self.own, str(own), "subject")]
        self.values: dict[str, dict[str, Value]] = {}
        self.links: list[tuple[str, str, str]] = []
        self.within: str | None = None

    def told(self) -> EventTold:
        attributes = self._attributes()
        self._people()
        self._references()
        noun = _NOUNS.get(self.entry.event.partition(".")[0])
        if noun is not None and not noun.alone:
            self._within(noun)
        elif self.prefix == "case":
            self._case()
        elif self.prefix in ("request", "handover"):
            self._other()
        return EventTold(
            self.id, self.entry.event, self.entry.recorded_at, self.own, attributes,
            list(dict.fromkeys(self.relations)), self.values, self.links, self.within,
        )  # fmt: skip

    def _attributes(self) -> dict[str, Value]:
        entry, data = self.entry, self.data
        measure = _measure(data)
        actor = entry.actor
        found: dict[str, Any] = {
            "actor": self._name("staff", actor.id) if actor.kind == "staff" else actor.id, "via": actor.via,
            "from": entry.from_, "to": entry.to, "reason_code": entry.reason_code,
            "reasons": " ".join(_reasons(data)), "rules": " ".join(entry.rules),
            "chart": entry.chart, "policy": entry.policy,
            "business_date": data.get("business_date"), "on": data.get("on"),
            "bucket": measure.get("bucket"), "overdue_fen": _overdue_fen(measure),
        }  # fmt: skip
        # In a stream of staff these words mean something else.
        if self.prefix in ("case", "request", "handover") or entry.chart is not None:
            found |= {
                "post": data.get("post"), "acting_for": self._name("staff", data.get("acting_for")),
                "assigned_for": data.get("reason"), "owner_rule": data.get("owner_rule", data.get("rule")),
                "kind": data.get("kind"), "topic": data.get("topic"), "what": data.get("what"),
            }  # fmt: skip
        return _kept(found)

    def _people(self) -> None:
        entry, data = self.entry, self.data
        if entry.actor.kind == "staff":
            self._relate("staff", entry.actor.id, "actor")
        self._relate("staff", data.get("acting_for"), "principal")
        if is_refusal(entry.event):
            return  # whom it would have been given to has nothing to do with it
        for when, owner, handler in (("after", "owner", "handler"), ("before", "from_owner", "from_handler")):
            self._relate("staff", data.get(owner), f"owner_{when}")
            if data.get(handler) != data.get(owner):
                self._relate("staff", data.get(handler), f"handler_{when}")
        if self.prefix == "handover":
            self._relate("staff", data.get("staff_no"), "leaver")
            for receiver in _list(data.get("receivers")):
                self._relate("staff", _dict(receiver).get("receiver"), "receiver")
        four_eyes = _dict(data.get("four_eyes"))
        self._relate("staff", four_eyes.get("asked_by"), "asked_by")
        self._relate("staff", four_eyes.get("reviewed_by"), "reviewed_by")

    def _references(self) -> None:
        data = self.data
        for number in (data.get("request"), _dict(data.get("four_eyes")).get("request")):
            self._relate_number("request", number)
        self._relate_number("handover", data.get("handover"))
        agency = _dict(data.get("given")).get("agency")
        if isinstance(agency, str):
            self.relations.append(Relation(f"agency:{visible(agency.removeprefix('agency:'))}", "agency", "agency"))
        loan = self._relate("loan", data.get("loan_id", _dict(data.get("given")).get("loan_id")), "loan")
        borrower = self._relate("borrower", _customer(data), "borrower")
        for one, other, qualifier in ((self.own, loan, "loan"), (self.own, borrower, "borrower"),
                                      (loan, borrower, "borrower")):  # fmt: skip
            if one is not None and other is not None:
                self.links.append((one, other, qualifier))
        if loan is not None and self.entry.event == fold.SAYS.opened:
            said = {name: data.get(name) for name in OBJECTS["loan"]}
            self.values[loan] = _kept(said)

    def _case(self) -> None:
        entry, data = self.entry, self.data
        measure = _measure(data)
        said: dict[str, Any] = {
            "owner": self._name("staff", data.get("owner")), "bucket": measure.get("bucket"),
            "overdue_fen": _overdue_fen(measure),
            "outstanding_principal_fen": measure.get("outstanding_principal_fen"),
            "oldest_due_date": (measure.get("oldest_due_date") or "") if measure else None,
            "handler": self._name("staff", data.get("handler")),
        }  # fmt: skip
        if entry.event == fold.SAYS.opened:
            said |= {name: data.get(name) for name in ("institution", "product", "team", "region")}
            said |= {"channel": data.get("channel_code"), "opened_for": data.get("ground"), "handler": said["owner"]}
        if entry.event.startswith((fold.SAYS.refused, fold.SAYS.asked)):
            said = {}  # nothing has moved
        said["state"] = entry.to
        self.values[str(self.own)] = _kept(said, empty=("oldest_due_date",))

    def _within(self, noun: Noun) -> None:
        """Something with a life of its own in the stream of a case or of a customer."""
        number = self.data.get(noun.word)
        if type(number) is not int or self.entry.event in _REFUSED_OPENINGS:
            return
        self.within = one = f"{noun.word}:{number}"
        self.relations.append(Relation(one, noun.word, noun.word))
        said = {"state": self.entry.to, "opened_for": self.data.get("ground")}
        self.values[one] = _kept(said)
        if self.own is not None:
            self.links.append((one, self.own, "of"))

    def _other(self) -> None:
        data, own = self.data, str(self.own)
        subject = data.get("subject")
        if isinstance(subject, str):
            kind, _, place = subject.partition(":")
            if kind in OWN:
                if kind in ("staff", "borrower"):
                    place = self.names.of("staff" if kind == "staff" else "borrower", place)
                about = f"{kind}:{visible(place)}"
                self.relations.append(Relation(about, kind, "about"))
                self.links.append((own, about, "about"))
        said: dict[str, Any] = {name: data.get(name) for name in OBJECTS[self.prefix] if name != "state"}
        said["state"] = self.entry.to
        self.values[own] = _kept(said)

    # ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _name(self, kind: Kind, value: Any) -> str | None:
        return self.names.of(kind, value) if isinstance(value, str) and value else None

    def _relate(self, kind: Kind, value: Any, qualifier: str) -> str | None:
        name = self._name(kind, value)
        if name is None or (kind == "staff" and value == "system"):
            return None
        self.relations.append(Relation(f"{kind}:{name}", kind, qualifier))
        return f"{kind}:{name}"

    def _relate_number(self, kind: str, value: Any) -> None:
        if type(value) is int and f"{kind}:{value}" != self.own:
            self.relations.append(Relation(f"{kind}:{value}", kind, kind))


def _kept(found: Mapping[str, Any], *, empty: tuple[str, ...] = ()) -> dict[str, Value]:
    """The codes and numbers among the values; empty texts only where they mean something."""
    kept: dict[str, Value] = {}
    for name, value in found.items():
        if isinstance(value, str) and (value or name in empty):
            kept[name] = visible(value)
        elif type(value) is int:
            kept[name] = value
    return kept


def _measure(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return _dict(data.get("measure"))


def _overdue_fen(measure: Mapping[str, Any]) -> int | None:
    parts = [measure.get(f"overdue_{part}_fen") for part in ("principal", "interest", "penalty")]
    return sum(part for part in parts if type(part) is int) if all(type(part) is int for part in parts) else None


def _customer(data: Mapping[str, Any]) -> str | None:
    """As the stream of a borrower names them."""
    institution, number = data.get("institution"), data.get("borrower_id")
    return str(Customer(institution, number)) if isinstance(institution, str) and isinstance(number, str) else None


def _reasons(data: Mapping[str, Any]) -> Iterator[str]:
    for reason in _list(data.get("reasons")):
        code = _dict(reason).get("code")
        if isinstance(code, str):
            yield code


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
