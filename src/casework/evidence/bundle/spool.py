"""Entries by stream: the tree mixes all streams, the replay wants one after the other, and neither fits into memory.

Bodies go to temporary files by a hash of their stream, each small enough to be sorted in memory.
"""

import struct
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from casework.evidence.bundle.links import Link

PART_BYTES: Final = 8 * 1024 * 1024
_MOST_PARTS: Final = 512  # files that are open at once
_SIZES: Final = struct.Struct(">HI")  # of the name of the stream and of the body


class BundleSpool:
    """Parts of a log, in a temporary folder that goes with it."""

    def __init__(self, bytes_expected: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="casework-deep-")
        count = max(1, min(_MOST_PARTS, -(-bytes_expected // PART_BYTES)))
        self.paths = [Path(self._folder.name) / f"{number:03}" for number in range(count)]
        self._files: list[BinaryIO] = [path.open("wb") for path in self.paths]

    def put(self, links: Sequence[Link], bodies: Sequence[bytes]) -> None:
        """The entries of a tile."""
        files, count, place_of, sizes = self._files, len(self._files), zlib.crc32, _SIZES.pack
        for link, body in zip(links, bodies, strict=True):
            name = link.stream.encode()
            files[place_of(name) % count].write(b"%b%b%b" % (sizes(len(name), len(body)), name, body))

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


def streams_of(path: Path) -> dict[str, list[bytes]]:
    """The bodies of a part by stream, in the order of the tree."""
    data, sizes = path.read_bytes(), _SIZES.unpack_from
    streams: dict[str, list[bytes]] = {}
    at = 0
    while at < len(data):
        named, long = sizes(data, at)
        begin = at + _SIZES.size + named
        name, at = data[begin - named : begin].decode(), begin + long
        streams.setdefault(name, []).append(data[begin:at])
    return streams
