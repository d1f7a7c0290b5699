"""The rulebook in force: charts, policies, permissions, rules of owners and privacy; loaded and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from casework.errors import RulesBroken
from casework.lifecycle.laws import faults_between, words_missing
from casework.people.shifts.shift_rules import ShiftRules, load_shift_rules
from casework.people.staff.permission_table import check_against, load_permissions
from casework.people.staff.permissions import Permissions
from casework.people.staff.posts import known_posts
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import load_chart
from casework.rules.statechart.policy import Policies, load_policies
from casework.rules.statechart.registry import Registry
from casework.work.cases.duty_doers import doer_faults
from casework.work.cases.duty_rules import DutyRules, load_duty_rules
from casework.work.cases.noun import CASE_CHART
from casework.work.cases.nouns import NOUNS
from casework.work.cases.owner_rules import OwnerRules, load_owner_rules
from casework.work.cases.privacy_rules import PrivacyRules, load_privacy_rules
from casework.work.cases.registry import REGISTRY
from casework.work.cases.task_rules import TaskRules, load_task_rules
from casework.work.contacts.results import Results, load_results
from casework.work.contacts.sources import Sources, load_sources
from casework.work.requests import REQUEST
from casework.work.topics import faults_of
from casework.work.visits.noun import VISIT
from casework.work.visits.proof import verdict_faults


def registry_of(chart: str) -> Registry:
    """What a chart of this name may name; of a name that no chart of today has, what cases' may."""
    name = chart.partition("@")[0]
    return {noun.chart: noun.registry for noun in NOUNS}.get(name, REGISTRY)


@dataclass(frozen=True)
class Rulebook:
    """Charts, policies by date; the tables: permissions, owners, privacy, results, sources, duties, shifts, tasks."""

    charts: Mapping[str, Chart]
    policies: Policies
    permissions: Permissions
    owners: OwnerRules
    privacy: PrivacyRules
    results: Results
    sources: Sources
    duties: DutyRules
    shifts: ShiftRules
    tasks: TaskRules

    @property
    def chart(self) -> Chart:
        """The chart of cases."""
        return self.charts[CASE_CHART]

    @property
    def by_word(self) -> Mapping[str, Chart]:
        """The charts of nouns, by the first word of their entries."""
        return {noun.word: self.charts[noun.chart] for noun in NOUNS}

    @property
    def requests(self) -> Chart:
        """The chart of requests under four eyes."""
        return self.charts[REQUEST.chart]


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
    sources = load_sources(folder)
    charts = {noun.chart: load_chart(folder / f"{noun.chart}.toml", noun.registry, policies) for noun in NOUNS}
    faults = [
        *faults_between(NOUNS, charts), *words_missing(NOUNS, charts, sources.tables),
        *verdict_faults(charts[VISIT.chart], policies),
    ]  # fmt: skip
    if faults:
        raise RulesBroken(faults)
    charts = {name: one.with_tables(sources.tables) for name, one in charts.items()}
    chart = charts[CASE_CHART]
    posts = known_posts(chart)
    permissions = load_permissions(folder, policies, posts)
    for noun in NOUNS:
        check_against(charts[noun.chart], permissions, noun.word)
    if faults := list(faults_of(charts[REQUEST.chart], charts.values(), policies, posts)):
        raise RulesBroken(faults)
    tasks = load_task_rules(folder, policies, posts, frozenset(chart.states))
    duties = load_duty_rules(folder, policies, posts, frozenset(chart.states))
    if faults := list(doer_faults(duties, charts)):
        raise RulesBroken(faults)
    return Rulebook(
        charts,
        policies,
        permissions,
        load_owner_rules(folder, policies, posts, frozenset(chart.states)),
        load_privacy_rules(folder),
        load_results(folder, frozenset(tasks.checked_by)),
        sources,
        duties,
        load_shift_rules(folder, policies, posts),
        tasks,
    )
