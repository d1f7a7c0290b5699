"""Every code that a caller is answered with: its HTTP status and what it says, in Chinese and English. Pure.

One table, its entries in two files, read by API and shell. A text may name the facts that are told with it
(`{at_most}`), and what it is about (`{zh}`, `{en}`: a case where nothing else is said; `{opened}`: how its opening is
called). Whoever raises a code may say more than stands there. Of a noun that has no code of its own `unknown_<noun>`
and `<noun>_busy` are `unknown_noun` and `noun_busy`.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from casework import codes_of_records, codes_of_work


class Code(NamedTuple):
    """What a code means."""

    status: int
    zh: str
    en: str


CODES: Final[Mapping[str, Code]] = {
    name: Code(*meaning) for part in (codes_of_work, codes_of_records) for name, meaning in part.CODES.items()
}
_OF_CASES: Final = {"zh": "案件", "en": "case", "opened": "入催"}


def code_named(name: str) -> Code | None:
    """None for a code that is not in the table: the charts' own, by which a guard says why not."""
    known = CODES.get(name)
    if known is None and name.startswith("unknown_"):
        return CODES["unknown_noun"]
    return CODES["noun_busy"] if known is None and name.endswith("_busy") else known


def texts_of(name: str, facts: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """What a code says, zh and en; a code that is not in the table says itself."""
    known = code_named(name)
    if known is None:
        return name, name
    said = defaultdict(lambda: "…", {**_OF_CASES, **(facts or {})})
    return known.zh.format_map(said), known.en.format_map(said)
