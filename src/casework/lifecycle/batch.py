"""One batch of the door: the gathered subjects as the commands so far left them, and what is to be written of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from casework.customer import Customer, stream_of
from casework.lifecycle import fold
from casework.lifecycle.commands import Done, Refused
from casework.lifecycle.gather import Gathered, nouns_by_chart
from casework.lifecycle.kept import Kept
from casework.lifecycle.reasons import on_record, rules_of
from casework.log.format.entry import entry_id_of
from casework.log.write.trail import (
    NOT_BEGUN,
    Draft,
    StreamHead,
    Trail,
)
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Authority, Permissions
from casework.people.staff.why_not import out_of_reach
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Refusal, post_reason
from casework.rules.statechart.policy import Policies, Policy

_RowsOf = tuple[Kept, list[tuple[Any, ...]]]
_NO_POSTS: Mapping[str, tuple[str, ...]] = {}


class Rules(Protocol):
    """The rulebook as far as the door asks it."""

    @property
    def charts(self) -> Mapping[str, Chart]:
        """By name."""
        ...

    @property
    def policies(self) -> Policies:
        """By date."""
        ...

    @property
    def permissions(self) -> Permissions:
        """Who may do what."""
        ...


class BatchPart(msgspec.Struct):
    """Rows and entries that belong together; parts are written in the order in which they were made."""

    fresh: list[_RowsOf]
    changed: list[_RowsOf]
    beside: list[tuple[sa.Table, Sequence[str], list[tuple[Any, ...]]]]
    refused_openings: list[tuple[str, Draft]]
    begun: list[str]  # streams that have their first entry now
    heads: list[tuple[Any, ...]]
    trail: Trail


class _Unwritten(msgspec.Struct):
    touched: dict[str, dict[int, Any]] = msgspec.field(default_factory=lambda: defaultdict(dict))  # by chart
    opened: dict[str, dict[int, Any]] = msgspec.field(default_factory=lambda: defaultdict(dict))
    beside: dict[str, tuple[sa.Table, Sequence[str], list[tuple[Any, ...]]]] = msgspec.field(default_factory=dict)
    refused_openings: list[tuple[str, Draft]] = msgspec.field(default_factory=list)
    begun: list[str] = msgspec.field(default_factory=list)
    heads: dict[str, StreamHead] = msgspec.field(default_factory=dict)


class Batch:
    """The gathered subjects as the commands so far left them, what is to be written of them, and who may touch them."""

    def __init__(
        self, nouns: Sequence[Kept], rules: Rules, gathered: Gathered, trail: Trail, *, prepared: Mapping[str, Any],
        busy: bool = False,
    ) -> None:  # fmt: skip
        self.nouns = nouns_by_chart(nouns)
        self.main = nouns[0]
        self.charts = rules.charts
        self.policies = rules.policies
        self.permissions = rules.permissions
        self.trail = trail
        self.today = trail.today
        self.zone = ZoneInfo(str(rules.policies.all[-1].figure("branch.time_zone")))
        self.gathered = gathered
        self.prepared = prepared
        self.missing = "busy" if busy else "unknown"
        self._unwritten = _Unwritten()
        self._days: dict[str | None, tuple[date, Policy]] = {}

    def part(self) -> BatchPart:
        """What the commands since the last part have changed, ready to be written."""
        done, self._unwritten = self._unwritten, _Unwritten()
        fresh, changed = list[_RowsOf](), list[_RowsOf]()
        for chart, subjects in done.opened.items():
            noun = self.nouns[chart]
            fresh.append((noun, [*map(noun.rows.row, subjects.values())]))
        for chart, subjects in done.touched.items():
            noun, new = self.nouns[chart], done.opened.get(chart, {})
            rows = [noun.rows.change(subject) for number, subject in subjects.items() if number not in new]
            if rows:
                changed.append((noun, rows))
        heads = [(stream, head.recorded_at, head.seq, head.leaf_hash) for stream, head in done.heads.items()]
        return BatchPart(
            fresh, changed, list(done.beside.values()), done.refused_openings, sorted(done.begun), heads,
            self.trail.of(self.trail.taken()),
        )  # fmt: skip

    def opened(self, noun: Kept, new: Any, draft: Draft) -> Done:
        """What a noun's own opening has decided."""
        self.gathered.subjects[noun.chart, new.id] = new
        self._unwritten.opened[noun.chart][new.id] = new
        return self.seal(noun, new, draft, None, new.state)

    def refused_apart(self, stream: str, draft: Draft) -> None:
        """A refusal that has no subject: it goes into a stream of its own, whose head is read when it is written."""
        self._unwritten.refused_openings.append((stream, draft))

    def of_customer(self, about: Mapping[str, Any] | None) -> list[Any]:
        """The living main subjects of a customer whom something concerns."""
        if about is None:
            return []
        found = self.gathered.of_customers.get(Customer(about["institution"], about["borrower_id"]), ())
        every = [self.gathered.subjects[self.main.chart, number] for number in found]
        return [one for one in every if one.live]

    def bound_by(self, subject: Any) -> list[Any]:
        """Those of them that it binds."""
        about = {"institution": subject.institution, "borrower_id": subject.borrower_id}
        return [one for one in self.of_customer(about) if subject.binds(one)]

    def parent_of(self, noun: Kept, subject: Any) -> Any:
        """Of a child its parent, as the commands before left it."""
        return None if not noun.child else self.gathered.subjects[self.main.chart, subject.parent_id]

    def authority(
        self, actor: Actor, posts: frozenset[str], noun: Kept, subject: Any, policy: Policy, rules: tuple[str, ...],
        only_own: Mapping[str, tuple[str, ...]] = _NO_POSTS,
    ) -> Authority | Refusal:  # fmt: skip
        """By which post the actor may act on this subject, or why not."""
        return self.authority_over(actor, posts, self._whose(noun, subject), policy, rules, only_own)

    def authority_over(
        self, actor: Actor, posts: frozenset[str], whose: Sequence[Any], policy: Policy, rules: tuple[str, ...],
        only_own: Mapping[str, tuple[str, ...]] = _NO_POSTS,
    ) -> Authority | Refusal:  # fmt: skip
        """By which post the actor may act on one of these; what is nobody's is reached by a post that reaches all."""
        for one in whose or (NOBODYS,):
            authority = self.permissions.authority(actor, posts, one, policy, only_own)
            if authority is not None:
                return authority
        held = actor.posts.union(*(principal.posts for principal in actor.principals))
        if not posts & held:
            return Refusal((post_reason(posts, actor.posts, rules),), forbidden=True)
        return Refusal((out_of_reach(posts & held, rules, only_own),), forbidden=True)

    def _whose(self, noun: Kept, subject: Any) -> Sequence[Any]:
        if noun.child:
            return (self.parent_of(noun, subject), *noun.shared(subject))
        return self.bound_by(subject) if noun.of_customer else (subject,)

    def sees(self, actor: Actor, noun: Kept, subject: Any) -> bool:
        """Whether the subject is shown to the actor."""
        if actor.kind == "system":
            return True
        return self.sees_any(
            actor, noun, self._whose(noun, subject), {"institution": getattr(subject, "institution", "")}
        )

    def sees_any(self, actor: Actor, noun: Kept, whose: Sequence[Any], about: Mapping[str, Any]) -> bool:
        """Whether one of these is shown to the actor."""
        if actor.kind == "system":
            return True
        policy, command = self.of_institution(about["institution"])[1], f"{noun.word}.read"
        return any(self.permissions.may_see(actor, one, policy, command) for one in whose or (NOBODYS,))

    def on(self, noun: Kept, subject: Any) -> tuple[date, Policy]:
        """The business date of the subject's institution (of what has none: the branch's today) and its policy."""
        del noun
        return self.of_institution(getattr(subject, "institution", None))

    def of_institution(self, institution: str | None) -> tuple[date, Policy]:
        """The business date of an institution (none: the branch's today) and the policy of that day."""
        known = self._days.get(institution)
        if known is None:
            today = self.gathered.business_dates.get(institution or "", self.today)
            known = self._days[institution] = today, self.policies.at(today)
        return known

    def draft(
        self, noun: Kept, event: str, actor: Actor, data: dict[str, Any], today: date, policy: Policy,
        rules: tuple[str, ...], texts: Mapping[str, str] | None = None, reason_code: str | None = None,
    ) -> Draft:  # fmt: skip
        """An entry that cites chart and policy; `business_date` goes into its data."""
        data["business_date"] = today.isoformat()
        chart = self.charts[noun.chart].ref
        return Draft(event, actor.signed, data, None, None, reason_code, rules, chart, policy.ref, texts or {})

    def happen(self, noun: Kept, subject: Any, draft: Draft, to: str, policy: Policy) -> Done:
        """Let the entry happen to the subject, and seal it."""
        came_from = subject.state
        fold.apply(
            noun, subject, draft.event, to, draft.actor.id, draft.data, self.charts[noun.chart], policy,
            self.parent_of(noun, subject),
        )  # fmt: skip
        return self.seal(noun, subject, draft, came_from, to)

    def seal(self, noun: Kept, subject: Any, draft: Draft, came_from: str | None, to: str) -> Done:
        """Put the entry into its stream."""
        draft.from_, draft.to = came_from, to
        self._unwritten.touched[noun.chart][subject.id] = subject
        return Done(subject.id, subject.version, came_from, to, self.put(noun, subject, draft))

    def put(self, noun: Kept, subject: Any, draft: Draft) -> str:
        """The id of the entry, now at the end of its stream."""
        holder: Any = subject
        if noun.child and not isinstance(subject, self.main.subject):
            holder = self.parent_of(noun, subject)
            draft.data[noun.word] = subject.id
        if noun.child:
            self._unwritten.touched[self.main.chart][holder.id] = holder
        if draft.texts:
            draft.subject = self._key_of(holder)
        if noun.child or not (noun.of_customer or noun.headless):
            stream = holder.stream
            head = self.trail.add(stream, StreamHead(holder.audit_seq, holder.audit_head, holder.last_entry_at), draft)
            holder.audit_seq, holder.audit_head, holder.last_entry_at = head.seq, head.leaf_hash, head.recorded_at
            return entry_id_of(stream, head.seq)
        if noun.headless:
            stream = subject.stream
        else:
            draft.data[noun.word] = subject.id
            stream = stream_of(self.gathered.vault, Customer(subject.institution, subject.borrower_id))
        if self.gathered.heads[stream] == NOT_BEGUN:
            self._unwritten.begun.append(stream)
        head = self.trail.add(stream, self.gathered.heads[stream], draft)
        self._unwritten.heads[stream] = self.gathered.heads[stream] = head
        return entry_id_of(stream, head.seq)

    def _key_of(self, holder: Any) -> str | None:
        """Whose key seals the texts of its entries: its customer's, or whose its row says (none: the branch's own)."""
        if hasattr(holder, "sealed_for"):
            sealed_for: str | None = holder.sealed_for
            return sealed_for
        return stream_of(self.gathered.vault, Customer(holder.institution, holder.borrower_id))

    def refuse(
        self, noun: Kept, subject: Any, what: str, actor: Actor, refusal: Refusal, data: dict[str, Any], today: date,
        policy: Policy,
    ) -> Refused:  # fmt: skip
        """Refuse with an entry that keeps every reason."""
        data = {**data, "reasons": [on_record(reason) for reason in refusal.reasons]}
        draft = self.draft(
            noun, f"{noun.says.refused}{what}", actor, data, today, policy, rules_of(refusal),
            reason_code=refusal.reasons[0].code,
        )  # fmt: skip
        done = self.seal(noun, subject, draft, subject.state, subject.state)
        return Refused(subject.id, subject.version, subject.state, refusal.reasons, refusal.forbidden, done.entry_id)

    def write_beside(self, table: sa.Table, columns: Sequence[str], row: tuple[Any, ...]) -> None:
        """A row that a noun keeps beside its subjects, written with them."""
        self._unwritten.beside.setdefault(table.name, (table, columns, []))[2].append(row)


class _Nobodys(msgspec.Struct, frozen=True):
    owner: str = ""
    handler: str = ""
    team: str | None = None
    region: str | None = None
    product: str | None = None


NOBODYS: Any = _Nobodys()
"""What is nobody's in particular: only a post that reaches everything reaches it."""
