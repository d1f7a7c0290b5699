"""The texts of the rulebook, and which of them a database does not hold: what every command asks before it works."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.tables import texts
from casework.work.cases.branch import Branch

_HELD = sa.select(texts.c.kind, texts.c.name, texts.c.digest)


def unpublished(conn: Connection, branch: Branch) -> list[str]:
    """Names in the rulebook that the database does not hold with the same digest; empty when all is published."""
    held = {row.digest for row in conn.execute(sa.select(texts.c.digest))}
    return [f"{kind} {name}" for kind, name, digest, _ in texts_of(branch) if digest not in held]


def check_as_published(conn: Connection, branch: Branch) -> None:
    """CallerError `text_changed`, naming each text of the rulebook that was published with another digest."""
    held = {(row.kind, row.name): row.digest for row in conn.execute(_HELD)}
    changed = [
        (kind, name) for kind, name, digest, _ in texts_of(branch) if held.get((kind, name), digest) != digest
    ]  # fmt: skip
    if not changed:
        return
    names = [f"{kind} {name}" for kind, name in changed]
    raise CallerError(
        "text_changed",
        f"已发布且内容不同：{'、'.join(names)}；请提高版本号或使用新的生效日期，或放回原文件；未作任何更改",
        f"published with another text: {', '.join(names)}; raise the version, give it a new date, or put back the file "
        "that was; nothing was changed",
        kind=changed[0][0], name=changed[0][1], texts=names,
    )  # fmt: skip


def texts_of(branch: Branch) -> list[tuple[str, str, str, bytes]]:
    """Kind, name, digest and body of each."""
    rulebook = branch.rulebook
    permissions, owners = rulebook.permissions, rulebook.owners
    charts = [("chart", chart.title, chart.digest, chart.text) for chart in rulebook.charts.values()]
    policies = [("policy", policy.name, policy.digest, policy.text) for policy in rulebook.policies.all]
    return [
        *policies,
        *charts,
        ("permissions", permissions.title, permissions.digest, permissions.text),
        ("owners", owners.title, owners.digest, owners.text),
        ("privacy", rulebook.privacy.title, rulebook.privacy.digest, rulebook.privacy.text),
        ("results", rulebook.results.title, rulebook.results.digest, rulebook.results.text),
        ("sources", rulebook.sources.title, rulebook.sources.digest, rulebook.sources.text),
        ("duties", rulebook.duties.title, rulebook.duties.digest, rulebook.duties.text),
        ("shifts", rulebook.shifts.title, rulebook.shifts.digest, rulebook.shifts.text),
        ("tasks", rulebook.tasks.title, rulebook.tasks.digest, rulebook.tasks.text),
    ]
