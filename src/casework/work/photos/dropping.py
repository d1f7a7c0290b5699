"""Files that nothing knows any more leave the store: what was put and not kept, and what was erased."""

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.customer import Customer
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.photos.tables import PREVIEW, files_to_drop, photo_bands, photos

STILL_COMING: Final = timedelta(hours=1)
"""A file that was named for so long and not kept since will not be."""
_PAGE: Final = 200
_AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)


def forget(conn: Connection, customer: Customer) -> tuple[int, list[bytes]]:
    """Erasure: the rows of their photos go, their files are to; how many, and what to look for afterwards."""
    theirs = (photos.c.institution == customer.institution, photos.c.borrower_id == customer.borrower_id)
    found = conn.execute(
        sa.select(photos.c.id, photos.c.stored_as, photos.c.look, photos.c.place_sealed).where(*theirs)
    ).all()
    rows.delete_many(conn, photo_bands, "photo_id", [row.id for row in found])
    rows.delete_many(conn, photos, "id", [row.id for row in found])
    rows.insert_many(conn, files_to_drop, [(row.stored_as, _AT_ONCE) for row in found], ("stored_as", "since"))
    return len(found), [bytes(one) for row in found for one in (row.look, row.place_sealed)]


def drop_files(engine: Engine, branch: Branch, *, clock: Clock = now) -> int:
    """Take away what is to go; how many. CallerError `file_store_failed`: what is left is tried again next time."""
    dropped = 0
    while True:
        with reading(engine) as conn:
            wanted = sa.select(files_to_drop.c.stored_as).where(files_to_drop.c.since < clock() - STILL_COMING)
            names = conn.execute(wanted.order_by(files_to_drop.c.since).limit(_PAGE)).scalars().all()
        if not names:
            return dropped
        for name in names:
            branch.files.drop(name)
            branch.files.drop(name + PREVIEW)
        with writing(engine) as conn:
            rows.delete_many(conn, files_to_drop, "stored_as", list(names))
        dropped += len(names)
