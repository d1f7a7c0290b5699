"""Verification of everything: the whole log, and every slice's rows against its entries."""

import time
from collections.abc import Callable

from sqlalchemy.engine import Connection

from casework.audit.entry import Entry
from casework.audit.erased import read_erased
from casework.audit.findings import Report
from casework.audit.heads import Tail
from casework.audit.sealed import Outside, verify_sealed
from casework.audit.verify import Keeper, verify_log
from casework.cases import replay as cases
from casework.dossier.kept import check_kept
from casework.four_eyes import replay as four_eyes
from casework.handover import replay as handover
from casework.identity import replay as identity
from casework.personal import Vault
from casework.privacy import replay as privacy
from casework.staff import replay as staff


class _Both:
    """Two who follow the same streams."""

    def __init__(self, *followers: Keeper) -> None:
        self._followers = followers

    def follow(self, entry: Entry) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.close(stream, tail, sound=sound)

    def finish(self) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.finish()


def verify(
    conn: Connection,
    mac_key: bytes,
    vault: Vault,
    *,
    outside: Outside | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Verify the whole log and replay all it is about; `conn` is one snapshot (`reading(engine, snapshot=True)`).

    `outside`: keys, memory and checkpoints that the database has no hand in; without them no signature is checked.
    """
    report, started = Report(), time.perf_counter()
    erased = read_erased(conn, mac_key)
    asked = four_eyes.RequestReplay(conn, vault, report, erased)
    keepers: dict[str, Keeper] = {
        cases.PREFIX: cases.CaseReplay(conn, report, asked.cited),
        four_eyes.PREFIX: asked,
    }
    followers: dict[str, Keeper] = {
        staff.PREFIX: _Both(staff.StaffReplay(conn, vault, report, asked.cited), identity.AccessReplay(conn, report)),
        staff.PLACES_PREFIX: staff.PlacesReplay(conn, report),
        privacy.PREFIX: privacy.PrivacyReplay(conn, vault, report),
        handover.PREFIX: handover.HandoverReplay(conn, report),
    }
    verify_log(conn, mac_key, vault, report, keepers, followers, erased=erased, progress=progress)
    verify_sealed(conn, report, outside)
    check_kept(conn, report)
    report.seconds = time.perf_counter() - started
    return report
