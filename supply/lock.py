"""What a lock pins: name, version, on which systems, and who needs it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: *; *([^\\\n]+?))? *\\?$", re.MULTILINE)
_VIA = re.compile(r"^    # (?:via|  ) *(\S+)", re.MULTILINE)


class Pin(NamedTuple):
    """A package of one version; `marker` says on which systems, "" on all; `needed_by` are packages, or a file."""

    name: str
    version: str
    marker: str
    needed_by: tuple[str, ...]

    @property
    def is_for_here(self) -> bool:
        """Whether it is installed on this system."""
        return not self.marker or Marker(self.marker).evaluate()


def pins(lock: Path) -> Iterator[Pin]:
    """In the order of the file; ValueError for one that has nothing pinned."""
    text = lock.read_text(encoding="utf-8")
    found = list(_PIN.finditer(text))
    if not found:
        raise ValueError(f"{lock.name} pins nothing")
    ends = [one.start() for one in found[1:]] + [len(text)]
    for one, end in zip(found, ends, strict=True):
        needed_by = tuple(name for name in _VIA.findall(text, one.end(), end) if name != "via")
        yield Pin(canonicalize_name(one[1]), one[2], one[3] or "", needed_by)
