"""Publishing the rulebook: texts of charts and policies go into the database by digest, each announced by an entry.

A published version never changes: the same name with another digest is refused, so that a replay finds
the very text that was in force.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.log.check.findings import Report
from casework.log.tables import texts
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.work.cases.branch import Branch
from casework.work.cases.cited import Cited
from casework.work.cases.published import Published
from casework.work.cases.unpublished import check_as_published, texts_of

STREAM = "rulebook:published"


def publish(conn: Connection, branch: Branch, actor: Actor, *, clock: Clock = now) -> list[str]:
    """Publish what is not published yet; the names published now. `CallerError` `text_changed` if a name was taken."""
    check_as_published(conn, branch)
    held = {(row.kind, row.name) for row in conn.execute(sa.select(texts.c.kind, texts.c.name))}
    trail = branch.trail(clock())
    published = []
    for kind, name, digest, body in texts_of(branch):
        if (kind, name) in held:
            continue
        row = {"digest": digest, "kind": kind, "name": name, "body": body, "published_at": trail.recorded_at}
        conn.execute(texts.insert().values(row))
        draft = Draft(f"{kind}.published", actor.signed, {"name": name, "digest": digest, "bytes": len(body)})
        trail.append(conn, STREAM, draft)
        published.append(f"{kind} {name}")
    trail.write(conn)
    return published


def published(conn: Connection) -> Published:
    """What was ever published; TypeError where SQLite holds a text in the place of bytes."""
    rows = conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest, texts.c.body)).all()
    return Published((row.kind, row.name, row.digest, bytes(row.body)) for row in rows)


def version_published(conn: Connection, title: str) -> Chart | None:
    """The chart `name@version` as it was published, as the past knows it; none if it never was."""
    found = published(conn)
    ref = next((ref for kind, ref in found.known if kind == "chart" and ref.partition("#")[0] == title), None)
    return None if ref is None else found.chart(ref)


def cited_in(conn: Connection, report: Report) -> Cited:
    """The charts and policies that entries cite, as this database holds them."""
    try:
        return Cited(published(conn), report)
    except TypeError:  # SQLite may hold a text where bytes belong; the walk over the texts says where
        return Cited(None, report)
