"""What a morning's lists may hold beside duties (`statecharts/rules/tasks.toml`). Pure but for the file."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import time
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
    flag,
    name,
    some,
    table,
    whole,
    zero_or_more,
)
from casework.work.cases.duty_rules import DISPOSAL_FORM

TASKS: Final = (
    "broken_promise", "promise_due", "call_back", "hold_confirm", "hold_review", "hold_ends", "request",
    "breach_review", "contact_review", "report_review", "report_returned", "form_review", "form_returned",
)  # fmt: skip
OF_POST: Final = frozenset({
    "hold_confirm", "hold_review", "hold_ends", "breach_review", "contact_review", "report_review", "form_review",
})  # fmt: skip
"""Tasks of which a post answers for each; the file says which."""
BY_HAND: Final = "by_hand"
_FILE_NAME: Final = "rules/tasks.toml"


class TaskWords(NamedTuple):
    """How something is called."""

    zh: str
    en: str


class Strategy(NamedTuple):
    """What may be started for a case today, and in which states. `owes`: a duty that it brings with it that day."""

    zh: str
    en: str
    states: frozenset[str]
    rules: tuple[str, ...]
    owes: str | None = None


class WorkList(NamedTuple):
    """One of the four lists: cases whose strategy of the day is one of these, or that have none and are in a state."""

    zh: str
    en: str
    states: frozenset[str]
    strategies: frozenset[str]
    rules: tuple[str, ...]


class TaskRules(msgspec.Struct, frozen=True):
    """The file, checked. `owed_by`: the post that answers for a task of `OF_POST`; `report_by`: whose the report is.

    `checked_by`: of a task by hand that the service adds too, on which post's list; `by_service`: those of them that
    nobody but the service adds or ends.
    """

    version: int
    tasks: Mapping[str, TaskWords]
    owed_by: Mapping[str, str]
    by_hand: Mapping[str, TaskWords]
    checked_by: Mapping[str, str]
    by_service: frozenset[str]
    move_reasons: Mapping[str, TaskWords]
    postpone_reasons: Mapping[str, TaskWords]
    strategies: Mapping[str, Strategy]
    lists: Mapping[str, WorkList]
    report_by: str
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`tasks@version`."""
        return f"tasks@{self.version}"


def room_of(posts: Iterable[str], policy: Policy) -> int:
    """How many tasks a day's list of somebody with these posts has: the most that one of them has."""
    rows: Any = policy.figures.get("task.lines_by_post") or ()
    by_post = {row["post"]: row["tasks"] for row in rows}
    found = [by_post[post] for post in posts if post in by_post]
    usual: int = policy.figure("task.lines_per_day")
    return max(found) if found else usual


def chances_of(policy: Policy) -> Mapping[str, int]:
    """By bucket the chance of being paid, in percent, by which tasks are ranked."""
    rows: Any = policy.figures.get("task.chance_percent") or ()
    return {row["bucket"]: row["percent"] for row in rows}


_WORDS = each(table(LABELS))
_LIST = table({**LABELS, "states": some(name), "strategies": some(name), "rules": RULES})
_STRATEGY = table({**LABELS, "states": some(name, empty="names no state"), "rules": RULES}, {"owes": name})
_TASK = table({**LABELS, "rules": RULES}, {"owed_by": name})
_ADDED = each(table(LABELS, {"owed_by": name, "by_service": flag}))
_FILE = table(
    {
        "name": name, "version": whole, "tasks": each(_TASK), "by_hand": _ADDED,
        "move_reasons": _WORDS, "postpone_reasons": _WORDS, "strategies": each(_STRATEGY), "lists": each(_LIST),
        "report": table({"owed_by": name}),
    }
)  # fmt: skip
_TIMES: Final = ("lists_at", "take_by", "hand_in_by", "supplement_by")
_ROOM = some(table({"post": name, "tasks": zero_or_more}))
_CHANCE = some(table({"bucket": lambda _at, _value: iter(()), "percent": zero_or_more}))


def parse_task_rules(body: bytes, policies: Policies, posts: frozenset[str], states: frozenset[str]) -> TaskRules:
    """Read and check whole; `RulesBroken` with every fault."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: chain(
        _meaning(document, posts, states), _of_report(document["report"], posts),
        *(_of_policy(policy, posts) for policy in policies.all)))  # fmt: skip

    def words(key: str) -> dict[str, TaskWords]:
        return {code: TaskWords(row["zh"], row["en"]) for code, row in document[key].items()}

    lists = {
        code: WorkList(
            row["zh"], row["en"], frozenset(row["states"]), frozenset(row["strategies"]), tuple(row["rules"])
        )
        for code, row in document["lists"].items()
    }
    strategies = {
        code: Strategy(row["zh"], row["en"], frozenset(row["states"]), tuple(row["rules"]), row.get("owes"))
        for code, row in document["strategies"].items()
    }
    return TaskRules(
        document["version"], words("tasks"),
        {code: row["owed_by"] for code, row in document["tasks"].items() if code in OF_POST},
        words("by_hand"),
        {code: row["owed_by"] for code, row in document["by_hand"].items() if "owed_by" in row},
        frozenset(code for code, row in document["by_hand"].items() if row.get("by_service", False)),
        words("move_reasons"), words("postpone_reasons"),
        strategies, lists, document["report"]["owed_by"], body, hashlib.sha256(body).hexdigest(),
    )  # fmt: skip


def load_task_rules(folder: Path, policies: Policies, posts: frozenset[str], states: frozenset[str]) -> TaskRules:
    """`parse_task_rules` of `statecharts/rules/tasks.toml`."""
    return parse_task_rules(body_of(folder, _FILE_NAME), policies, posts, states)


def _meaning(document: Mapping[str, Any], posts: frozenset[str], states: frozenset[str]) -> Iterator[str]:
    tasks = document["tasks"]
    yield from (f"tasks.{one}: missing" for one in TASKS if one not in tasks)
    yield from (f"tasks.{one}: no task is called that" for one in tasks if one not in TASKS)
    for code, row in tasks.items():
        if (code in OF_POST) != ("owed_by" in row):
            yield f"tasks.{code}.owed_by: " + ("missing" if code in OF_POST else "who owes it is known otherwise")
        elif row.get("owed_by", min(posts)) not in posts:
            yield f"tasks.{code}.owed_by: no post is called {row['owed_by']}"
    yield from _of_by_hand(document["by_hand"], posts)
    yield from (f"{key}: is empty" for key in ("by_hand", "move_reasons", "postpone_reasons") if not document[key])
    known = {"states": states, "strategies": document["strategies"].keys()}
    yield from _of_strategies(document["strategies"], states)
    for part in ("states", "strategies"):
        seen: dict[str, str] = {}
        for code, row in document["lists"].items():
            for one in row[part]:
                if one not in known[part]:
                    yield f"lists.{code}.{part}: there is no {one}"
                if one in seen:
                    yield f"lists.{code}.{part}: {one} is on the list {seen[one]} already"
                seen[one] = code


def _of_by_hand(added: Mapping[str, Any], posts: frozenset[str]) -> Iterator[str]:
    for code, row in added.items():
        if row.get("owed_by", min(posts)) not in posts:
            yield f"by_hand.{code}.owed_by: no post is called {row['owed_by']}"
        if row.get("by_service", False) and "owed_by" not in row:
            yield f"by_hand.{code}.by_service: no post owes it, so the service adds it to no list"


def _is_time(policy: Policy, name: str) -> bool:
    given: Any = policy.figures.get(f"task.{name}")
    try:
        return type(given) is str and f"{time.fromisoformat(given):%H:%M}" == given
    except ValueError:
        return False


def _of_strategies(strategies: Mapping[str, Any], states: frozenset[str]) -> Iterator[str]:
    for code, row in strategies.items():
        yield from (f"strategies.{code}.states: no state is called {one}" for one in row["states"] if one not in states)
        if row.get("owes", DISPOSAL_FORM) != DISPOSAL_FORM:
            yield f"strategies.{code}.owes: no strategy brings {row['owes']} with it, only {DISPOSAL_FORM}"


def _of_report(report: Mapping[str, str], posts: frozenset[str]) -> Iterator[str]:
    if report["owed_by"] not in posts:
        yield f"report.owed_by: no post is called {report['owed_by']}"


def _of_policy(policy: Policy, posts: frozenset[str]) -> Iterator[str]:
    at = f"policy {policy.name}: task"
    yield from (f"{at}.{one} is not a time such as 07:30" for one in _TIMES if not _is_time(policy, one))
    if type(room := policy.figures.get("task.lines_per_day")) is not int or room < 1:
        yield f"{at}.lines_per_day is not a whole number from 1: nobody would have a list"
    if type(ahead := policy.figures.get("task.postpone_within_days")) is not int or ahead < 1:
        yield f"{at}.postpone_within_days is not a whole number from 1"
    given = policy.figures.get("task.put_right_within_days")
    if given is not None and (type(given) is not int or given < 1):
        yield f"{at}.put_right_within_days is not a whole number from 1, nor left empty"
    if type(policy.figures.get("task.pull_team")) is not bool:
        yield f"{at}.pull_team is not true or false"
    rows: Any = policy.figures.get("task.lines_by_post")
    faults = [] if rows is None else list(_ROOM(f"{at}.lines_by_post", rows))
    yield from faults
    if rows is not None and not faults:
        yield from (f"{at}.lines_by_post: no post is called {row['post']}" for row in rows if row["post"] not in posts)
    chances: Any = policy.figures.get("task.chance_percent")
    yield from () if chances is None else _CHANCE(f"{at}.chance_percent", chances)
