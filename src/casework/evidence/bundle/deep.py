"""Everything in every entry: its one byte form, the rules it cites, and whether it could happen as it says.

Cases, what is a customer's, requests, people, places and hand-overs are folded from their entries as live verification
folds them, without the rows that a bundle does not have; what one stream says of another is compared at the end.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casework.customer import KIND
from casework.evidence.bundle.layout import TEXTS
from casework.evidence.bundle.links import UNREADABLE
from casework.evidence.bundle.source import MAX_TEXT_BYTES, Missing
from casework.evidence.bundle.spool import streams_of
from casework.evidence.bundle.verify import Spooled
from casework.intake.dialler.days_in_entries import DaysOfBundle
from casework.lifecycle.stream_judges import CustomerJudge, RootJudge
from casework.lifecycle.told import Told
from casework.log.check.findings import Report
from casework.log.check.rows_left import told_by
from casework.log.format.entry import Entry, MalformedEntry, decode_strict
from casework.log.format.texts import PUBLISHED, reference
from casework.people.staff import places
from casework.people.staff.judge import StaffJudge
from casework.work.cases.cited import Cited
from casework.work.cases.judge import CaseJudge
from casework.work.cases.nouns import NOUNS
from casework.work.cases.owners_judge import OwnersJudge
from casework.work.cases.published import Published
from casework.work.cases.rules_in_force import Parsed, RulesInForce
from casework.work.four_eyes.judge import CITED, Cite, OfRequest, cite_of, compare_cite
from casework.work.handover.judging import handover_judge
from casework.work.requests import EVENT, POST

Texts = Mapping[tuple[str, str, str], bytes]
"""Published texts by kind, name and digest."""


@dataclass(slots=True)
class DeepPart:
    """What the replay of a part of the streams leaves: its report, and what other parts must agree with."""

    report: Report = field(default_factory=Report)
    cites: list[Cite] = field(default_factory=list)
    requests: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests_unread: set[int] = field(default_factory=set)  # there, and by which rules cannot be known
    texts_cited: set[tuple[str, str]] = field(default_factory=set)
    told: Told = field(default_factory=lambda: Told(noun.word for noun in NOUNS if noun.of_customer))
    days: DaysOfBundle = field(default_factory=DaysOfBundle)


class _Judges:
    """Follows one stream after the other, each by its kind."""

    def __init__(self, known: "_Known", part: DeepPart) -> None:
        report, rulebook = part.report, known.rulebook
        rules = RulesInForce(known.texts, known.announced, report, known.parsed)
        self._part = part
        owners = OwnersJudge(rules, report)
        self._cases = CaseJudge(Cited(rulebook, report), owners, report, self._cite, part.told)
        self._requests = RootJudge(OfRequest(report, self._cite), Cited(rulebook, report).of)
        self._customers = CustomerJudge(NOUNS, Cited(rulebook, report).of, report, self._cite, part.told, owners.act_of)
        self._handovers = handover_judge(Cited(rulebook, report), report, self._cite)
        self._people = StaffJudge(report, self._cite)
        self._by_prefix: Mapping[str, Callable[[Sequence[Entry], bool], None]] = {
            "case": self._case, "request": self._request, "staff": self._person, "register": self._places,
            "handover": self._handover, "feed": self._feed, KIND: self._customer,
        }  # fmt: skip

    def stream(self, entries: Sequence[Entry], *, whole: bool) -> None:
        """Every entry of one stream, in its order; `whole` if none is missing and all can be read."""
        judge = self._by_prefix.get(entries[0].stream.partition(":")[0])
        if judge is not None:
            judge(entries, whole)

    def _cite(self, entry: Entry) -> None:
        self._part.cites.append(cite_of(entry))

    def _case(self, entries: Sequence[Entry], whole: bool) -> None:
        for entry in entries if whole else ():
            self._cases.follow(entry)
        self._cases.end(sound=whole)
        self._part.days.case(entries if whole else (), self._part.report)

    def _customer(self, entries: Sequence[Entry], whole: bool) -> None:
        for entry in entries if whole else ():
            self._customers.follow(entry)
        self._customers.end(sound=whole)
        self._part.days.customer(entries, whole=whole)

    def _request(self, entries: Sequence[Entry], whole: bool) -> None:
        for entry in entries if whole else ():
            self._requests.follow(entry)
        number = entries[0].stream.partition(":")[2]
        if self._requests.untold and number.isdecimal():
            self._part.requests_unread.add(int(number))
        request = self._requests.end(sound=whole)
        if request is not None:
            self._part.requests[request.id] = {name: getattr(request, name) for name in (*CITED, "kind")}

    def _person(self, entries: Sequence[Entry], whole: bool) -> None:
        self._part.report.people += 1
        for entry in entries if whole else ():
            self._people.follow(entry)
        self._people.end()

    def _places(self, entries: Sequence[Entry], whole: bool) -> None:
        self._fold(entries if whole else (), lambda _row, entry: places.fold(entry.event, entry.data))

    def _handover(self, entries: Sequence[Entry], whole: bool) -> None:
        for entry in entries if whole else ():
            self._handovers.follow(entry)
        self._handovers.end(sound=whole)

    def _feed(self, entries: Sequence[Entry], whole: bool) -> None:  # noqa: ARG002  (each entry speaks for itself)
        for entry in entries:
            told_by(entry, self._part.report)

    def _fold(self, entries: Iterable[Entry], fold: Callable[[Any, Entry], Any]) -> None:
        row: Any = None
        for entry in entries:
            try:
                row = fold(row, entry)
            except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
                found = {"error": type(error).__name__}
                self._part.report.find("replay_impossible", entry.stream, entry.stream_seq, **found)
                return


# --- a part, in a process of its own


class _Known:
    """What every part needs to know; rules are read once in a process, not once in a part."""

    def __init__(self, texts: Texts, announced: Sequence[Entry], *, whole: bool) -> None:
        self.texts, self.announced, self.whole = texts, announced, whole
        self.rulebook = Published((*key, body) for key, body in texts.items())
        self.parsed = Parsed()


_known: _Known


def begin(texts: Texts, announced: Sequence[Entry], whole: bool) -> None:
    """Called once in each process, before its first part."""
    global _known  # noqa: PLW0603  (a pool of processes has no other place for it)
    _known = _Known(texts, announced, whole=whole)


def replay_part(streams: Mapping[str, Sequence[bytes]]) -> DeepPart:
    """Read every body strictly, and replay it stream by stream."""
    part = DeepPart()
    judges = _Judges(_known, part)
    for name, held in streams.items():
        entries, readable = _read("" if name.startswith(UNREADABLE) else name, held, part)
        if entries:
            whole = readable and entries[0].stream_seq == 1 and entries[-1].stream_seq == len(entries)
            if whole or _known.whole:
                judges.stream(entries, whole=whole)
    return part


def _read(name: str, bodies: Sequence[bytes], part: DeepPart) -> tuple[list[Entry], bool]:
    entries = []
    for number, body in enumerate(bodies, 1):
        try:
            entry = decode_strict(body)
        except MalformedEntry as fault:
            part.report.find("body_malformed", name or None, number if name else None, fault=fault.code)
            continue
        entries.append(entry)
        if entry.chart is not None:
            part.texts_cited.add(("chart", entry.chart))
        if entry.policy is not None:
            part.texts_cited.add(("policy", entry.policy))
    return entries, len(entries) == len(bodies)


# --- all parts


def replay(spooled: Spooled, report: Report, jobs: int, progress: Callable[[int, int], None]) -> None:
    """Replay a spool part by part, in processes where there are cores, and compare across the parts."""
    paths, whole = spooled.paths, spooled.whole
    announced = list(_readable(spooled.announced))
    texts = _texts_of(spooled, announced, report)
    known = (texts, announced, whole)
    every = DeepPart()
    with ExitStack() as stack:
        parts: Iterable[DeepPart]
        if jobs < 2 or len(paths) < 2:
            begin(*known)
            parts = map(_replay_file, paths)
        else:
            pool = stack.enter_context(ProcessPoolExecutor(jobs, initializer=begin, initargs=known))
            parts = pool.map(_replay_file, paths)
        for done, part in enumerate(parts, 1):
            _absorb(every, part)
            progress(done, len(paths))
    report.absorb(every.report)
    _compare(every, report, whole=whole)
    if whole:
        every.told.compare(report)
        every.days.compare(report)
    _check_texts(every.texts_cited, texts, report, whole=whole)


def _replay_file(path: Path) -> DeepPart:
    return replay_part(streams_of(path))


def _absorb(every: DeepPart, part: DeepPart) -> None:
    every.report.absorb(part.report)
    every.cites += part.cites
    every.requests |= part.requests
    every.requests_unread |= part.requests_unread
    every.texts_cited |= part.texts_cited
    every.told.absorb(part.told)
    every.days.absorb(part.days)


def _compare(every: DeepPart, report: Report, *, whole: bool) -> None:
    """Requests against what names them: an approved event has its step in the case, and a step its request."""
    carried = set()
    for cite in every.cites:
        held = every.requests.get(cite.request_id)
        if held is None and (not whole or cite.request_id in every.requests_unread):
            continue  # it was asked for outside the period, or cannot be known
        compare_cite(cite, held, report)
        carried.add((cite.request_id, f"{cite.stream}:{cite.seq}"))
    for number, request in every.requests.items():
        led_to = request["carried_out"]
        if whole and led_to is not None and request["kind"] in (EVENT, POST) and (number, led_to) not in carried:
            report.find("four_eyes_differs", f"request:{number}", entry=led_to)


def _check_texts(cited: Iterable[tuple[str, str]], texts: Texts, report: Report, *, whole: bool) -> None:
    """What entries cite is there; that a period holds no other text than its entries cite is nobody's promise."""
    held = {(kind, reference(kind, name, digest)) for kind, name, digest in texts}
    for kind, cite in sorted(set(cited) - held):
        if whole:
            report.find("text_missing", kind=kind, reference=cite)
        else:
            report.doubt("text_missing", kind=kind, reference=cite)


def _readable(bodies: Iterable[bytes]) -> Iterator[Entry]:
    for body in bodies:
        with suppress(MalformedEntry):  # the replay says so
            yield decode_strict(body)


def _texts_of(spooled: Spooled, announced: Iterable[Entry], report: Report) -> Texts:
    """The published texts: those that the log announces or, of a period, that the manifest names; by their digests."""
    if not spooled.whole:
        named = [(text.kind, text.name, text.digest) for text in spooled.manifest.texts]
    else:
        named = [
            (entry.event.removesuffix(PUBLISHED), str(entry.data.get("name")), str(entry.data.get("digest")))
            for entry in announced
        ]
    found: dict[tuple[str, str, str], bytes] = {}
    for kind, name, digest in named:
        report.texts += 1
        try:
            text = spooled.source.read(f"{TEXTS}/{digest}", MAX_TEXT_BYTES)
        except (Missing, ValueError):  # also for a digest that is no name of a file
            report.doubt("file_missing", path=f"{TEXTS}/{digest}")
            continue
        if hashlib.sha256(text).hexdigest() != digest:
            report.find("text_changed", kind=kind, name=name)
        else:
            found[kind, name, digest] = text
    return found
