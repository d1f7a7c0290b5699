"""Verification of everything: the whole log, and every slice's rows against its entries."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.dialler.days_told import DaysTold
from casework.intake.dialler.replay import ContactReplay
from casework.lifecycle.replay import CustomerReplay
from casework.lifecycle.told import Told
from casework.log.check.erased import read_erased
from casework.log.check.findings import Report
from casework.log.check.kinds import SpoiltTexts, check_kinds, spoilt_texts
from casework.log.check.parts import Part, parts_of
from casework.log.check.sealed import BroughtAlong
from casework.log.check.steady import Several, SteadyPart, part_of
from casework.log.check.verify import PartKeeper, Walk, WalkLeft
from casework.log.format.erasure import Erased
from casework.oversight.privacy import replay as privacy
from casework.personal import Vault
from casework.storage.garbage import seldom_collected
from casework.work.cases import replay as cases
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.cases.publish import cited_in
from casework.work.cases.replay_owners import owners_judge
from casework.work.four_eyes import replay as four_eyes
from casework.work.gate import replay as gate

RUN: Final = "verification"
"""As which job it is entered, wherever it was begun (`casework.storage.jobs`)."""
_ENTRIES: Final = "entries"
PARTED: Final = (privacy.PREFIX, cases.PREFIX)
"""Kinds of streams that are walked in parts; cases after customers, of whom then is known to whom something is told."""


class StreamsLeft(NamedTuple):
    """What a part of the streams of customers or cases leaves: what was found and told, and what the end compares."""

    report: Report
    told: Told
    walk: WalkLeft
    spoilt: int


class Streams:
    """Walks the streams of customers and of cases, which are nearly all of a log, part by part."""

    def __init__(
        self, conn: Connection, mac_key: bytes, vault: Vault, erased: Erased, spoilt: SpoiltTexts,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._spoilt = spoilt
        self.report = report = Report()
        self.told = Told((noun.word for noun in LIFECYCLES if noun.of_customer), all_told=True)
        self._asked = asked = four_eyes.RequestReplay(conn, vault, report, erased)

        def steady(name: str, keeper: PartKeeper) -> SteadyPart:
            return SteadyPart(report, name, keeper)

        of_cases = cases.CaseReplay(conn, report, asked.cited, nouns=LIFECYCLES, told=self.told)
        acts, known = owners_judge(conn, report).act_of, cited_in(conn, report).of
        of_customers = CustomerReplay(conn, vault, report, LIFECYCLES, known, asked.cited, self.told, acts)
        keepers = {
            cases.PREFIX: Several(
                steady("cases", of_cases),
                steady("days told", DaysTold(conn, vault, report)),
            )
        }
        followers = {
            privacy.PREFIX: Several(
                steady("privacy", privacy.PrivacyReplay(conn, vault, report)),
                steady("customers", of_customers),
                steady("reviews", gate.ReviewsReplay(conn, vault, report)),
                steady("contacts", ContactReplay(conn, mac_key, vault, report)),
            )
        }
        self._walk = Walk(conn, mac_key, vault, report, keepers, followers, erased, progress)

    def run(self, part: Part) -> StreamsLeft:
        """Walk one part; parts come in their order, though not all of them need to come here."""
        before = self._spoilt.reads
        with part_of(self.report, _ENTRIES):
            self._walk.run(part)
        with part_of(self.report, _ENTRIES):
            self._asked.cut_cites()
        left = self._walk.cut()
        return StreamsLeft(self.report.cut(), self.told.cut(), left, self._spoilt.reads - before)

    def absorb(self, left: StreamsLeft) -> None:
        """What a part left, here or elsewhere, but for its report."""
        self.told.absorb(left.told)
        self._walk.absorb(left.walk)

    def finish(self) -> WalkLeft:
        """All parts were absorbed: what only all of them can tell; and what the walk over the rest has to know."""
        with part_of(self.report, _ENTRIES):
            self._walk.finish_keepers()
            self.told.compare(self.report)
        return self._walk.cut()


class Rest(NamedTuple):
    """What is found beside those streams: in kinds of values, other streams, beside all of them, in what is sealed."""

    kinds: Report
    streams: Report
    beside: Report
    sealed: Report


class Crew(Protocol):
    """Who walks parts of the streams beside this process, at the same moment of the log."""

    def hand(self, phase: int, parts: Sequence[Part]) -> None:
        """More parts of this phase, of which they take some at once; nothing more: these were all."""

    def take(self, phase: int) -> int | None:
        """The next part for this process too; none where all are taken."""

    def left(self, phase: int, *, wait: bool) -> Iterator[tuple[int, StreamsLeft]]:
        """What parts that others have taken left: those that are done, or (`wait`) all."""

    def go_on(self, customers: set[Customer]) -> None:
        """The customers' streams are done: of these something is told. The crew waits for parts of the next phase."""


class Alone:
    """Nobody else."""

    def __init__(self) -> None:
        self._next, self._count = [0 for _ in PARTED], [0 for _ in PARTED]

    def hand(self, phase: int, parts: Sequence[Part]) -> None:
        """All parts are for this process."""
        self._count[phase] += len(parts)

    def take(self, phase: int) -> int | None:
        """The next."""
        number = self._next[phase]
        if number == self._count[phase]:
            return None
        self._next[phase] += 1
        return number

    def left(self, phase: int, *, wait: bool) -> Iterator[tuple[int, StreamsLeft]]:
        """Nothing."""
        del phase, wait
        return iter(())

    def go_on(self, customers: set[Customer]) -> None:
        """Nobody has to know."""


def verify(
    conn: Connection,
    mac_key: bytes,
    vault: Vault,
    *,
    outside: BroughtAlong | None = None,
    loans_dir: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
    crew: Crew | None = None,
) -> Report:
    """Verify the whole log and replay all it is about; `conn` is one snapshot (`reading(engine, snapshot=True)`).

    `outside`: keys, memory and checkpoints that the database has no hand in; without them no signature is checked.
    `loans_dir`: where the loans of past days lie; without it they are not looked at. `progress` hears the entries done.
    `crew`: walks with us (`evidence.crew`); what is found does not depend on it.
    """
    started = time.perf_counter()
    with seldom_collected():
        run = _Verification(conn, mac_key, vault, progress, crew or Alone())
        report = run.run(outside, loans_dir)
    report.seconds = time.perf_counter() - started
    return report


class _Verification:
    """One verification: who does what, and in which order it is told."""

    def __init__(
        self, conn: Connection, mac_key: bytes, vault: Vault, progress: Callable[[int], None], crew: Crew
    ) -> None:
        self._conn, self._mac_key, self._vault, self._crew = conn, mac_key, vault, crew
        self._progress, self._done = progress, 0
        self._spoilt_elsewhere = 0

    def run(self, outside: BroughtAlong | None, loans_dir: Path | None) -> Report:
        """The order of what is found is that of the parts, whoever looked at them and when."""
        conn, report, texts_read = self._conn, Report(), Report()
        found = Rest(Report(), Report(), Report(), Report())
        with spoilt_texts(conn) as spoilt:
            parts = self._cut(0)  # first: the others wait for it
            erased = read_erased(conn, self._mac_key)
            streams = Streams(conn, self._mac_key, self._vault, erased, spoilt, self._told)
            of_customers = self._phase(streams, 0, parts)
            self._crew.go_on(streams.told.customers)
            parts = self._cut(1)
            # A fifth of all that is imported is asked for by the rest alone: the others walk while it comes.
            from casework.evidence import rest_of_log  # noqa: PLC0415  # see above

            walk = rest_of_log.look(
                conn, self._mac_key, self._vault, found, erased, outside=outside, loans_dir=loans_dir,
                progress=self._told,
            )  # fmt: skip
            of_cases = self._phase(streams, 1, parts)
            with part_of(found.streams, _ENTRIES):
                walk.absorb_rest(streams.finish())
                walk.finish()
            kinds = self._kinds(found.kinds, (of_customers, of_cases, found.streams))
            spoilt.reads += self._spoilt_elsewhere
            spoilt.tell(texts_read)
        for part in (
            kinds, of_customers, of_cases, streams.report, found.streams, found.beside, found.sealed, texts_read,
        ):  # fmt: skip
            report.absorb(part)
        return report

    def _kinds(self, looked_at: Report, walked: Sequence[Report]) -> Report:
        """What is found in kinds: where a walk found anything, of the columns too that it compares."""
        if not any(one.findings_in_all or one.doubts_in_all for one in walked):
            return looked_at
        report = Report()
        with part_of(report, "kinds"):
            check_kinds(self._conn, report)
        return report

    def _cut(self, phase: int) -> list[Part]:
        """All parts; the crew has the first of them before the last are cut."""
        parts: list[Part] = []
        for part in parts_of(self._conn, PARTED[phase]):
            parts.append(part)
            self._crew.hand(phase, (part,))
        self._crew.hand(phase, ())
        return parts

    def _told(self, entries: int) -> None:
        self._done += entries
        self._progress(self._done)

    def _phase(self, streams: Streams, phase: int, parts: Sequence[Part]) -> Report:
        """What is found in its parts, in their order."""
        report, waiting, done = Report(), dict[int, StreamsLeft](), 0
        while done < len(parts):
            number = self._crew.take(phase)
            if number is not None:
                waiting[number] = streams.run(parts[number])
            for other, left in self._crew.left(phase, wait=number is None):
                waiting[other] = left
                self._spoilt_elsewhere += left.spoilt
                self._told(left.report.entries)
            while (next_left := waiting.pop(done, None)) is not None:
                report.absorb(next_left.report)
                streams.absorb(next_left)
                done += 1
        return report
