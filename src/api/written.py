"""Changes that are no commands to the door: one transaction in a worker thread, for one request.

The token is asked again in it, an idempotency key is claimed and its answer stored in it, and what the database could
not take at that moment is tried again.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from litestar import Request, Response
from sqlalchemy.engine import Connection

from api import idempotency
from api.auth import actor_of, still_valid
from api.changing import respond
from api.idempotency import IdempotencyKey, StoredAnswer, key_of
from api.receipts import tell_recorded
from api.serving import Serving, serving_of
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.log.write.trail import Trail, change_of, collecting
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.storage.driver_errors import is_conflict
from casework.work.cases.branch import Branch

Work = Callable[[Connection, Actor], StoredAnswer]
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What a change needs that is no command to the door."""

    branch: Branch
    conn: Connection
    trail: Trail
    actor: Actor
    at: datetime


@contextmanager
def changing(request: Request[Any, Any, Any]) -> Iterator[Change]:
    """One transaction by somebody whose token still holds in it; what it wrote is announced once it is committed."""
    serving = serving_of(request)
    with writing(serving.engine) as conn:
        at = now()
        trail, collected = serving.branch.trail(at), collecting(conn)
        yield Change(serving.branch, conn, trail, still_valid(conn, request), at)
        trail.write(conn)
    tell_recorded(request, change_of(collected))


async def written(
    request: Request[Any, Any, Any], work: Work, idempotency_key: str | None, if_match: str | None = None
) -> Response[bytes]:
    """What `work` answers, committed; its CallerErrors undo everything. A refusal is an answer: its entry stays."""
    key = None
    if idempotency_key is not None:
        parts = (request.method.encode(), request.scope["path"].encode(), (if_match or "").encode(),
                 await request.body())  # fmt: skip
        key = key_of(idempotency_key, actor_of(request).id, *parts)
    answer = await asyncio.to_thread(written_now, serving_of(request), request, work, key)
    tell_recorded(request, answer.change)
    return respond(answer)


def written_now(
    serving: Serving, request: Request[Any, Any, Any], work: Work, key: IdempotencyKey | None = None
) -> StoredAnswer:
    """As `written` answers, in this thread; nobody learns which entries it wrote."""
    for attempt in range(_TRIES):
        try:
            with writing(serving.engine) as conn:
                return _once(conn, request, work, key)
        except TryAgain as busy:
            if busy.code != "database_busy" or attempt == _TRIES - 1:
                raise
        except Exception as error:
            # The same key was answered by another process in between: the next look finds its answer.
            if key is None or not is_conflict(error) or attempt == _TRIES - 1:
                raise
    raise TryAgain("database_busy", "tried again and again")


def _once(conn: Connection, request: Request[Any, Any, Any], work: Work, key: IdempotencyKey | None) -> StoredAnswer:
    moment, mac_key = now(), serving_of(request).branch.mac_key
    known = idempotency.claim(conn, [key], moment, mac_key).get(key.name) if key is not None else None
    if isinstance(known, CallerError):
        raise known
    if known is not None:
        return known
    collected = collecting(conn)
    answer = work(conn, still_valid(conn, request))
    answer = replace(answer, change=change_of(collected))
    if key is not None:
        idempotency.store(conn, [(key, answer)], moment, mac_key)
    return answer
