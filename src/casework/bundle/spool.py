"""Entries by stream: the tree mixes all streams, the replay wants one after the other, and neither fits into memory.

Bodies go to temporary files by a hash of their stream, each small enough to be sorted in memory.
"""

import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from casework.bundle.links import Link

PART_BYTES: Final = 16 * 1024 * 1024
_MOST_PARTS: Final = 512  # files that are open at once
_SIZE_BYTES: Final = 4


class Spool:
    """Parts of a log, in a temporary folder that goes with it."""

    def __init__(self, bytes_expected: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="casework-deep-")
        count = max(1, min(_MOST_PARTS, -(-bytes_expected // PART_BYTES)))
        self.paths = [Path(self._folder.name) / f"{number:03}" for number in range(count)]
        self._files: list[BinaryIO] = [path.open("wb") for path in self.paths]

    def put(self, links: Sequence[Link], bodies: Sequence[bytes]) -> None:
        """The entries of a tile."""
        files, count, place_of = self._files, len(self._files), zlib.crc32
        for link, body in zip(links, bodies, strict=True):
            file = files[place_of(link.stream.encode()) % count]
            file.write(len(body).to_bytes(_SIZE_BYTES, "big"))
            file.write(body)

    def written(self) -> list[Path]:
        """The parts, once everything was put."""
        for file in self._files:
            file.close()
        return self.paths

    def close(self) -> None:
        """Let it go."""
        for file in self._files:
            file.close()
        self._folder.cleanup()


def bodies_of(path: Path) -> Iterator[bytes]:
    """The bodies of a part, in the order of the tree."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        begin = at + _SIZE_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        yield data[begin:at]
