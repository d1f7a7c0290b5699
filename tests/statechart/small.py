"""A small valid chart with its policy and law, taken from the page that explains the format."""

import re
import tomllib
from pathlib import Path
from typing import Any

from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import parse_chart
from casework.rules.statechart.policy import Policies, Policy, parse_policy
from casework.rules.statechart.registry import Params, Registry, Verdict
from casework.work.cases.registry import REGISTRY
from casework.work.cases.rulebook import load_rulebook

FOLDER = Path(__file__).parents[2] / "statecharts"
RULEBOOK = load_rulebook(FOLDER)
BLOCKS: dict[str, str] = {
    match[1].split()[0]: match[2]
    for match in re.finditer(
        r"```toml\n# ([^\n]*)\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
}


def _registry() -> Registry:
    """The service's guards and effects, none of its facts, and one of each that an invented past version named."""
    registry = Registry()
    registry.guards, registry.effects = dict(REGISTRY.guards), dict(REGISTRY.effects)

    @registry.guard()
    def once_asked(_now: Any, _params: Params) -> Verdict:
        return Verdict(met=True)

    @registry.effect()
    def once_counted(_now: Any, _params: Params) -> None:
        """Nothing follows from it."""

    @registry.recorder
    def once_recorded(_now: Any, _params: Params) -> None:
        """Nothing follows from it."""

    registry.retire("once_asked", "once_counted", "once_recorded")
    return registry


SMALL_REGISTRY = _registry()


def law() -> dict[str, Any]:
    return tomllib.loads(BLOCKS["law"])


def small_policy(text: str = BLOCKS["policy"], name: str = "2026-01-01") -> Policy:
    return parse_policy(name, text.encode(), law())


SMALL_POLICIES = Policies([small_policy()])


def small_chart(text: str = BLOCKS["chart"]) -> Chart:
    return parse_chart(text.encode(), SMALL_REGISTRY, SMALL_POLICIES, file="small.toml")
