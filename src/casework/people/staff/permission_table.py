"""Reading `statecharts/rules/permissions.toml`: checked whole, refused with every fault. Pure but for the file."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from casework.errors import RulesBroken
from casework.people.staff.permissions import (
    ACTS,
    NO_CASE,
    SCOPES,
    SEES,
    CommandRow,
    Conflict,
    Permissions,
    PersonalField,
    PostReach,
    Purpose,
)
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policies
from casework.rules.statechart.shape import (
    RULES,
    body_of,
    checked,
    each,
    flag,
    label,
    name,
    some,
    table,
    text,
    whole,
)

ANY_POST, EVERYBODY = "*", "everybody"
_ROUTE = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /[A-Za-z0-9_./{}:-]*")
_COMMAND_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_TYPED = re.compile(r":[a-z]+\}")
_FILE_NAME: Final = "rules/permissions.toml"


def plain_route(route: str) -> str:
    """A route with its path parameters as `{name}`, whatever type the framework is given."""
    return _TYPED.sub("}", route)


def _scope(where: str, value: Any) -> Iterator[str]:
    if value not in SCOPES:
        yield f"{where}: is none of {', '.join(SCOPES)}"


def _case_scope(where: str, value: Any) -> Iterator[str]:
    if value not in (SEES, ACTS, NO_CASE):
        yield f"{where}: is none of {SEES}, {ACTS}, {NO_CASE}"


def _route(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or _ROUTE.fullmatch(value) is None:
        yield f"{where}: is not a route such as GET /cases/{{case_id}}"


_ROUTES = some(_route)
_POST = table({"rules": RULES}, {"sees": _scope, "acts": _scope, "products": text})
_COMMAND = table(
    {"zh": label, "en": label, "posts": some(text, empty="no post may do this"), "scope": _case_scope, "rules": RULES},
    {"routes": _ROUTES, "programs": flag},
)
_PERSONAL = table(
    {"zh": label, "en": label},
    {"clear": some(name), "masked": some(name), "reveal": some(name), "rules": RULES, "source": text},
)
_PURPOSE = table({"zh": label, "en": label, "posts": some(text, empty="is open to nobody")})
_CONFLICT = table({"posts": some(text), "because": table({"zh": label, "en": label})})
_FILE = table(
    {"name": name, "version": whole, "posts": each(_POST)},
    {
        "public": table({"zh": label, "en": label, "routes": _ROUTES}),
        "commands": table({}, rest=_COMMAND), "conflicts": some(_CONFLICT), "personal": each(_PERSONAL),
        "purposes": each(_PURPOSE),
    },
)  # fmt: skip


def parse_permissions(body: bytes, policies: Policies, posts: frozenset[str]) -> Permissions:
    """Read and check whole; `RulesBroken` with every fault. `posts`: all that a person may hold."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: _meaning(document, policies, posts))
    return Permissions(
        document["version"],
        {
            post: PostReach(row.get("sees"), row.get("acts"), row.get("products"), tuple(row["rules"]))
            for post, row in document["posts"].items()
        },
        {command: _command(command, row, posts) for command, row in document.get("commands", {}).items()},
        tuple(
            Conflict((row["posts"][0], row["posts"][1]), row["because"]["zh"], row["because"]["en"])
            for row in document.get("conflicts", [])
        ),
        {field: _personal(field, row) for field, row in document.get("personal", {}).items()},
        {
            code: Purpose(code, row["zh"], row["en"], _posts(row["posts"], posts))
            for code, row in document.get("purposes", {}).items()
        },
        frozenset(map(plain_route, document.get("public", {}).get("routes", []))),
        body,
        hashlib.sha256(body).hexdigest(),
    )


def load_permissions(folder: Path, policies: Policies, posts: frozenset[str]) -> Permissions:
    """`parse_permissions` of `statecharts/rules/permissions.toml`."""
    return parse_permissions(body_of(folder, _FILE_NAME), policies, posts)


# ── what the names mean ──────────────────────────────────────────────────────────────────────────────────────────────


def _meaning(document: Mapping[str, Any], policies: Policies, posts: frozenset[str]) -> Iterator[str]:
    held = document["posts"]
    yield from (f"posts.{post}: no such post" for post in sorted(set(held) - posts))
    yield from (f"posts.{post}: missing" for post in sorted(posts - set(held)))
    for post, row in held.items():
        yield from _reach_faults(f"posts.{post}", row, policies)
    for number, row in enumerate(document.get("conflicts", [])):
        if len(row["posts"]) != 2:
            yield f"conflicts[{number}]: names two posts"
        yield from _unknown(f"conflicts[{number}]", row["posts"], posts | {ANY_POST})
    yield from _command_faults(document, posts)
    yield from _personal_faults(document, posts)


def _command_faults(document: Mapping[str, Any], posts: frozenset[str]) -> Iterator[str]:
    routes: dict[str, str] = dict.fromkeys(map(plain_route, document.get("public", {}).get("routes", [])), "public")
    for command, row in document.get("commands", {}).items():
        where = f"commands.{command}"
        if _COMMAND_NAME.fullmatch(command) is None:
            yield f"{where}: is not a name such as case.note"
        yield from _unknown(where, row["posts"], posts | {ANY_POST, EVERYBODY})
        for route in map(plain_route, row.get("routes", ())):
            if route in routes:
                yield f"{where}: {route} belongs to {routes[route]} already"
            routes.setdefault(route, where)


def _personal_faults(document: Mapping[str, Any], posts: frozenset[str]) -> Iterator[str]:
    for field, row in document.get("personal", {}).items():
        for part in ("clear", "masked", "reveal"):
            yield from _unknown(f"personal.{field}.{part}", row.get(part, ()), posts)
        if "rules" not in row and "source" not in row:
            yield f"personal.{field}: cites neither a rule nor a source"
        if hidden := sorted(set(row.get("reveal", ())) - set(row.get("masked", ()))):
            yield f"personal.{field}.reveal: {', '.join(hidden)} may be shown what they do not see masked"
    for code, row in document.get("purposes", {}).items():
        yield from _unknown(f"purposes.{code}", row["posts"], posts | {ANY_POST})


def _reach_faults(where: str, row: Mapping[str, Any], policies: Policies) -> Iterator[str]:
    raw, sees, acts = row.get("products", ""), row.get("sees"), row.get("acts")
    if ("product" in (sees, acts)) != bool(raw):
        yield f"{where}: products belong to the scope product"
    if acts is not None and (sees is None or not _contains(sees, acts)):
        yield f"{where}: acts on cases that it does not see"
    if raw and not raw.startswith("@"):
        yield f"{where}.products: is not a figure of the policy"
        return
    for policy in policies.all:
        if raw and not isinstance(policy.figures.get(raw[1:]), list):
            yield f"{where}.products: policy {policy.name} has no figure {raw[1:]}"


def _contains(wide: str, narrow: str) -> bool:
    """Whether one scope holds another whatever the cases are: a team may work outside its region."""
    return wide in (narrow, "all") or narrow == "own"


def _unknown(where: str, named: list[str], known: frozenset[str]) -> Iterator[str]:
    yield from (f"{where}: unknown post {post}" for post in sorted(set(named) - known))


def _posts(named: list[str], posts: frozenset[str]) -> frozenset[str]:
    return posts if ANY_POST in named or EVERYBODY in named else frozenset(named)


def _command(command: str, row: Mapping[str, Any], posts: frozenset[str]) -> CommandRow:
    return CommandRow(
        command, row["zh"], row["en"], _posts(row["posts"], posts), row["scope"],
        tuple(map(plain_route, row.get("routes", ()))), tuple(row["rules"]), EVERYBODY in row["posts"],
        row.get("programs", False),
    )  # fmt: skip


def _personal(field: str, row: Mapping[str, Any]) -> PersonalField:
    clear, masked, reveal = (frozenset(row.get(part, ())) for part in ("clear", "masked", "reveal"))
    return PersonalField(
        field, row["zh"], row["en"], clear, masked, reveal, tuple(row.get("rules", ())), row.get("source")
    )


def check_against(chart: Chart, permissions: Permissions, word: str = "case") -> None:
    """`RulesBroken` where the chart lets a post do what the table's rows for events, facts and openings would stop."""
    faults = []
    for what, parts in (("event", chart.events), ("fact", chart.facts), ("open", chart.openings)):
        command = f"{word}.{what}"
        row = permissions.commands.get(command)
        for part in parts.values():
            stopped = part.posts & permissions.posts.keys() - (row.posts if row else frozenset())
            if stopped:
                faults.append(f"{_FILE_NAME}: commands.{command}: {part.name} is for {', '.join(sorted(stopped))} too")
    if faults:
        raise RulesBroken(faults)
