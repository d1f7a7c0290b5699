"""Floors and ceilings of outside law for the branch's figures (`statecharts/outside_law.toml`). Pure but for the file.

A bound is `at_most`, `at_least`, `must_hold` (codes that a list may not leave out), `may_hold` (codes beside which a
list has none) or `floors` (of classes). A figure that is looser is a fault, of the branch or of one product alike.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import tomli

from casework.errors import RulesBroken
from casework.rules.statechart.shape import Shape, shape_faults, some, table, text, zero_or_more

CLASSES: Final = ("normal", "special_mention", "substandard", "doubtful", "loss")
"""The five classes of a loan, the best first (2023 classification measures)."""
_SECTION: Final = "contact."
_UNBOUND: Final = frozenset({"messages_per_day", "third_party_calls_per_day"})
"""What a product may have of its own though no published law bounds it (X8)."""


def load_law(folder: Path) -> Mapping[str, Any]:
    """The floors and ceilings of outside law by policy key (`outside_law.toml`)."""
    try:
        law: Mapping[str, Any] = tomli.loads((folder / "outside_law.toml").read_bytes().decode())
    except (OSError, ValueError, RecursionError) as error:
        raise RulesBroken([f"outside_law.toml: {error}"]) from None
    faults = [f"outside_law.toml: {fault}" for fault in shape_faults(_LAW, law)]
    if faults:
        raise RulesBroken(faults)
    return law


def _bound(where: str, bound: Any) -> Iterator[str]:
    codes = some(text, empty="is empty")
    floors = some(_FLOOR, empty="is empty")
    bounds: dict[str, Shape] = {
        "at_most": zero_or_more, "at_least": zero_or_more, "must_hold": codes, "may_hold": codes, "floors": floors,
    }  # fmt: skip
    yield from table({"source": text, "mark": text}, bounds)(where, bound)
    if isinstance(bound, dict) and not bounds.keys() & bound.keys():
        yield f"{where}: bounds nothing"


_LAW = table({}, rest=_bound)


def law_faults(figures: Mapping[str, Any], law: Mapping[str, Any]) -> list[str]:
    """Each figure that is missing, or looser than its bound."""
    faults = []
    for key, bound in law.items():
        if key not in figures:
            faults.append(f"{key}: missing, though outside law sets it ({bound['source']})")
            continue
        value = figures[key]
        if value is None:
            continue
        if ("at_most" in bound or "at_least" in bound) and type(value) is not int:
            faults.append(f"{key}: is not a whole number, so the law's bound cannot be kept")
            continue
        if "at_most" in bound and value > bound["at_most"]:
            faults.append(f"{key}: {value} is looser than the law's {bound['at_most']} ({bound['source']})")
        if "floors" in bound:
            faults += [f"{key}: {fault} ({bound['source']})" for fault in _better_floors(value, bound["floors"])]
        if "at_least" in bound and value < bound["at_least"]:
            faults.append(f"{key}: {value} is looser than the law's {bound['at_least']} ({bound['source']})")
        faults += [f"{key}: {fault} ({bound['source']})" for fault in _list_faults(value, bound)]
    return faults


def _list_faults(value: Any, bound: Mapping[str, Any]) -> Iterator[str]:
    """What a list leaves out that it must hold, and what it holds beside what it may."""
    held = {one for one in (value if isinstance(value, list) else ()) if isinstance(one, str)}
    if missing := sorted(set(bound.get("must_hold", ())) - held):
        yield f"leaves out {', '.join(missing)}"
    if "may_hold" in bound:
        if not isinstance(value, list):
            yield "is not a list"
        if beyond := sorted(held - set(bound["may_hold"])):
            yield f"{', '.join(beyond)} is looser than the law's {', '.join(bound['may_hold'])}"


def product_faults(figures: Mapping[str, Any], law: Mapping[str, Any]) -> list[str]:
    """Rows of one product each, with figures of the section that it holds to a stricter value."""
    rows = figures.get("contact.by_product")
    if rows is None:
        return []
    bounded = {key.removeprefix(_SECTION): law[key] for key in figures if key in law and key.startswith(_SECTION)}
    lists = {key for key, bound in bounded.items() if bound.keys() & {"must_hold", "may_hold"}}
    shapes = dict.fromkeys(sorted(lists), some(text, empty="is empty"))
    shapes |= dict.fromkeys(sorted((bounded.keys() | _UNBOUND) - lists), zero_or_more)
    shape = table({"product": text}, shapes)
    if not isinstance(rows, list) or any(list(shape("row", row)) for row in rows):
        numbers = ", ".join(sorted(shapes.keys() - lists))
        said = f"each needs product, and may have {numbers}, whole numbers"
        return [said + (f", and {', '.join(sorted(lists))}, lists" if lists else "")]
    products = [row["product"] for row in rows]
    faults = [f"{product}: twice" for product in sorted({one for one in products if products.count(one) > 1})]
    for row in rows:
        of_product = {f"{_SECTION}{key}": value for key, value in row.items() if key != "product"}
        bounds = {key: law[key] for key in of_product if key in law}
        faults += [f"{row['product']}: {fault}" for fault in law_faults(of_product, bounds)]
    return faults


def floor_faults(floors: Any) -> list[str]:
    """What is wrong with the floors of classes themselves."""
    if floors is None:
        return []
    if not isinstance(floors, list) or any(list(_FLOOR("floor", one)) for one in floors):
        return ["each needs from_dpd, whole days, and floor, a class; also: classes that are right there too"]
    lows, classes = [one["from_dpd"] for one in floors], [one["floor"] for one in floors]
    unknown = sorted({*classes, *(name for one in floors for name in one.get("also", ()))} - set(CLASSES))
    if unknown:
        return [f"no class is called {', '.join(unknown)}"]
    if lows != sorted(set(lows)) or lows[0] != 0:
        return ["the days must begin with 0 and rise"]
    worse = [CLASSES.index(one) for one in classes]
    return [] if worse == sorted(worse) else ["a floor may not be better than the one before it"]


_FLOOR = table({"from_dpd": zero_or_more, "floor": text}, {"also": some(text, empty="is empty")})


def _better_floors(floors: Any, lawful: list[dict[str, Any]]) -> list[str]:
    """Where the floors of a policy are better than the law's at the same day past due, or allow better classes."""
    if floor_faults(floors) or not floors:
        return []
    faults = []
    for law in lawful:
        held = [one for one in floors if one["from_dpd"] <= law["from_dpd"]][-1:]
        held += [one for one in floors if one["from_dpd"] > law["from_dpd"]]
        allowed = {name for one in held for name in (one["floor"], *one.get("also", ()))}
        better = sorted(name for name in allowed if CLASSES.index(name) < CLASSES.index(law["floor"]))
        faults += [f"from DPD {law['from_dpd']} {name} is better than {law['floor']}" for name in better]
    return faults
