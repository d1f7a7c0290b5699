"""The header `Prefer` (RFC 7240): whether to answer only once sealed, and how long to wait for it. Pure.

What is not understood is passed over, as the RFC asks: a preference is never a reason to refuse.
"""

import re
from typing import Final

MAX_WAIT_S: Final = 30
DEFAULT_WAIT_S: Final = 5
SEALED: Final = "sealed"
_MAX_BYTES: Final = 1_024

_PART = re.compile(rb'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"([^"\\]*)"|([!#$%&\'*+.^_`|~0-9A-Za-z-]*)))?\s*')


def sealed_wait_s(headers: list[bytes]) -> int | None:
    """For how many seconds to wait until what was changed is sealed; None where that is not asked for.

    `headers` are the values of every `Prefer` of the request. `wait` counts beside `sealed` or as its parameter, the
    first one given; no number: 5 s; more than 30: 30 s.
    """
    found: dict[bytes, bytes] = {}
    for value in headers:
        for part in re.split(rb"[,;]", value[:_MAX_BYTES]):
            match = _PART.fullmatch(part)
            if match is not None:
                found.setdefault(match[1].lower(), match[2] or match[3] or b"")
    if found.get(SEALED.encode()) != b"":
        return None
    wait = found.get(b"wait", b"")
    return min(int(wait), MAX_WAIT_S) if wait.isdigit() and len(wait) <= 9 else DEFAULT_WAIT_S
