"""The commands of a paper, by the first line of their block, which is its title."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_BLOCK = re.compile(r"^```sh\n# (?P<title>[^\n]*)\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(paper: Path) -> dict[str, str]:
    """What a shell is to run, by title, in the order of the paper."""
    return {found["title"]: found["commands"] for found in _BLOCK.finditer(paper.read_text(encoding="utf-8"))}
