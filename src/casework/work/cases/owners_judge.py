"""What the replay asks of who acted and who owns: within their reach? does the owner follow from the rules? Pure.

Asked under the tables that were published when the entry was written. The register's own past is not asked here:
somebody's team, posts and load on that day are for `casework.people.staff.replay`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from casework.customer import Customer
from casework.lifecycle.judge import OUT_OF_REACH, POST_REASON, Judged
from casework.lifecycle.told import HERE, Act
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.people.staff.actor import SYSTEM_POST, Actor
from casework.people.staff.permissions import ACTS, Permissions
from casework.rules.statechart.policy import Policy
from casework.work.cases import fold
from casework.work.cases.case import Case
from casework.work.cases.owner_rules import BY_RULE, FALLBACK, OwnerRules
from casework.work.cases.rules_in_force import RulesInForce

_REMEMBERED: Final = 4_096
_MOVING: Final = frozenset({fold.MEASURED, *(f"{fold.SAYS.fact}{name}" for name in fold.AT_RISK)})
"""Beside steps, what is followed by another owner where another rule holds after it."""
_OF_RECEIVERS: Final = frozenset({
    "receiver_unknown", "receiver_not_there", "receiver_leaving", "receiver_without_post", "receiver_full",
})  # fmt: skip


class OwnersJudge:
    """Follows the entries of cases beside the fold; findings go into the same report."""

    def __init__(self, rules: RulesInForce, report: Report) -> None:
        self._rules = rules
        self._report = report
        # Few combinations recur in all entries; by policy, and by how many tables were published by then.
        self._reached: dict[tuple[Any, ...], bool] = {}

    def opened(self, judged: Judged, case: Case) -> None:
        """An opening: the owner is whom the rules name."""
        data = judged.entry.data
        tables = self._rules.owners(judged)
        said = {"rule": data["owner_rule"], "owner": data["owner"], "post": data["owner_post"], "named": data["named"]}
        if tables and not any(_follows(rules, case, judged, said) for rules in tables):
            self._find("owner_differs", judged.entry, rule=data["owner_rule"])
        self._within_reach(judged, case, own=data["named"])

    def acted(self, judged: Judged, case: Case, only_own: Collection[str] = ()) -> None:
        """A step, a fact, something asked for: whether `case`, as it was before, was within the actor's reach.

        `only_own`: the posts that the chart lets do it only with cases they own or handle.
        """
        self._within_reach(judged, case, only_own=only_own)

    def noted(self, judged: Judged, case: Case, command: str) -> None:
        """A note on the case or on what it has: whether some table in force that day permitted the command."""
        self._permitted(judged, case, command)

    def assigned(self, judged: Judged, case: Case, before: Entry | None) -> None:
        """An assignment, `before` being the entry before it: by rule after what can move it, or by who may."""
        entry, data = judged.entry, judged.entry.data
        if (data["from_owner"], data["from_handler"]) != (case.owner, case.handler):
            self._find("owner_differs", entry, owner=case.owner)
        if "command" in data:
            self._permitted(judged, case, data["command"])
            return
        moved = before is not None and (
            before.event in _MOVING or (before.event.startswith(fold.SAYS.step) and before.from_ != before.to)
        )
        said = {
            "rule": data["rule"], "owner": data["owner"], "post": data["owner_post"],
            "named": data.get("named", case.facts.named),
        }  # fmt: skip
        tables = self._rules.owners(judged)
        known = not tables or any(_follows(rules, case, judged, said) for rules in tables)
        right = known and data["reason"] == BY_RULE
        if not moved or not right:
            self._find("owner_differs", entry, rule=data["rule"])

    def beyond_reach(self, judged: Judged, case: Case, only_own: Collection[str]) -> bool:
        """Whether a refusal for want of reach can be true: no table in force then always let those posts reach it."""
        return not any(_always_reaches(table, judged, case, only_own) for table in self._rules.permissions(judged))

    def act_of(
        self, judged: Judged, subject: Any, only_own: Collection[str] = (), *, any_of: bool = False
    ) -> Act | None:
        """An act on what is a customer's, to be held against their cases; none of the service, or before all tables."""
        entry, data = judged.entry, judged.entry.data
        tables = self._rules.permissions(judged)
        if entry.actor.kind != "staff" or not tables:
            return None
        actor = Actor(data.get("acting_for", entry.actor.id), "staff", "-", frozenset({data["post"]}), HERE, HERE)
        reaches = {table.reach(actor, actor.posts, ACTS, judged.policy, only_own) for table in tables}
        customer = Customer(subject.institution, subject.borrower_id)
        return Act(entry.stream, entry.stream_seq, customer, data["post"], tuple(reaches), any_of)

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, code: str, entry: Entry, /, **detail: Any) -> None:
        self._report.find(code, entry.stream, entry.stream_seq, **detail)

    def _permitted(self, judged: Judged, case: Case, command: str) -> None:
        """Whether some table in force that day let the post that the entry names do the command, and to this case."""
        tables, post = self._rules.permissions(judged), judged.entry.data["post"]
        known = [table.commands[command] for table in tables if command in table.commands]
        if tables and post != SYSTEM_POST and not any(post in row.posts for row in known):
            self._find(POST_REASON, judged.entry, post=post)
        self._within_reach(judged, case)

    def _within_reach(
        self, judged: Judged, case: Case, *, own: str | None = None, only_own: Collection[str] = ()
    ) -> None:
        """Whether the post that the entry names can reach the case at all, wherever its holder belonged on that day.

        `own`: whose a case was that is only being opened.
        """
        entry, data = judged.entry, judged.entry.data
        tables = self._rules.permissions(judged)
        if entry.actor.kind != "staff" or not tables:
            return
        who, post = data.get("acting_for", entry.actor.id), data["post"]
        if entry.event == fold.SAYS.opened and own == who:
            return
        at_best = (
            post, who in (case.owner, case.handler), case.team is not None, case.region is not None, case.product,
            post in only_own,
        )  # fmt: skip
        question = (*at_best, judged.policy.digest, len(tables))
        reached = self._reached.get(question)
        if reached is None:
            reached = any(AtBest(*at_best).reached(table, judged.policy) for table in tables)
            if len(self._reached) >= _REMEMBERED:
                self._reached.clear()
            self._reached[question] = reached
        if not reached:
            self._find(OUT_OF_REACH, entry, post=post)


@dataclass(slots=True)
class _Whose:
    """A case as a scope looks at it."""

    owner: str
    handler: str
    team: str | None
    region: str | None
    product: str | None


class AtBest(NamedTuple):
    """All that decides whether somebody with a post can reach a case, if they belonged where the case does."""

    post: str
    own: bool
    of_a_team: bool
    of_a_region: bool
    product: str | None
    only_own: bool = False

    def reached(self, table: Permissions, policy: Policy) -> bool:
        """Whether the table lets them."""
        post, team, region = frozenset({self.post}), "T" if self.of_a_team else None, "R" if self.of_a_region else None
        case = _Whose("they" if self.own else "another", "another", team, region, self.product)
        only_own = post if self.only_own else ()
        return (
            table.authority(Actor("they", "staff", "-", post, team, region), post, case, policy, only_own) is not None
        )


def history_of(entry: Entry, case: Case) -> tuple[Any, ...] | None:
    """The row of `owner_history`, as it is stored, that an entry makes; `case` as the entry leaves it."""
    data = entry.data
    if entry.event == fold.SAYS.opened:
        why = (data["owner_post"], BY_RULE, data["owner_rule"])
    elif entry.event == fold.ASSIGNED:
        why = (data["owner_post"], data["reason"], data["rule"])
    else:
        return None
    return (case.id, entry.stream_seq, data["business_date"], entry.recorded_at, case.owner, case.handler, *why)


def _follows(rules: OwnerRules, case: Case, judged: Judged, said: Mapping[str, Any]) -> bool:
    """Whether the rules can name the rule, post and person that an entry names, whoever was there on that day.

    A rule for the person named may have been passed over, since they may have gone; so may one that keeps the owner.
    """
    for rule in rules.holding(case, judged.policy):
        if rule.name == said["rule"]:
            if rule.keep:
                return False  # nobody is given a case that stays where it is
            return bool(said["owner"] == said["named"] if rule.named_first else said["post"] == rule.post)
        if not (rule.named_first or rule.keep):
            stands_in = said["post"] in rules.fallback_posts or said["owner"] == said["named"]
            return said["rule"] == FALLBACK and stands_in
    return False


def _always_reaches(table: Permissions, judged: Judged, case: Case, only_own: Collection[str]) -> bool:
    """Whether one of the posts that a refusal for want of reach names reaches this case whoever holds it."""
    posts = frozenset(judged.entry.data["reasons"][0]["saw"]["posts"])
    nobody = Actor("-", "staff", "-", posts)
    return not posts or table.authority(nobody, posts, case, judged.policy, only_own) is not None


def receiver_refused(reason: Mapping[str, Any], data: Mapping[str, Any], case: Case) -> bool:
    """Whether a reason not to assign can be true of the case; what the register was then is not asked."""
    match reason["code"]:
        case "case_closed":
            return case.closed_as is not None
        case "changed_since_asked":
            return bool(
                reason["saw"]["material_version"] == case.facts.material_version
                and reason["needs"]["material_version"] != case.facts.material_version
            )
        case "receiver_is_owner":
            return (data["owner"], data["handler"]) == (case.owner, case.handler)
        case code:
            return code in _OF_RECEIVERS and reason["saw"]["receiver"] in (data["owner"], data["handler"])
