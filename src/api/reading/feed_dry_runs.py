"""A feed that was tried: how far that is, and what an import of it would do."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, get

from api.behind import Run as Going
from api.importing import TRIED
from api.reading.asking import answers, reader_of
from api.reading.feeds import RUN_EXAMPLE, RunId
from api.row_told import RowTold
from api.serving import Serving
from casework.errors import CallerError
from casework.intake.feed.run import Run
from casework.intake.feed.tried import Tried


class FeedDryRun(msgspec.Struct, kw_only=True):
    """`status`: running, done, failed or interrupted; `code` says why it failed. Nothing of it stays in any case.

    `would`: the run that an import would have been, of number 0: its `status` is applied, repeated, refused or
    awaiting, with `figures` or `refusal`. `set_aside`: what is wrong with the first 200 of
    `set_aside_rows`, without the values.
    """

    run: int
    status: str
    actor_id: str
    began_at: datetime | None
    stage: str
    done: int
    total: int | None
    code: str | None = None
    zh: str | None = None
    en: str | None = None
    would: Run | None = None
    set_aside_rows: int = 0
    set_aside: list[RowTold] = []


_DRY_RUN = {
    "run": 7, "status": "done", "actor_id": "S0003", "began_at": "2026-03-10T00:09:00.000000Z", "stage": "", "done": 0,
    "total": None, "code": None, "zh": None, "en": None, "would": {**RUN_EXAMPLE, "id": 0}, "set_aside_rows": 0,
    "set_aside": [],
}  # fmt: skip


@get("/feeds/dry-runs/{run_id:int}", sync_to_thread=True, tags=["feeds"],
     responses=answers(FeedDryRun, _DRY_RUN, "unknown_run"))  # fmt: skip
def feed_dry_run(request: Request[Any, Any, Any], run_id: RunId) -> FeedDryRun:
    """A feed that was only tried: what an import of it would have done then, or why it would have been refused."""
    serving, _ = reader_of(request)
    going, tried = found_dry_run(serving, run_id)
    told = FeedDryRun(
        run=going.job_id, status=going.state, actor_id=going.by, began_at=going.began_at, stage=going.stage,
        done=going.done, total=going.total,
    )  # fmt: skip
    if going.mistake is not None:
        told.code, told.zh, told.en = going.mistake.code, going.mistake.zh, str(going.mistake)
    if tried is not None:
        told.would, told.set_aside_rows = tried.run, tried.set_aside_rows
        told.set_aside = [RowTold.of(one) for one in tried.set_aside]
    return told


def found_dry_run(serving: Serving, run_id: int) -> tuple[Going, Tried | None]:
    """How far it is, and what it told if it came to an end; CallerError `unknown_run`."""
    going = serving.behind.find(TRIED, job_id=run_id)
    if going.began_at is None:
        raise CallerError("unknown_run", run_id=run_id)
    return going, going.outcome
