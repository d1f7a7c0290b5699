"""Topics of four eyes: the chart of requests, checked against the case's chart, policies and posts.

Pure but for the file.
"""

from collections.abc import Iterator
from pathlib import Path

import casework.work.request.guards  # noqa: F401  (registers the guards)
from casework.errors import RulesBroken
from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Approval, Chart, load_chart
from casework.rules.statechart.policy import Policies
from casework.work.request.situation import REGISTRY

REQUEST_CHART = "request"


def load_requests(folder: Path, policies: Policies, cases: Chart, posts: frozenset[str]) -> Chart:
    """The chart of requests; `RulesBroken` if it or its topics may not be used. `posts`: what people may hold."""
    chart = load_chart(folder / f"{REQUEST_CHART}.toml", REGISTRY, policies)
    faults = [f"{REQUEST_CHART}.toml: {fault}" for fault in topic_faults(chart, policies, posts)]
    faults += [f"{cases.name}.toml: {fault}" for fault in event_faults(chart, cases)]
    if faults:
        raise RulesBroken(faults)
    return chart


def topic_faults(chart: Chart, policies: Policies, posts: frozenset[str]) -> Iterator[str]:
    """What is wrong with the topics: posts that nobody can hold, figures that are missing or that nobody can meet."""
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


def event_faults(chart: Chart, cases: Chart) -> Iterator[str]:
    """What is wrong with the events under four eyes: no such topic, or other people who may ask than its own."""
    for event in cases.events.values():
        topic = chart.approvals.get(event.four_eyes or "")
        if event.four_eyes is None:
            continue
        if topic is None:
            yield f"events.{event.name}.four_eyes: {event.four_eyes} is no topic of the chart {chart.name}"
        elif topic.proposed_by != event.posts:
            yield f"events.{event.name}.posts: are not those who may ask for {topic.name} ({chart.name}.toml)"


def posts_for(topic: Approval, event: str) -> frozenset[str]:
    """The posts that may do this to a request of the topic."""
    if event == "return":
        return topic.reviewed_by | topic.approved_by
    return {"review": topic.reviewed_by, "approve": topic.approved_by}.get(event, topic.proposed_by)
