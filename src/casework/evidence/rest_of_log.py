"""What a verification looks at beside the streams of customers and cases. One process does it; the others have those.

All that only this asks for is imported here, so that the others begin before it comes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from casework.evidence.dossier.kept import check_kept
from casework.evidence.evening import replay as evening
from casework.evidence.search import tables as search_tables
from casework.evidence.verifying import PARTED, Rest
from casework.intake.feed import compare as feed_rows
from casework.intake.feed import replay as feed
from casework.intake.feed import tables as feed_tables
from casework.log.check.findings import Report
from casework.log.check.kinds import check_kinds
from casework.log.check.parts import Part
from casework.log.check.sealed import BroughtAlong, verify_sealed
from casework.log.check.steady import Several, Steady, part_of
from casework.log.check.verify import COMPARED, Keeper, Walk, check_beside
from casework.log.format.erasure import Erased
from casework.people.days import replay as days
from casework.people.identity import replay as identity
from casework.people.shifts import replay as shifts
from casework.people.staff import replay as staff
from casework.personal import Vault
from casework.storage import jobs
from casework.work.cases.answer_mac import check_answers
from casework.work.duties import replay as duties
from casework.work.four_eyes import replay as four_eyes
from casework.work.handover import replay as handover
from casework.work.photos import tables as photo_tables
from casework.work.tasks import replay as tasks

_ENTRIES: Final = "entries"
_ALSO = (feed_tables, photo_tables, search_tables, jobs)
"""Imported so that every table of the database is known: kinds and foreign parts are looked at in all of them."""


def look(
    conn: Connection, mac_key: bytes, vault: Vault, found: Rest, erased: Erased, *, outside: BroughtAlong | None,
    loans_dir: Path | None, progress: Callable[[int], None],
) -> Walk:  # fmt: skip
    """Look at all of it; the walk over the other streams, done but for its end."""
    with part_of(found.kinds, "kinds"):
        check_kinds(conn, found.kinds, apart=COMPARED)
    walk = _streams(conn, mac_key, vault, found.streams, erased, loans_dir, progress)
    with part_of(found.beside, _ENTRIES):
        check_beside(conn, found.beside)
    with part_of(found.sealed, "tree"):
        verify_sealed(conn, found.sealed, outside)
    with part_of(found.sealed, "answers"):
        check_answers(conn, mac_key, found.sealed)
    with part_of(found.sealed, "heads"):
        check_kept(conn, found.sealed)
    return walk


def _streams(
    conn: Connection, mac_key: bytes, vault: Vault, report: Report, erased: Erased, loans_dir: Path | None,
    progress: Callable[[int], None],
) -> Walk:  # fmt: skip
    asked = four_eyes.RequestReplay(conn, vault, report, erased)

    def steady(name: str, keeper: Keeper) -> Keeper:
        return Steady(report, name, keeper)

    followers: dict[str, Keeper] = {
        staff.PREFIX: Several(
            steady("staff", staff.StaffReplay(conn, vault, report, asked.cited)),
            steady("access", identity.AccessReplay(conn, mac_key, report)),
        ),
        staff.PLACES_PREFIX: Several(
            steady("places", staff.PlacesReplay(conn, report)),
            steady("institutions", feed.InstitutionsReplay(conn, report)),
            steady("days", days.DaysReplay(conn, report)),
            steady("shifts", shifts.ShiftsReplay(conn, report)),
        ),
        feed_rows.FEEDS: steady("books", feed_rows.RowsReplay(conn, mac_key, vault, report, loans_dir)),
        tasks.PREFIX: steady("tasks", tasks.TasksReplay(conn, report)),
        evening.PREFIX: steady("evening", evening.HandInsReplay(conn, report)),
        duties.PREFIX: steady("duties", duties.DutiesReplay(conn, report)),
        handover.PREFIX: steady("handovers", handover.HandoverReplay(conn, report, asked.cited)),
    }
    requests = {four_eyes.PREFIX: steady("requests", asked)}
    walk = Walk(conn, mac_key, vault, report, requests, followers, erased, progress)
    with part_of(report, _ENTRIES):
        walk.run(Part(None, of_none=PARTED))
    return walk
