"""Publishing the rulebook: texts of charts and policies go into the database by digest, each announced by an entry.

A published version never changes (house.md §4): the same name with another digest is refused, so that a replay finds
the very text that was in force.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.tables import texts
from casework.audit.trail import Draft
from casework.audit.verify import reference
from casework.cases.branch import Branch
from casework.cases.rulebook import registry_of
from casework.clock import Clock, now
from casework.errors import CallerError
from casework.staff.actor import Actor
from casework.statechart.chart import Chart, parse_chart
from casework.statechart.policy import Policies, Policy, parse_policy

STREAM = "rulebook:published"


def publish(conn: Connection, branch: Branch, actor: Actor, *, clock: Clock = now) -> list[str]:
    """Publish what is not published yet; the names published now. `CallerError` `text_changed` if a name was taken."""
    there = conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest))
    held = {(row.kind, row.name): row.digest for row in there}
    trail = branch.trail(clock())
    published = []
    for kind, name, digest, body in _texts_of(branch):
        if held.get((kind, name), digest) != digest:
            raise _changed(kind, name)
        if (kind, name) in held:
            continue
        row = {"digest": digest, "kind": kind, "name": name, "body": body, "published_at": trail.recorded_at}
        conn.execute(texts.insert().values(row))
        draft = Draft(f"{kind}.published", actor.signed, {"name": name, "digest": digest, "bytes": len(body)})
        trail.append(conn, STREAM, draft)
        published.append(f"{kind} {name}")
    trail.write(conn)
    return published


def unpublished(conn: Connection, branch: Branch) -> list[str]:
    """Names in the rulebook that the database does not hold with the same digest; empty when all is published."""
    held = {row.digest for row in conn.execute(sa.select(texts.c.digest))}
    return [f"{kind} {name}" for kind, name, digest, _ in _texts_of(branch) if digest not in held]


class Published:
    """Charts and policies as they were, by the reference that entries cite; read once, parsed when asked for."""

    def __init__(self, conn: Connection) -> None:
        rows = conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest, texts.c.body)).all()
        self._texts = {(row.kind, reference(row.kind, row.name, row.digest)): bytes(row.body) for row in rows}
        self._charts: dict[str, Chart] = {}
        self._policies: dict[str, Policy] = {}
        self._all: Policies | None = None

    def policy(self, ref: str) -> Policy:
        """The policy cited as `date#digest`; KeyError if it was never published."""
        if ref not in self._policies:
            name, text = ref.partition("#")[0], self._texts["policy", ref]
            self._policies[ref] = parse_policy(name, text, {})  # the law of today does not judge the past
        return self._policies[ref]

    def chart(self, ref: str) -> Chart:
        """The chart cited as `name@version#digest`; KeyError if it was never published."""
        if ref not in self._charts:
            if self._all is None:
                self._all = Policies([self.policy(cited) for kind, cited in self._texts if kind == "policy"])
            text = self._texts["chart", ref]
            self._charts[ref] = parse_chart(text, registry_of(ref), self._all, file=ref, past=True)
        return self._charts[ref]


def _texts_of(branch: Branch) -> list[tuple[str, str, str, bytes]]:
    rulebook = branch.rulebook
    chart, permissions, owners = rulebook.chart, rulebook.permissions, rulebook.owners
    return [("policy", policy.name, policy.digest, policy.text) for policy in rulebook.policies.all] + [
        ("chart", chart.title, chart.digest, chart.text),
        ("chart", rulebook.requests.title, rulebook.requests.digest, rulebook.requests.text),
        ("permissions", permissions.title, permissions.digest, permissions.text),
        ("owners", owners.title, owners.digest, owners.text),
        ("privacy", rulebook.privacy.title, rulebook.privacy.digest, rulebook.privacy.text),
    ]


def _changed(kind: str, name: str) -> CallerError:
    return CallerError(
        "text_changed",
        f"{kind} {name} 已发布且内容不同;请提高版本号或使用新的生效日期",
        f"{kind} {name} was published with another text; raise its version or give it a new date",
        kind=kind,
        name=name,
    )
