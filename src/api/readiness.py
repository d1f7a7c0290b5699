"""Whether work can be taken, and if not, why: what writer and sealer met last, and some short looks at the database.

Nothing is written for the sake of the answer while all is well: the disk of an SQLite file is asked for its room, a
server whether it takes writes; what room a server has shows with the first write that it refuses. Where one was
refused, one is tried whenever somebody asks, until it goes through: without that, a service that gets no more requests
would never hear that it may go on.
"""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api import idempotency
from api.idempotency import IdempotencyKey, StoredAnswer
from api.serving import Serving
from casework.address import parse_url
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.log.format.times import CLOCKS_DIFFER_S
from casework.log.tables import entries
from casework.log.write import signer
from casework.log.write.grown import present_log
from casework.log.write.seal import OLDEST_S, oldest_unsigned_s, oldest_waiting_s
from casework.operation.keys_needed import keys_at_hand
from casework.operation.startup import check_ready
from casework.storage.database import (
    reading,
    writes_refused,
    writes_taken,
    writing,
)
from casework.work.cases.tables import idempotency as answers

STUCK_S: Final = 20.0
"""Nothing that requests share takes that long: locks are waited for at most ten seconds, and large work has a lane of
its own. What does is a commit that waits for a standby which is not there."""
_TRIED_BYTES: Final = 64 * 1024  # more than what is free here and there in the pages of a full disk
_TRIED_BY: Final = "system"


def why_not(serving: Serving) -> CallerError | None:
    """What stands in the way of work, the cause before what comes of it; None where nothing does."""
    if not serving.writer.is_alive:
        return CallerError("writer_stopped")
    if serving.writer.busy_s > STUCK_S:
        return CallerError("writes_stuck")
    settings = serving.settings
    try:
        keys = keys_at_hand(settings)
        remembered = signer.read_memory(settings.keys_dir)  # before the database, which grows meanwhile
        with reading(serving.engine) as conn:
            check_ready(conn, serving.branch, keys)
            signer.check_not_set_back(conn, remembered)
            found = _of_log(conn, serving)
    except CallerError as error:
        return error
    except TryAgain as failure:
        return CallerError(failure.code)
    return found or _of_writes(serving)


def _of_log(conn: Connection, serving: Serving) -> CallerError | None:
    if _is_ahead(conn):
        return CallerError("entry_ahead_of_clock")
    if serving.sealing.refusal is not None:
        return serving.sealing.refusal
    # Where nothing is sealed, by this process or another, nothing can be late.
    if not serving.settings.seal and present_log(conn) is None:
        return None
    if oldest_waiting_s(conn) > OLDEST_S:
        return CallerError("sealing_late")
    return CallerError("signing_late") if oldest_unsigned_s(conn) > OLDEST_S else None


def _is_ahead(conn: Connection) -> bool:
    """Whether the newest entry's time has not come, by more than clocks of two machines may differ."""
    newest = conn.execute(sa.select(entries.c.recorded_at).order_by(entries.c.id.desc()).limit(1)).scalar()
    return newest is not None and newest > now() + timedelta(seconds=CLOCKS_DIFFER_S)


def _of_writes(serving: Serving) -> CallerError | None:
    refused = writes_refused(serving.engine)
    if refused is None:
        code = _of_disk(serving) if serving.engine.dialect.name == "sqlite" else _of_server(serving)
        return None if code is None else CallerError(code)
    try:
        _try_write(serving)
    except TryAgain:
        return CallerError(refused)
    writes_taken(serving.engine)
    return None


def _of_disk(serving: Serving) -> str | None:
    """What the disk of an SQLite file says before a write is refused: that there is no room, or none is taken."""
    file = Path(str(parse_url(serving.settings.database_url).database)).absolute()
    try:
        disk = os.statvfs(file.parent)
    except OSError:
        return None  # the database is asked anyway
    if disk.f_flag & os.ST_RDONLY or not os.access(file, os.W_OK):
        return "database_read_only"
    return "database_full" if disk.f_bavail * disk.f_frsize < _TRIED_BYTES else None


def _of_server(serving: Serving) -> str | None:
    try:
        with writing(serving.engine) as conn:
            read_only = conn.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
    except TryAgain as failure:
        return None if failure.code == "database_busy" else failure.code  # others are at work with it
    return "database_read_only" if read_only else None


def _try_write(serving: Serving) -> None:
    """Write as much as a busy request would, for good, and take it away again; TryAgain."""
    key = IdempotencyKey(_TRIED_BY, f"room-{os.getpid()}", b"")
    mine = answers.c.actor_id == key.actor_id, answers.c.key == key.key
    with writing(serving.engine) as conn:
        conn.execute(answers.delete().where(*mine))
        tried = StoredAnswer(200, os.urandom(_TRIED_BYTES), {})
        idempotency.store(conn, [(key, tried)], now(), serving.branch.mac_key)
    with suppress(TryAgain), writing(serving.engine) as conn:  # else it goes with the next, or after 24 hours
        conn.execute(answers.delete().where(*mine))
