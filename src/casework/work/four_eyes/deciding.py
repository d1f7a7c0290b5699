"""Who may do what to a request, and why not: posts and reach first, then the chart. Nothing is written here."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from casework.lifecycle.versions import lives_under, not_moved
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Authority
from casework.people.staff.why_not import out_of_reach
from casework.rules.statechart.decide import Refusal, decide, post_reason
from casework.work.cases.branch import Branch
from casework.work.four_eyes.kinds import AboutPeople, Kind, Standing
from casework.work.four_eyes.recording import Moment
from casework.work.requests import ROLES, Request, Situation, posts_for

RULES = ("1.1.4",)
READS_ALL = "audit.read"  # who may read the log may read every request


def decided(
    moment: Moment, actor: Actor, event: str, request: Request, standing: Standing | None, now_: Situation
) -> tuple[Authority | None, Refusal | None]:
    """By which post they may, and why the chart says no; who has no post learns nothing else."""
    chart, found = moment.chart, None
    if event != "withdraw":  # that is the right of who asked, whatever posts they still hold
        found = authority_of(moment, actor, posts_for(chart.approvals[request.topic], event), standing)
    if isinstance(found, Refusal):
        return None, found
    if not lives_under(chart, request):
        return None, Refusal((not_moved(chart, request),))
    verdict = decide(chart, event, request.state, now_, frozenset({ROLES[event]}))
    return found, verdict if isinstance(verdict, Refusal) else None


def may_see(moment: Moment, actor: Actor, request: Request, standing: Standing | None) -> bool:
    """Whether the request is shown to them: they have a part in it, see its case, or hold a post of its topic."""
    if actor.kind == "system" or actor.people & request.involved:
        return True
    permissions = moment.permissions
    if standing is not None:
        return sees(moment, actor, standing)
    topic = moment.chart.approvals[request.topic]
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    involved = topic.proposed_by | topic.reviewed_by | topic.approved_by
    return bool(held & involved) or permissions.may(actor, READS_ALL)


def sees(moment: Moment, actor: Actor, standing: Standing) -> bool:
    """Whether what it is about is shown to them."""
    command = f"{standing.noun.word}.read"
    return actor.kind == "system" or any(
        moment.permissions.may_see(actor, one, moment.policy, command) for one in standing.whose
    )


def authority_of(moment: Moment, actor: Actor, posts: frozenset[str], standing: Standing | None) -> Authority | Refusal:
    """By which post, in their own right or for somebody they deputise for; a case must be within its reach."""
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    if not posts & held:
        return Refusal((post_reason(posts, actor.posts, RULES),), forbidden=True)
    if standing is not None:
        permissions = moment.permissions
        every = (permissions.authority(actor, posts, one, moment.policy) for one in standing.whose)
        return next(filter(None, every), None) or Refusal((out_of_reach(posts & held, RULES),), forbidden=True)
    if posts & actor.posts:
        return Authority(min(posts & actor.posts))
    principal = next(one for one in actor.principals if posts & one.posts)
    return Authority(min(posts & principal.posts), principal.id)


def concerned_by(
    conn: Connection, branch: Branch, kind: Kind, subject: str, what: str, data: Mapping[str, Any]
) -> frozenset[str]:
    """Whom the request is about, where its kind is about people."""
    return kind.concerned(conn, branch, subject, what, data) if isinstance(kind, AboutPeople) else frozenset()
