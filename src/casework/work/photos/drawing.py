"""Photos of accepted visits are drawn to be checked again (1.3.2w): the basic-risk post has them on its list at once.

The seed's digest and the list's are an entry before the draw, the seed and what was drawn the entry after it
(`casework.work.photos.sampling`): a draw that was begun and not ended shows. Each visit learns which of its photos were
drawn; what came of the check is a fact of the visit.
"""

import hashlib
import secrets
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.customer import Customer
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Record
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import VISITS
from casework.work.photos.sampling import SEED_BYTES, digest_of, drawn, size_of
from casework.work.photos.tables import photos
from casework.work.tasks.checks import Check, add_checks

COMMAND: Final = "visit.draw"
STREAM: Final = "samples:photos"
CHECK: Final = "photo_recheck"
COMMITTED: Final = "sample.committed"
DRAWN: Final = "sample.drawn"
_RULES: Final = ("1.3.2w", "5.4")
_visits: Final = VISITS.table.c
_LIST: Final = (
    sa.select(photos.c.photo, photos.c.visit_id, *_visits["visit_on", "institution", "borrower_id", "loan_id"])
    .join(VISITS.table, _visits.id == photos.c.visit_id)
    .where(_visits.state == "accepted", _visits.visit_on.between(sa.bindparam("first"), sa.bindparam("last")))
)


class Draw(msgspec.Struct):
    """What was drawn of how many, and the two entries that prove it."""

    photos: list[str]
    listed: int
    seed: str
    committed_id: str
    drawn_id: str


def draw_photos(
    engine: Engine, branch: Branch, actor: Actor, first: date, last: date, *, clock: Clock = now
) -> Draw:  # fmt: skip
    """Draw the policy's share of the photos of visits made from `first` to `last` that were accepted.

    CallerErrors `post_not_permitted`, `period_malformed`, `nothing_to_draw`.
    """
    branch.rulebook.permissions.require(actor, COMMAND)
    if last < first:
        raise CallerError("period_malformed", field="last")
    seed = secrets.token_bytes(SEED_BYTES)
    policy = branch.rulebook.policies.at(branch.today(clock()))
    percent: int = policy.figure("visit.recheck_percent")
    with writing(engine) as conn:
        listed = {row.photo: row for row in conn.execute(_LIST, {"first": first, "last": last})}
        if not listed:
            raise CallerError("nothing_to_draw", field="first")
        said = {
            "from": first.isoformat(), "to": last.isoformat(), "listed": len(listed), "percent": percent,
            "list_sha256": digest_of(listed), "seed_sha256": hashlib.sha256(seed).hexdigest(),
        }  # fmt: skip
        committed_id = _tell(conn, branch, Draft(COMMITTED, actor.signed, said, rules=_RULES, policy=policy.ref), clock)
    chosen = drawn(seed, listed, size_of(len(listed), percent))
    with writing(engine) as conn:
        data = {"committed": committed_id, "seed": seed.hex(), "photos": chosen}
        drawn_id = _tell(conn, branch, Draft(DRAWN, actor.signed, data, rules=_RULES, policy=policy.ref), clock)
        facts = [_fact(listed[photo], photo, drawn_id, actor) for photo in chosen]
        for outcome in advance(conn, facts, branch, clock=clock):
            if not isinstance(outcome, Done):
                raise RuntimeError(f"a visit does not learn what was drawn: {outcome}")  # noqa: TRY004  # no wrong type
        checks = [Check(Customer(row.institution, row.borrower_id), row.loan_id, CHECK, drawn_id, _RULES)
                  for row in map(listed.__getitem__, chosen)]  # fmt: skip
        add_checks(conn, branch, checks, system(actor.via), clock())
    return Draw(chosen, len(listed), seed.hex(), committed_id, drawn_id)


def _fact(row: Any, photo: str, drawn_id: str, actor: Actor) -> Record:
    return Record(
        actor=system(actor.via), noun=VISITS.chart, id=row.visit_id, kind="drawn", on=row.visit_on, evidence=drawn_id,
        data={"photo": photo},
    )  # fmt: skip


def _tell(conn: Connection, branch: Branch, draft: Draft, clock: Clock) -> str:
    trail = branch.trail(clock())
    head = trail.append(conn, STREAM, draft)
    trail.write(conn)
    return f"{STREAM}:{head.seq}"
