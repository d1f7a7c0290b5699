"""The rulebook in force: the chart of cases and the branch's policies, loaded and checked once per process."""

from dataclasses import dataclass
from pathlib import Path

import casework.cases.effects
import casework.cases.guards  # noqa: F401  (registers the guards)
from casework.cases.registry import REGISTRY
from casework.statechart.chart import Chart, load_chart
from casework.statechart.policy import Policies, load_policies

CASE_CHART = "overdue_loan"


@dataclass(frozen=True)
class Rulebook:
    """The chart that cases follow and the policies by date."""

    chart: Chart
    policies: Policies


def load_rulebook(folder: Path) -> Rulebook:
    """Read `statecharts/`; `RulesBroken` with every fault if anything in it may not be used."""
    policies = load_policies(folder)
    return Rulebook(load_chart(folder / f"{CASE_CHART}.toml", REGISTRY, policies), policies)
