"""What duties there are (`statecharts/rules/duties.toml`), with the policy's figures put in. Pure but for the file."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from casework.rules.statechart.policy import Policies, Policy
from casework.rules.statechart.shape import (
    LABELS,
    RULES,
    body_of,
    checked,
    each,
    either,
    name,
    some,
    table,
    text,
    whole,
)

DISPOSAL_FORM: Final = "disposal_form"
DUTIES: Final = (
    "dial", "dial_contacts", "dial_by_dpd", "visit", "visit_report", "repair", "place", DISPOSAL_FORM
)  # fmt: skip
EXEMPTIONS: Final = ("hold", "promise", "gate", "outage", "day_off")
"""What may exempt, in the order in which it is asked."""
DAYS: Final = ("calendar", "working")
OWED_BY: Final = ("handler", "owner", "visitor")
"""Who may owe a duty beside the posts; `visitor`: who led the visit."""
STANDINGS: Final = ("lost", "placed")
"""What a state may be to duties."""
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAY_HOURS: Final = 24
_FILE_NAME: Final = "rules/duties.toml"
_REPORTS: Final = ("report_by", "report_later_from", "report_later_by")
_BOUNDS: Final = ("from_dpd", "until_dpd", "principal_from_fen", "principal_up_to_fen")


class DutyRule(msgspec.Struct, frozen=True):
    """One duty: whom it meets, who owes it (the case's handler or owner, or a post), what exempts from it.

    `done_by`: the opening that does it (`chart.opening`); of whom no post may open that, `else_owed_by` owes it.
    """

    name: str
    zh: str
    en: str
    states: frozenset[str]
    bounds: Mapping[str, Any]
    owed_by: str
    exempt_by: tuple[str, ...]
    rules: tuple[str, ...]
    done_by: str | None = None
    else_owed_by: str | None = None


WITHOUT_END: Final = 1 << 62
"""A bound above everything."""


class Bound(NamedTuple):
    """A duty with the figures of a policy put in: days past due, and principal at opening; every bound included."""

    rule: DutyRule
    from_dpd: int
    until_dpd: int
    from_fen: int
    up_to_fen: int


class Dialling(NamedTuple):
    """So many calls a day while a case is so many days past due."""

    from_dpd: int
    until_dpd: int | None
    attempts: int


class Reports(NamedTuple):
    """By when a visit is reported: `by` on its day; one that ended after `later_from`, `later_by` a working day on."""

    by: time
    later_from: time
    later_by: time


class HeldTo(msgspec.Struct, frozen=True):
    """What cases are held to on a day: the duties by state of a case, and the figures that they need.

    `lost`, `placed`: the states in which a case is lost, and with an agency.
    """

    by_state: Mapping[str, tuple[Bound, ...]]
    attempts_per_day: int
    attempts_apart: timedelta
    contacts_rest_days: int
    visit_by: timedelta
    act_within: timedelta
    place_from: timedelta
    place_within_days: int
    on_working_days: bool
    stops_contact: tuple[str, ...]
    excluded_holds: frozenset[str]
    dialling: tuple[Dialling, ...]
    reports: "Reports"
    papers_by: time
    lost: frozenset[str]
    placed: frozenset[str]

    def attempts_at(self, dpd: int) -> int:
        """The calls a day that the policy's table asks for; 0: none."""
        for row in self.dialling:
            if row.from_dpd <= dpd and (row.until_dpd is None or dpd <= row.until_dpd):
                return row.attempts
        return 0


@dataclass(frozen=True)
class DutyRules:
    """The file, checked. `outages`: what may be out, in Chinese and English; `states`: by what they are to duties."""

    version: int
    by_name: Mapping[str, DutyRule]
    holds_in_order: tuple[str, ...]
    outages: Mapping[str, tuple[str, str]]
    states: Mapping[str, frozenset[str]]
    text: bytes
    digest: str
    _held_to: dict[str, HeldTo] = field(default_factory=dict, repr=False, compare=False)

    @property
    def title(self) -> str:
        """`duties@version`."""
        return f"duties@{self.version}"

    def held_to(self, policy: Policy) -> HeldTo:
        """With the figures of a policy."""
        found = self._held_to.get(policy.digest)
        if found is None:
            found = self._held_to[policy.digest] = _held_to(self, policy)
        return found


def _held_to(rules: DutyRules, policy: Policy) -> HeldTo:
    def bound(rule: DutyRule) -> Bound:
        found = {key: _value(raw, policy) for key, raw in rule.bounds.items()}
        return Bound(
            rule, found.get("from_dpd", 1), found.get("until_dpd", WITHOUT_END),
            found.get("principal_from_fen", 0), found.get("principal_up_to_fen", WITHOUT_END),
        )  # fmt: skip

    bounds = [bound(rule) for rule in rules.by_name.values()]
    figure = policy.figure
    stops = frozenset(figure("hold.stops_contact"))
    return HeldTo(
        {
            state: tuple(one for one in bounds if state in one.rule.states)
            for state in sorted({state for one in bounds for state in one.rule.states})
        },
        attempts_per_day=figure("lost_contact.attempts_per_day"),
        attempts_apart=timedelta(hours=figure("duty.attempts_apart_hours")),
        contacts_rest_days=figure("duty.contacts_rest_days"),
        visit_by=timedelta(figure("duty.visit_by_dpd")),
        act_within=timedelta(figure("lost_contact.act_within_days")),
        place_from=timedelta(figure("placement.from_dpd")),
        place_within_days=figure("duty.place_within_days"),
        on_working_days=figure("duty.days") == "working",
        stops_contact=(
            *(one for one in rules.holds_in_order if one in stops),
            *sorted(stops - {*rules.holds_in_order}),
        ),
        excluded_holds=frozenset(figure("placement.excluded_holds")),
        dialling=_dialling(policy),
        papers_by=time.fromisoformat(figure("task.hand_in_by")),
        reports=Reports(*(time.fromisoformat(figure(f"visit.{key}")) for key in _REPORTS)),
        lost=rules.states["lost"],
        placed=rules.states["placed"],
    )


def _dialling(policy: Policy) -> tuple[Dialling, ...]:
    rows: Any = policy.figures["duty.dialling"] or ()
    return tuple(Dialling(row["from_dpd"], row.get("until_dpd"), row["attempts"]) for row in rows)


def _value(raw: Any, policy: Policy) -> Any:
    return policy.figure(raw[1:]) if isinstance(raw, str) else raw


_NUMBER = either(text, whole)
_DUTY = table(
    {
        **LABELS, "states": some(name, empty="names no state"), "owed_by": name,
        "exempt_by": some(name), "rules": RULES,
    },
    {**dict.fromkeys(_BOUNDS, _NUMBER), "done_by": text, "else_owed_by": name},
)  # fmt: skip
_FILE = table(
    {
        "name": name,
        "version": whole,
        "holds_in_order": some(name),
        "states": table(dict.fromkeys(STANDINGS, some(name, empty="names no state"))),
        "outages": each(table(LABELS)),
        "duties": each(_DUTY),
    }
)


def parse_duty_rules(body: bytes, policies: Policies, posts: frozenset[str], states: frozenset[str]) -> DutyRules:
    """Read and check whole; `RulesBroken` with every fault."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: chain(
        _meaning(document, policies, posts, states), *(_of_policy(policy) for policy in policies.all)))  # fmt: skip
    found = {
        code: DutyRule(
            code, row["zh"], row["en"], frozenset(row["states"]), {key: row[key] for key in _BOUNDS if key in row},
            row["owed_by"], tuple(one for one in EXEMPTIONS if one in row["exempt_by"]), tuple(row["rules"]),
            row.get("done_by"), row.get("else_owed_by"),
        )
        for code, row in ((code, document["duties"][code]) for code in DUTIES)
    }  # fmt: skip
    holds = tuple(document["holds_in_order"])
    outages = {code: (row["zh"], row["en"]) for code, row in document["outages"].items()}
    standings = {what: frozenset(document["states"][what]) for what in STANDINGS}
    return DutyRules(document["version"], found, holds, outages, standings, body, hashlib.sha256(body).hexdigest())


def load_duty_rules(folder: Path, policies: Policies, posts: frozenset[str], states: frozenset[str]) -> DutyRules:
    """`parse_duty_rules` of `statecharts/rules/duties.toml`."""
    return parse_duty_rules(body_of(folder, _FILE_NAME), policies, posts, states)


def _meaning(
    document: Mapping[str, Any], policies: Policies, posts: frozenset[str], states: frozenset[str]
) -> Iterator[str]:
    duties = document["duties"]
    yield from (f"duties.{one}: missing" for one in DUTIES if one not in duties)
    yield from (f"duties.{one}: no duty is called that" for one in duties if one not in DUTIES)
    holds = document["holds_in_order"]
    yield from (f"holds_in_order: {one} twice" for one in sorted({one for one in holds if holds.count(one) > 1}))
    for what, named in document["states"].items():
        yield from (f"states.{what}: no state is called {one}" for one in named if one not in states)
    for code, row in duties.items():
        at = f"duties.{code}"
        yield from (f"{at}.states: no state is called {one}" for one in row["states"] if one not in states)
        yield from (f"{at}.exempt_by: nothing is called {one}" for one in row["exempt_by"] if one not in EXEMPTIONS)
        if row["owed_by"] not in (*OWED_BY, *posts):
            yield f"{at}.owed_by: {row['owed_by']} is neither handler, owner, visitor nor a post"
        if (row["owed_by"] == "visitor") != (code == "visit_report"):
            yield f"{at}.owed_by: who led a visit owes its report, and nothing else"
        if ("done_by" in row) != ("else_owed_by" in row):
            yield f"{at}: done_by and else_owed_by go together"
        elif "done_by" in row and row["owed_by"] not in OWED_BY:
            yield f"{at}.done_by: a post owes it anyway"
        for key in _BOUNDS:
            yield from (f"{at}.{key}: {fault}" for fault in _bound_faults(row.get(key, 0), policies))


def _bound_faults(raw: Any, policies: Policies) -> Iterator[str]:
    if not isinstance(raw, str):
        return
    for policy in policies.all:
        if not raw.startswith("@") or type(policy.figures.get(raw[1:])) is not int:
            yield f"{raw} is no whole number of policy {policy.name}"


def _of_policy(policy: Policy) -> Iterator[str]:
    if policy.figures.get("duty.days") not in DAYS:
        yield f"policy {policy.name}: duty.days is not one of {', '.join(DAYS)}"
    apart = policy.figures.get("duty.attempts_apart_hours")
    if type(apart) is not int or not 0 <= apart < _DAY_HOURS:
        yield f"policy {policy.name}: duty.attempts_apart_hours is not a whole number of hours of a day"
    for key in ("dial_until_dpd", "contacts_rest_days", "visit_by_dpd", "place_within_days"):
        if type(policy.figures.get(f"duty.{key}")) is not int:
            yield f"policy {policy.name}: duty.{key} is not a whole number"
    for key in _REPORTS:
        raw = policy.figures.get(f"visit.{key}")
        if not isinstance(raw, str) or not _CLOCK.fullmatch(raw):
            yield f"policy {policy.name}: visit.{key} is not a time of the day such as 17:00"
    rows = policy.figures.get("duty.dialling")
    if rows is not None and (not isinstance(rows, list) or any(list(_DIALLING("row", row)) for row in rows)):
        yield f"policy {policy.name}: duty.dialling: each needs from_dpd and attempts, and may have until_dpd"


_DIALLING = table({"from_dpd": whole, "attempts": whole}, {"until_dpd": whole})
