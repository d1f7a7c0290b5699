"""The rulebook in force: charts, policies, permissions, rules of owners and privacy; loaded and checked once."""

from dataclasses import dataclass
from pathlib import Path

import casework.cases.effects
import casework.cases.guards  # noqa: F401  (both register what charts may name)
from casework.cases.owner_rules import OwnerRules, load_owner_rules
from casework.cases.privacy_rules import PrivacyRules, load_privacy_rules
from casework.cases.registry import REGISTRY
from casework.request import situation as requests
from casework.request.topics import REQUEST_CHART, load_requests
from casework.staff.permission_table import check_against, load_permissions
from casework.staff.permissions import Permissions
from casework.staff.posts import known_posts
from casework.statechart.chart import Chart, load_chart
from casework.statechart.policy import Policies, load_policies
from casework.statechart.registry import Registry

CASE_CHART = "overdue_loan"


def registry_of(chart: str) -> Registry:
    """What a chart of this name may name: a request has guards of its own, all else is about cases."""
    return requests.REGISTRY if chart.partition("@")[0] == REQUEST_CHART else REGISTRY


@dataclass(frozen=True)
class Rulebook:
    """Charts of cases and requests, policies by date, who may do what, who owns which case, when data may go."""

    chart: Chart
    requests: Chart
    policies: Policies
    permissions: Permissions
    owners: OwnerRules
    privacy: PrivacyRules


def load_rulebook(folder: Path) -> Rulebook:
    """Read `statecharts/`; `RulesBroken` with every fault if anything in it may not be used.

    The same texts are the same rulebook: a process that opens several branches reads and checks them once.
    """
    texts = _texts(folder)
    if texts in _KNOWN:
        return _KNOWN[texts]
    read = _load(folder)
    if texts is not None and _texts(folder) == texts:  # nobody wrote to them meanwhile
        while len(_KNOWN) >= _KEPT:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[texts] = read
    return read


_Texts = tuple[tuple[Path, bytes], ...] | None
_KEPT = 4
_KNOWN: dict[_Texts, Rulebook] = {}


def _texts(folder: Path) -> _Texts:
    """Every file of the rulebook, the whole of what `_load` reads; none if one cannot be read, as `_load` will tell."""
    try:
        return tuple((path, path.read_bytes()) for path in sorted(folder.rglob("*.toml")))
    except OSError:
        return None


def _load(folder: Path) -> Rulebook:
    policies = load_policies(folder)
    chart = load_chart(folder / f"{CASE_CHART}.toml", REGISTRY, policies)
    posts = known_posts(chart)
    permissions = load_permissions(folder, policies, posts)
    check_against(chart, permissions)
    return Rulebook(
        chart,
        load_requests(folder, policies, chart, posts),
        policies,
        permissions,
        load_owner_rules(folder, policies, posts, frozenset(chart.states)),
        load_privacy_rules(folder),
    )
