"""Importing a feed folder: all of it in one transaction, or nothing of it; every run on record.

The folder is read and checked before the database is touched. Then, under the institution's lock: the books, the
reconciliation with the snapshot before, the guard against a truncated snapshot, and the door.
"""

from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from casework.errors import CallerError, TryAgain
from casework.intake.feed import run as runs
from casework.intake.feed.aside import TooManySetAside, store_aside
from casework.intake.feed.bounds import USUAL, Bounds
from casework.intake.feed.course import ImportCourse, ImportRequest, Progress, what_came
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.erased import ErasedPeople, share_lock
from casework.intake.feed.folder import read_folder
from casework.intake.feed.left_rows import PREFIX, REFUSED
from casework.intake.feed.one_import import carry_out
from casework.intake.feed.tried import Tried, Undone, undone
from casework.log.write.trail import Draft
from casework.storage.database import reading, writing
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch

__all__ = ["ImportRequest", "Progress", "import_feed", "record_refusal", "silent", "try_feed"]


def silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@seldom_collected()
def import_feed(
    engine: Engine, branch: Branch, folder: Path, request: ImportRequest, *, run_id: int | None = None,
    progress: Progress = silent, bounds: Bounds = USUAL, processes: int = 1,
) -> runs.Run:  # fmt: skip
    """Import the feed in `folder`; the run as it ended.

    `CallerError` if the folder is refused (the run is on record then): anything `read_folder` raises,
    post_not_permitted, institution_unknown, older_than_last, another_feed_applied, too_many_set_aside, loans_vanished,
    loans_respelled.
    `processes`: of more than one, a second makes ready what this one writes (`casework.storage.forked`).
    `run_id` continues a run that was entered before (the API answers with it at once).
    """
    if run_id is None:
        with writing(engine) as conn:
            run_id = runs.begin(conn, request.actor, correction=request.correction, clock=request.clock)
    delivery: Delivery | None = None
    try:
        progress("reading", 0, 1)
        delivery = read_folder(folder, bounds, processes=processes)
        with writing(engine) as conn:
            carry_out(ImportCourse.begin(conn, branch, delivery, request, run_id, progress, processes))
    except CallerError as mistake:
        with writing(engine) as conn:
            record_refusal(conn, branch, run_id, mistake, request, delivery)
        raise
    except TryAgain as busy:
        _record_failure(engine, run_id, busy)
        raise
    with reading(engine) as conn:
        done = runs.one_run(conn, run_id)
    if done is None:
        raise RuntimeError("a run that was just finished is gone")
    return done


@seldom_collected()
def try_feed(
    engine: Engine, branch: Branch, folder: Path, request: ImportRequest, *, progress: Progress = silent,
    bounds: Bounds = USUAL, processes: int = 1,
) -> Tried:  # fmt: skip
    """What `import_feed` would do now, or why it would refuse; no run, no entry, no file, no row of it stays.

    It waits for other imports of the institution, and they for it.
    """
    request = replace(request, dry_run=True)
    delivery: Delivery | None = None
    try:
        try:
            progress("reading", 0, 1)
            delivery = read_folder(folder, bounds, processes=processes)
            with writing(engine) as conn:
                run_id = runs.begin(conn, request.actor, correction=request.correction, clock=request.clock)
                carry_out(ImportCourse.begin(conn, branch, delivery, request, run_id, progress, processes))
                raise undone(conn, branch, run_id)  # of a feed that is applied already
        except CallerError as mistake:
            with writing(engine) as conn:
                run_id = runs.begin(conn, request.actor, correction=request.correction, clock=request.clock)
                record_refusal(conn, branch, run_id, mistake, request, delivery)
                raise undone(conn, branch, run_id) from None
    except Undone as ended:
        return ended.tried


def record_refusal(
    conn: Connection,
    branch: Branch,
    run_id: int,
    mistake: CallerError,
    request: ImportRequest,
    delivery: Delivery | None,
) -> None:
    """Say in the run and in the log that it was refused; `delivery` is none if the folder could not be read."""
    runs.refuse(conn, run_id, mistake, **(what_came(delivery) if delivery else {}))
    if isinstance(mistake, TooManySetAside) and delivery is not None:
        share_lock(conn)
        sheets = {sheet.kind: sheet for sheet in (*delivery.sheets, mistake.sheet)}
        store_aside(conn, branch, run_id, sheets.values(), ErasedPeople.read(conn, delivery.institution))
    trail = branch.trail(request.clock())
    data = {"run": run_id, "run_sha256": runs.digest_of(conn, run_id)}
    draft = Draft(REFUSED, request.actor.signed, data, reason_code=mistake.code)
    trail.append(conn, f"{PREFIX}:refused", draft)
    trail.write(conn)


def _record_failure(engine: Engine, run_id: int, busy: TryAgain) -> None:
    """Say in the run that the database gave up, if it can still be written."""
    try:
        with writing(engine) as conn:
            runs.finish(conn, run_id, runs.REFUSED, refusal={"code": busy.code, "en": str(busy)})
    except TryAgain:
        return  # the next import marks it as interrupted
