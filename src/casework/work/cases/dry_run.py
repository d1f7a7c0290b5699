"""What could be done with a set of cases, in totals by event and reason; nothing is written, nothing refused."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.lifecycle.opening import unknown_event
from casework.lifecycle.versions import NOT_MOVED, lives_under
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import ACTS, Reach
from casework.rules.statechart.chart import Arc, Chart, Event
from casework.rules.statechart.policy import Policy
from casework.rules.statechart.registry import Verdict
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.gather import CASE_ROWS, days_closed
from casework.work.cases.options import newer_cases, situation_of
from casework.work.cases.queries import walk_cases
from casework.work.cases.situation import CaseSituation

MAX_DRY_RUN = 10_000
_CHUNK = 1_000


class EventTotals(msgspec.Struct):
    """Of the cases asked about: how many may take the event, how many not, and how often for which reason.

    `opens_later` counts those that time alone will open. A case counts once under each of its reasons.
    """

    event: str
    allowed: int = 0
    refused: int = 0
    opens_later: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)


class DryRun(msgspec.Struct):
    """Totals over `cases` cases; `cut`: the filter holds more than that.

    `unknown`: ids of no case that the posts of whoever asks show them, whether there is one or not.
    """

    cases: int
    cut: bool
    unknown: list[int]
    by_state: dict[str, int]
    events: list[EventTotals]


def dry_run(
    conn: Connection,
    branch: Branch,
    dates: BusinessDates,
    asked: CaseFilter | Sequence[int],
    actor: Actor,
    *,
    within: Reach,
    events: Iterable[str] = (),
) -> DryRun:
    """What could be done with these cases `within` reach: totals by event (all, or those named) and by reason.

    At most 10,000 cases: more ids are a CallerError `too_many_cases`, a larger filter is `cut`. CallerError
    `unknown_event` for an event the chart does not know.
    """
    chart = branch.rulebook.chart
    names = tuple(dict.fromkeys(events)) or tuple(chart.events)
    for name in names:
        if name not in chart.events:
            raise unknown_event(name, chart)
    result = DryRun(0, False, [], {}, [EventTotals(name) for name in names])
    reaches, closed = _Reaches(branch, actor), days_closed(conn)
    if isinstance(asked, CaseFilter):
        chunks: Iterable[list[int]] = (
            [line.id for line in lines]
            for lines in walk_cases(conn, dates, asked, within=within, at_most=MAX_DRY_RUN + 1)
        )
    else:
        wanted = sorted(set(asked))
        if len(wanted) > MAX_DRY_RUN:
            zh, en = f"一次最多{MAX_DRY_RUN}个案件", f"at most {MAX_DRY_RUN} cases at once"
            raise CallerError("too_many_cases", zh, en, at_most=MAX_DRY_RUN)
        chunks = (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
    for chunk in chunks:
        ids = chunk[: MAX_DRY_RUN - result.cases]
        result.cut = len(ids) < len(chunk)
        found = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", ids)]
        found = [case for case in found if within.covers(case)]
        result.unknown += sorted(set(ids) - {case.id for case in found})
        newer = newer_cases(conn, found)
        for case in found:
            today = dates.of(case.institution)
            _count(result, chart, situation_of(case, branch, today, actor.id, newer, closed), reaches)
    return result


class _Reaches:
    """Over which cases the actor may fire each event, found once per event and policy: not for each of many cases."""

    def __init__(self, branch: Branch, actor: Actor) -> None:
        self._permissions = branch.rulebook.permissions
        self._actor = actor
        self._held = actor.posts.union(*(principal.posts for principal in actor.principals))
        self._found: dict[tuple[str, str], Reach] = {}

    def why_not(self, spec: Event, case: Case, policy: Policy) -> list[str]:
        """The code of the reason, as the door would give it; none if they may."""
        if self._actor.commands is not None and "case.event" not in self._actor.commands:
            return ["key_not_permitted"]
        if not spec.posts & self._held:
            return ["post_not_permitted"]
        reach = self._found.get((spec.name, policy.name))
        if reach is None:
            reach = self._permissions.reach(self._actor, spec.posts, ACTS, policy, spec.only_own)
            self._found[spec.name, policy.name] = reach
        return [] if reach.covers(case) else ["out_of_reach"]


def _count(result: DryRun, chart: Chart, situation: CaseSituation, reaches: _Reaches) -> None:
    case = situation.case
    result.cases += 1
    under = lives_under(chart, case)
    result.by_state[case.state] = result.by_state.get(case.state, 0) + 1
    for totals in result.events:
        spec = chart.events[totals.event]
        codes = reaches.why_not(spec, case, situation.policy)
        arc = spec.arcs.get(case.state)
        if not under:
            codes.append(NOT_MOVED)
        elif arc is None:
            codes.append("wrong_state")
        else:
            # The texts of ten thousand cases' reasons would never be read: verdicts are enough.
            unmet = [(use.guard.name, verdict) for use in arc.guards if not (verdict := use.verdict(situation)).met]
            totals.opens_later += not codes and _opens_later(arc, [verdict for _, verdict in unmet], situation)
            codes += [name for name, _ in unmet]
        totals.allowed += not codes
        totals.refused += bool(codes)
        for code in dict.fromkeys(codes):
            totals.reasons[code] = totals.reasons.get(code, 0) + 1


def _opens_later(arc: Arc, unmet: Sequence[Verdict], situation: CaseSituation) -> bool:
    """As `statechart.decide` says of one option: time alone meets every guard, and none lapses first."""
    days = [verdict.opens_on for verdict in unmet if verdict.opens_on is not None]
    if not days or len(days) < len(unmet):
        return False
    then = situation.at(max(days))
    return all(use.verdict(then).met for use in arc.guards)
