"""The branch's figures: versioned, effective-dated, read from `statecharts/policy/*.toml` and nowhere else.

A published policy never changes. One that needs more figures, or a correction, comes as a new edition of its date
(`2024-01-01.2.toml` instead of `2024-01-01.toml`); entries go on citing the edition they were decided by.

Before the first file's date the earliest applies (rulebook README). A figure looser than the floor that
outside law sets in `statecharts/outside_law.toml` is refused here, when the policy is loaded.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli

from casework.errors import RulesBroken
from casework.rules.statechart.outside_law import CLASSES, floor_faults, law_faults, load_law, product_faults
from casework.rules.statechart.shape import (
    LABELS,
    RULES,
    each,
    shape_faults,
    some,
    table,
    text,
    whole,
    zero_or_more,
)

_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.([2-9]|[1-9][0-9]))?")
Figure = int | str | list[str] | list[dict[str, Any]] | bool


class Bucket(msgspec.Struct, frozen=True):
    """A band of days past due, both ends included; `high_dpd` none means without end."""

    name: str
    low_dpd: int
    high_dpd: int | None


@dataclass(frozen=True, eq=False)
class Capacities:
    """How many open cases one person may have who has no figure of their own: by post, else the usual number."""

    usual: int
    by_post: Mapping[str, int]

    def of(self, posts: Iterable[str]) -> int:
        """The largest of the posts that somebody holds; the usual number for who holds none."""
        return max((self.by_post.get(post, self.usual) for post in posts), default=self.usual)


@dataclass(frozen=True)
class Policy:
    """One policy file: its figures by dotted key (`lost_contact.qualifying_days`), its text and digest.

    `cited` are the rules on which each figure rests.
    `name` is the file's: the effective date, and for a later edition of it `.2`, `.3` and so on.
    """

    name: str
    effective_on: date
    figures: Mapping[str, Figure | None] = field(hash=False)
    cited: Mapping[str, tuple[str, ...]] = field(hash=False)
    text: bytes
    digest: str

    @cached_property
    def ref(self) -> str:
        """`date#digest`, as every audit entry cites it (docs/log.md §3); the digest tells editions apart."""
        return f"{self.effective_on.isoformat()}#{self.digest}"

    def figure(self, key: str) -> Any:
        """The figure at `key`; KeyError if unknown, `RulesBroken` if the branch has left it empty."""
        value = self.figures[key]
        if value is None:
            raise RulesBroken([f"policy {self.name}: {key} is empty; the branch must enter it before it can be used"])
        return value

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """The bands of days past due, in order."""
        rows = self.figure("buckets.bands")
        return tuple(Bucket(row["name"], row["low_dpd"], row.get("high_dpd")) for row in rows)

    @cached_property
    def capacities(self) -> Capacities:
        """`staff.capacity_cases`, and by post `staff.capacity_by_post`."""
        rows: Any = self.figures.get("staff.capacity_by_post") or ()
        return Capacities(self.figure("staff.capacity_cases"), {row["post"]: row["cases"] for row in rows})

    def bucket(self, days_past_due: int) -> str:
        """The name of the band that holds `days_past_due` (below 1: the first band)."""
        return self._bucket_names[bisect_right(self._bucket_lows, max(days_past_due, 0)) - 1]

    @cached_property
    def _class_floors(self) -> tuple[list[int], list[frozenset[str]]]:
        """From which day past due which classes are as they should be; any, where the branch has no floors."""
        rows: Any = self.figures.get("classification.floors") or [{"from_dpd": 0, "floor": CLASSES[0], "also": CLASSES}]
        return [row["from_dpd"] for row in rows], [frozenset({row["floor"], *row.get("also", ())}) for row in rows]

    def class_warning(self, risk_class: str, days_past_due: int) -> str | None:
        """What is odd about a class at that many days past due: better or worse than its floor; none if nothing is."""
        lows, allowed = self._class_floors
        fit = allowed[bisect_right(lows, max(days_past_due, 0)) - 1]
        if risk_class in fit:
            return None
        worse = CLASSES.index(risk_class) > max(CLASSES.index(one) for one in fit)
        return "class_worse_than_floor" if worse else "class_better_than_floor"

    @cached_property
    def _bucket_lows(self) -> list[int]:
        return [band.low_dpd for band in self.buckets]

    @cached_property
    def _bucket_names(self) -> list[str]:
        return [band.name for band in self.buckets]


class Policies:
    """Every policy of the branch, to be asked for a date."""

    def __init__(self, policies: list[Policy]) -> None:
        if not policies:
            raise RulesBroken(["statecharts/policy: no policy file"])
        self.all = tuple(sorted(policies, key=lambda policy: policy.effective_on))
        self._starts = [policy.effective_on for policy in self.all]

    @cached_property
    def bucket_names(self) -> frozenset[str]:
        """The names of all bands that were ever in force or will be."""
        return frozenset(band.name for policy in self.all for band in policy.buckets)

    def at(self, day: date) -> Policy:
        """The policy in force on `day`; before the first, the earliest."""
        return self.all[max(bisect_right(self._starts, day) - 1, 0)]


def parse_policy(name: str, text: bytes, law: Mapping[str, Any]) -> Policy:
    """Read one policy whole; `RulesBroken` names file, key and reason of every fault."""
    faults: list[str] = []
    try:
        effective_on = date.fromisoformat(name[:10])
        document = tomli.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise RulesBroken([f"policy {name}: {error}"]) from None
    if _NAME.fullmatch(name) is None:
        faults.append(
            f"policy {name}: the name of the file is not a date YYYY-MM-DD, perhaps with an edition (.2 and on)"
        )
    faults += [f"policy {name}: {fault}" for fault in shape_faults(_POLICY, document)]
    if faults:
        raise RulesBroken(faults)
    figures: dict[str, Figure | None] = {
        f"{section}.{key}": entry.get("value")
        for section, entries in document.items()
        for key, entry in entries.items()
    }
    faults += [f"policy {name}: {fault}" for fault in law_faults(figures, law)]
    faults += [f"policy {name}: buckets.bands: {fault}" for fault in _bucket_faults(figures.get("buckets.bands"))]
    faults += [f"policy {name}: contact.by_product: {fault}" for fault in product_faults(figures, law)]
    faults += [f"policy {name}: {fault}" for fault in _broken_by_faults(figures)]
    faults += [f"policy {name}: contact.own_posts: {fault}" for fault in _own_post_faults(figures)]
    faults += [f"policy {name}: {fault}" for key in _LISTS for fault in _list_faults(key, figures.get(key))]
    if "staff.capacity_cases" in figures and list(whole("", figures["staff.capacity_cases"])):
        faults.append(f"policy {name}: staff.capacity_cases: is not a whole number from 1")
    by_post = figures.get("staff.capacity_by_post")
    faults += [f"policy {name}: staff.capacity_by_post: {fault}" for fault in _capacity_faults(by_post)]
    floors = figures.get("classification.floors")
    faults += [f"policy {name}: classification.floors: {fault}" for fault in floor_faults(floors)]
    if faults:
        raise RulesBroken(faults)
    cited = {
        f"{section}.{key}": tuple(entry.get("rules", ()))
        for section, entries in document.items() for key, entry in entries.items()
    }  # fmt: skip
    return Policy(name, effective_on, figures, cited, text, hashlib.sha256(text).hexdigest())


def load_policies(folder: Path) -> Policies:
    """Read `policy/*.toml` and `outside_law.toml` below `folder`; every file must carry the same keys."""
    law = load_law(folder)
    policies, faults = [], []
    for path in sorted((folder / "policy").glob("*.toml")):
        try:
            policies.append(parse_policy(path.stem, path.read_bytes(), law))
        except RulesBroken as broken:
            faults += broken.faults
    dates = [policy.effective_on for policy in policies]
    faults += [
        f"policy {day}: two editions of one date; only the newest belongs here (the log keeps the older)"
        for day in sorted({day for day in dates if dates.count(day) > 1})
    ]
    for policy in policies[1:]:
        different = set(policy.figures) ^ set(policies[0].figures)
        faults += [f"policy {policy.name}: {key}: not in every policy file" for key in sorted(different)]
    if faults:
        raise RulesBroken(faults)
    return Policies(policies)


def _value(where: str, value: Any) -> Iterator[str]:
    if isinstance(value, float):
        yield f"{where}: is a float; rates are texts or whole percents, money is fen"
    elif not isinstance(value, int | str | list) or value in ([], ""):
        yield f"{where}: is neither a whole number, a text, true or false, nor a list"


_ENTRY = table(
    LABELS,
    {
        "value": _value, "unit": text, "rules": RULES, "source": text, "mark": text, "empty_because": text,
    },
)  # fmt: skip


def _figure(where: str, entry: Any) -> Iterator[str]:
    yield from _ENTRY(where, entry)
    if not isinstance(entry, dict):
        return
    if ("value" in entry) == ("empty_because" in entry):
        yield f"{where}: must have a value or say empty_because, and not both"
    if not entry.get("rules") and not entry.get("source"):
        yield f"{where}: cites neither rules nor a source"
    if entry.get("mark", "A") not in {"A", "B", "C"}:
        yield f"{where}.mark: is not A, B or C"


_POLICY = each(each(_figure))


def _broken_by_faults(figures: Mapping[str, Any]) -> list[str]:
    """Whose answers break a run of days without contact: the debtor's always, others' where the branch says so."""
    key = "lost_contact.broken_by"
    if key not in figures:
        return []
    said = figures[key] if isinstance(figures[key], list) else []
    unknown = [f"{key}: {one} is not one of {', '.join(_MAY_BREAK)}" for one in said if one not in _MAY_BREAK]
    return unknown or ([] if "debtor" in said else [f"{key}: leaves out debtor (1.3.1c)"])


_MAY_BREAK: Final = ("debtor", "co_borrower", "guarantor", "contact")


def _own_post_faults(figures: Mapping[str, Any]) -> list[str]:
    rows = figures.get("contact.own_posts")
    shape = table({"state": text, "posts": some(text, empty="is empty")})
    if rows is not None and (not isinstance(rows, list) or any(list(shape("row", row)) for row in rows)):
        return ["each needs state and posts"]
    return []


_LISTS: Final = ("contact.lines", "contact.templates")
"""What contacts name in a word of the branch's own, of at most 64 characters as in their files."""


def _list_faults(key: str, listed: Any) -> list[str]:
    if listed is None:
        return []
    if not isinstance(listed, list) or any(not isinstance(one, str) or not 0 < len(one) <= 64 for one in listed):
        return [f"{key}: is not a list of texts of 1 to 64 characters"]
    return [f"{key}: {one}: twice" for one in sorted({one for one in listed if listed.count(one) > 1})]


def _capacity_faults(rows: Any) -> list[str]:
    if rows is None:
        return []
    if not isinstance(rows, list) or any(list(_OF_POST("row", row)) for row in rows):
        return ["each needs post and cases, a whole number from 1"]
    posts = [row["post"] for row in rows]
    return [f"{post}: twice" for post in sorted({post for post in posts if posts.count(post) > 1})]


_OF_POST = table({"post": text, "cases": whole})


_BAND = table({"name": text, "low_dpd": zero_or_more}, {"high_dpd": zero_or_more})


def _bucket_faults(bands: Any) -> list[str]:
    if not isinstance(bands, list) or not bands:
        return ["must list the bands of days past due"]
    faults = []
    expected: int | None = 0
    for band in bands:
        if list(_BAND("band", band)):
            return ["each band needs a name and low_dpd, and all but the last high_dpd, whole days"]
        if expected is None or band.get("low_dpd") != expected:
            faults.append(f"{band.get('name')} does not start where the band before it ends")
        high = band.get("high_dpd")
        if high is not None and high < band["low_dpd"]:
            faults.append(f"{band['name']} ends before it starts")
        expected = None if high is None else high + 1
    if expected is not None:
        faults.append("the last band has an end")
    return faults
