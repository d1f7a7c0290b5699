"""What a file shows instead of ids and texts: keyed pseudonyms, and control characters that no format can carry. Pure.

A pseudonym is equal for equal ids and tells nothing without the branch's key; it is the same in every export, so that
two files can be joined and the house can find the loan again by computing it.
"""

import base64
import hmac
import re
from functools import lru_cache
from typing import Final, Literal

from casework.evidence.mining.choices import Cover
from casework.personal import Vault

Kind = Literal["borrower", "loan", "staff"]
COVERS: Final[dict[Cover, frozenset[Kind]]] = {
    "none": frozenset(), "customers": frozenset({"borrower", "loan"}), "all": frozenset({"borrower", "loan", "staff"}),
}  # fmt: skip
_LABEL: Final = "casework/mining/v1/pseudonym"
_BYTES: Final = 10  # 80 bits: no two of a thousand million ids meet
# Neither XML 1.0 nor most readers of SQLite can hold these; JSON could.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Names:
    """Gives ids out as they are, or as pseudonyms (`~` and 16 characters)."""

    def __init__(self, vault: Vault, cover: Cover) -> None:
        # A key of its own purpose, derived from the branch's blind key.
        key = vault.blind(_LABEL, _LABEL)
        covered = COVERS[cover]

        @lru_cache(maxsize=100_000)  # the same few thousand ids come again and again
        def of(kind: Kind, value: str) -> str:
            if kind not in covered:
                return visible(value)
            digest = hmac.digest(key, f"{_LABEL}\n{kind}\x00{value}".encode(), "sha256")
            return "~" + base64.b32encode(digest[:_BYTES]).decode().lower()

        self.of = of


def visible(text: str) -> str:
    r"""The text with control characters spelled `\uXXXX` (and its backslashes doubled, if it has any of them)."""
    if _UNSEEN.search(text) is None:
        return text
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\\", "\\\\"))
