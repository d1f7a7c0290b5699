"""Topics of four eyes: what the chart of requests says of them, against other charts, policies and posts. Pure."""

from collections.abc import Iterable, Iterator

from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policies


def faults_of(asked: Chart, others: Iterable[Chart], policies: Policies, posts: frozenset[str]) -> Iterator[str]:
    """What is wrong between the chart of requests and the others, by file. `posts`: what people may hold."""
    for fault in _topic_faults(asked, policies, posts):
        yield f"{asked.name}.toml: {fault}"
    for chart in others:
        for fault in _event_faults(asked, chart):
            yield f"{chart.name}.toml: {fault}"


def _topic_faults(chart: Chart, policies: Policies, posts: frozenset[str]) -> Iterator[str]:
    """Posts that nobody can hold, figures that are missing or that nobody can meet."""
    for name, topic in chart.approvals.items():
        where = f"approvals.{name}"
        for post in sorted(((topic.proposed_by - {SYSTEM_POST}) | topic.reviewed_by | topic.approved_by) - posts):
            yield f"{where}: {post} is no post that a person may hold"
        for policy in policies.all:
            people = policy.figures.get(f"approval.{name}")
            if people not in (1, 2):
                yield f"{where}: policy {policy.name}: approval.{name} is not 1 (approve) or 2 (review and approve)"
            elif people < topic.at_least:
                yield f"{where}: policy {policy.name}: approval.{name} is {people}, must be {topic.at_least} or more"
            elif people > 1 and not topic.reviewed_by:
                yield f"{where}: policy {policy.name} wants a review, and nobody may review it (reviewed_by)"


def _event_faults(asked: Chart, chart: Chart) -> Iterator[str]:
    """Events under four eyes: no such topic, or other people who may ask than its own."""
    for event in chart.events.values():
        topic = asked.approvals.get(event.four_eyes or "")
        if event.four_eyes is None:
            continue
        if topic is None:
            yield f"events.{event.name}.four_eyes: {event.four_eyes} is no topic of the chart {asked.name}"
        elif topic.proposed_by != event.posts:
            yield f"events.{event.name}.posts: are not those who may ask for {topic.name} ({asked.name}.toml)"
