"""Verification of everything: the whole log, and every slice's rows against its entries."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from casework.evidence.dossier.kept import check_kept
from casework.evidence.evening import replay as evening
from casework.evidence.search import tables as search_tables
from casework.intake.dialler.days_told import DaysTold
from casework.intake.dialler.replay import ContactReplay
from casework.intake.feed import compare as feed_rows
from casework.intake.feed import replay as feed
from casework.intake.feed import tables as feed_tables
from casework.lifecycle.replay import CustomerReplay
from casework.lifecycle.told import Told
from casework.lifecycles import LIFECYCLES
from casework.log.check.erased import read_erased
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.check.kinds import check_kinds, texts_of_any_bytes
from casework.log.check.sealed import BroughtAlong, verify_sealed
from casework.log.check.steady import Steady, part_of
from casework.log.check.verify import Keeper, verify_log
from casework.log.format.entry import Entry
from casework.oversight.privacy import replay as privacy
from casework.people.days import replay as days
from casework.people.identity import replay as identity
from casework.people.shifts import replay as shifts
from casework.people.staff import replay as staff
from casework.personal import Vault
from casework.storage.garbage import seldom_collected
from casework.work.cases import replay as cases
from casework.work.cases.answer_mac import check_answers
from casework.work.cases.publish import cited_in
from casework.work.cases.replay_owners import owners_judge
from casework.work.duties import replay as duties
from casework.work.four_eyes import replay as four_eyes
from casework.work.gate import replay as gate
from casework.work.handover import replay as handover
from casework.work.tasks import replay as tasks

RUN: Final = "verification"
"""As which job it is entered, wherever it was begun (`casework.storage.jobs`)."""
_ALSO = (feed_tables, search_tables)
"""Imported so that every table of the database is known: kinds and foreign parts are looked at in all of them."""


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
    outside: BroughtAlong | None = None,
    loans_dir: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Verify the whole log and replay all it is about; `conn` is one snapshot (`reading(engine, snapshot=True)`).

    `outside`: keys, memory and checkpoints that the database has no hand in; without them no signature is checked.
    `loans_dir`: where the loans of past days lie; without it they are not looked at.
    """
    report, started = Report(), time.perf_counter()
    with seldom_collected(), texts_of_any_bytes(conn, report):
        _verify(conn, mac_key, vault, report, outside, loans_dir, progress)
    report.seconds = time.perf_counter() - started
    return report


def _verify(
    conn: Connection, mac_key: bytes, vault: Vault, report: Report, outside: BroughtAlong | None,
    loans_dir: Path | None, progress: Callable[[int], None],
) -> None:  # fmt: skip
    with part_of(report, "kinds"):
        check_kinds(conn, report)
    erased = read_erased(conn, mac_key)
    asked = four_eyes.RequestReplay(conn, vault, report, erased)
    told = Told((noun.word for noun in LIFECYCLES if noun.of_customer), all_told=True)

    def steady(name: str, keeper: Keeper) -> Keeper:
        return Steady(report, name, keeper)

    keepers: dict[str, Keeper] = {
        cases.PREFIX: _Both(
            steady("cases", cases.CaseReplay(conn, report, asked.cited, nouns=LIFECYCLES, told=told)),
            steady("days told", DaysTold(conn, vault, report)),
        ),
        four_eyes.PREFIX: steady("requests", asked),
    }
    followers: dict[str, Keeper] = {
        staff.PREFIX: _Both(
            steady("staff", staff.StaffReplay(conn, vault, report, asked.cited)),
            steady("access", identity.AccessReplay(conn, mac_key, report)),
        ),
        staff.PLACES_PREFIX: _Both(
            steady("places", staff.PlacesReplay(conn, report)),
            steady("institutions", feed.InstitutionsReplay(conn, report)),
            steady("days", days.DaysReplay(conn, report)),
            steady("shifts", shifts.ShiftsReplay(conn, report)),
        ),
        privacy.PREFIX: _Both(
            steady("privacy", privacy.PrivacyReplay(conn, vault, report)),
            steady(
                "customers",
                CustomerReplay(
                    conn,
                    vault,
                    report,
                    LIFECYCLES,
                    cited_in(conn, report).of,
                    asked.cited,
                    told,
                    owners_judge(conn, report).act_of,
                ),
            ),
            steady("reviews", gate.ReviewsReplay(conn, vault, report)),
            steady("contacts", ContactReplay(conn, mac_key, vault, report)),
        ),
        feed_rows.FEEDS: steady("books", feed_rows.RowsReplay(conn, mac_key, vault, report, loans_dir)),
        tasks.PREFIX: steady("tasks", tasks.TasksReplay(conn, report)),
        evening.PREFIX: steady("evening", evening.HandInsReplay(conn, report)),
        duties.PREFIX: steady("duties", duties.DutiesReplay(conn, report)),
        handover.PREFIX: steady("handovers", handover.HandoverReplay(conn, report, asked.cited)),
    }
    with part_of(report, "entries"):
        verify_log(conn, mac_key, vault, report, keepers, followers, erased=erased, progress=progress)
        told.compare(report)
    with part_of(report, "tree"):
        verify_sealed(conn, report, outside)
    with part_of(report, "answers"):
        check_answers(conn, mac_key, report)
    with part_of(report, "heads"):
        check_kept(conn, report)
