"""Files that people approved: what the product did when somebody last looked and agreed, word for word.

A test that differs from its file fails and shows the lines. If the change is meant, make the file anew with
`CASEWORK_APPROVE=1 .venv/bin/python -m pytest tests/net -n 0` and read the difference line by line: that is the
approval.
"""

import difflib
import os
from pathlib import Path

APPROVED = Path(__file__).with_name("approved")
_SHOWN = 80


def differences(name: str, text: str) -> str:
    """The lines in which `text` differs from what was approved, none if it is the same; writes it to approve it."""
    file = APPROVED / name
    if os.environ.get("CASEWORK_APPROVE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return ""
    before, now = file.read_text().splitlines(), text.splitlines()
    lines = list(difflib.unified_diff(before, now, f"{name}, approved", f"{name}, now", lineterm="", n=0))
    more = [f"… {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more])
