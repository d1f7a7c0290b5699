"""What the log says of the heads of all cases, found before any leaf is looked at: each speaks of those before it."""

from collections.abc import Iterator
from typing import Final

from casework.evidence.bundle.hashing import read_tile
from casework.evidence.bundle.source import Source
from casework.log.check.findings import Report
from casework.log.check.heads_tree import StatedHeads
from casework.log.format.case_heads import EVENT, MalformedStatement, statement_of
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.format.tiles import TILE_WIDTH

_MARK: Final = b'"event":"log.heads"'


def statements(source: Source, end: int, report: Report) -> Iterator[StatedHeads]:
    """Every statement among the first `end` entries; one that is none is put into `report`."""
    for number in range(-(-end // TILE_WIDTH)):
        stored = read_tile(source, number, min(TILE_WIDTH, end - number * TILE_WIDTH))
        for index, body in enumerate(stored.bodies or (), number * TILE_WIDTH):
            if _MARK in body:
                yield from _stated(index, body, report)


def _stated(index: int, body: bytes, report: Report) -> Iterator[StatedHeads]:
    try:
        entry = decode_strict(body)
    except MalformedEntry:
        return  # the replay says so
    if entry.event != EVENT:
        return
    try:
        yield StatedHeads(statement_of(entry), entry.stream, entry.stream_seq, index)
    except MalformedStatement as fault:
        report.find("case_heads_malformed", entry.stream, entry.stream_seq, fault=fault.code)
