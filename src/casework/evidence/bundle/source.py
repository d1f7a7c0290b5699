"""Reading a bundle's files: regular ones only, of a bounded size, whatever somebody put there."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from casework.evidence.bundle.layout import (
    CHECKPOINT,
    CHECKPOINTS,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    BundleManifest,
    parse_manifest,
)
from casework.log.format.chain import HASH_BYTES
from casework.log.format.note import MAX_NOTE_BYTES
from casework.log.format.tiles import (
    MAX_ENTRY_BYTES,
    TILE_WIDTH,
    Bundle,
    Tile,
)

MAX_TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)
MAX_TEXT_BYTES: Final = 4 * 1024 * 1024
_DEEPEST: Final = 6  # folders below `tile/entries`: numbers of tiles in groups of three, and that of a partial one
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Missing(Exception):
    """A file that is not there, is no regular file, or is larger than it may be. `path` is relative to the bundle."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def _read(handle: int, size: int) -> bytes:
    """As much as the file had when it was looked at."""
    data = os.read(handle, size)
    while len(data) < size and (more := os.read(handle, size - len(data))):
        data += more
    return data


@dataclass(frozen=True, slots=True)
class Source:
    """A folder that is said to be a bundle; what it holds is judged by whoever reads."""

    folder: Path

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file, at most `limit`; Missing."""
        try:
            handle = os.open(self.folder / path, _FLAGS)
        except OSError:
            raise Missing(path) from None
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                raise Missing(path)
            return _read(handle, about.st_size)
        except OSError:
            raise Missing(path) from None
        finally:
            os.close(handle)

    def manifest(self) -> BundleManifest:
        """Missing, MalformedBundle."""
        return parse_manifest(self.read(MANIFEST, MAX_MANIFEST_BYTES))

    def checkpoint(self) -> bytes:
        """The newest signed note; Missing."""
        return self.read(CHECKPOINT, MAX_NOTE_BYTES)

    def tile(self, tile: Tile) -> bytes:
        """Missing."""
        return self.read(tile.path, MAX_TILE_BYTES)

    def entries(self, bundle: Bundle) -> bytes:
        """Missing."""
        return self.read(bundle.path, MAX_BUNDLE_BYTES)

    def files_below(self, folder: str, at_most: int) -> int:
        """How many files lie in a folder and the folders in it, counted to `at_most`; no deeper than tiles do."""
        found, waiting = 0, [(self.folder / folder, 0)]
        while waiting and found < at_most:
            here, depth = waiting.pop()
            with suppress(OSError), os.scandir(here) as names:
                for one in names:
                    if one.is_file(follow_symlinks=False):
                        found += 1
                    elif depth < _DEEPEST and one.is_dir(follow_symlinks=False):
                        waiting.append((Path(one.path), depth + 1))
        return min(found, at_most)

    def checkpoints(self) -> list[str]:
        """The paths of the earlier notes."""
        return [f"{CHECKPOINTS}/{name}" for name in self.names(CHECKPOINTS)]

    def names(self, folder: str) -> list[str]:
        """What lies in a folder of the bundle, in order; nothing where it is not there."""
        try:
            return sorted(found.name for found in (self.folder / folder).iterdir())
        except OSError:
            return []
