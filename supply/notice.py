"""`NOTICE.md`: what casework needs when it runs, and under which licences. `python -m supply.notice` writes it anew.

The packages are those of `requirements.txt`, their licences what pip-licenses reads in the installed packages.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from supply.lock import ROOT, Pin, pins

NOTICE: Final = ROOT / "NOTICE.md"
_HEAD: Final = """# Licences

What casework needs when it runs, as `requirements.txt` pins it. None of it is part of this repository: it is installed
from the Python Package Index. Made by `make notice`, with pip-licenses, from what the packages say of themselves.
"""


class NotTold(Exception):
    """A package is not installed as it is pinned, or does not say its licence."""


def notice(lock: Path) -> str:
    """The text; NotTold where a licence would have to be guessed."""
    needed = list(pins(lock))
    here = [pin for pin in needed if pin.is_for_here]
    told = _told([pin.name for pin in here])
    lines = [_HEAD, _of_litestar(needed), "", "| package | version | licence | needed by |", "|---|---|---|---|"]
    for pin in here:
        version, licence = told.get(pin.name, ("", ""))
        if version != pin.version or licence in ("", "UNKNOWN"):
            raise NotTold(f"{pin.name}: {pin.version} is pinned, {version or 'none'} is installed, licence {licence!r}")
        lines.append(f"| {pin.name} | {pin.version} | {licence} | {', '.join(pin.needed_by)} |")
    elsewhere = [f"{pin.name} {pin.version} (`{pin.marker}`)" for pin in needed if not pin.is_for_here]
    if elsewhere:
        lines += ["", f"On other systems also: {', '.join(elsewhere)}."]
    return "\n".join(lines) + "\n"


def _of_litestar(needed: Sequence[Pin]) -> str:
    its = {pin.name: "casework" in pin.needed_by for pin in needed if "litestar" in pin.needed_by}
    brought, shared = (
        ", ".join(name for name, is_ours in its.items() if is_ours == wanted) for wanted in (False, True)
    )
    text = f"Litestar itself requires {brought}; and {shared}, which casework asks for too. What these need is below."
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _told(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Version and licence of each installed package; some hand in the whole text, of which the first line names it."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed", "--packages", *names]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # ours
    return {
        canonicalize_name(one["Name"]): (one["Version"], one["License"].strip().partition("\n")[0].strip())
        for one in json.loads(done.stdout)
    }


if __name__ == "__main__":
    NOTICE.write_text(notice(ROOT / "requirements.txt"), encoding="utf-8")
