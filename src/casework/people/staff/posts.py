"""The posts that a person may hold: the chart's, and those beside it that no chart knows. Pure."""

from collections.abc import Mapping
from typing import Final

from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Chart

BESIDE_THE_CHART: Final[Mapping[str, Mapping[str, str]]] = {
    "auditor": {"zh": "审计岗", "en": "auditor"}, "administrator": {"zh": "系统管理员", "en": "administrator"},
    "customer_service": {"zh": "客服岗", "en": "customer service"},
    "channel_post": {"zh": "渠道岗", "en": "channel post"},
}  # fmt: skip


def known_posts(chart: Chart) -> frozenset[str]:
    """The posts a person may hold: the chart's (without the service's own) and those beside it."""
    return frozenset(post_labels(chart))


def post_labels(chart: Chart) -> dict[str, Mapping[str, str]]:
    """What those posts are called, by code, in zh and en."""
    return {post: words for post, words in chart.posts.items() if post != SYSTEM_POST} | {**BESIDE_THE_CHART}
