"""A column of a file that people send, declared once: read, told in faults and explained in templates by this. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Self

from casework.ids import has_control
from casework.personal import mask

Read = Callable[[str, str], Any]
"""From a cell that is not empty, and its column's name, to a value; `BadCell`."""
_UNIT = re.compile(r"[(（](?:元|人民币元|yuan|cny|天|days)[)）]$")
_SHOWN: Final = 40  # characters of a value that are repeated
_CALLED: Final = 5  # names of a code that are told
# What is somebody's number in whatever column it stands: a mobile phone's, an identity card's.
_PHONE: Final = 11  # digits of a mobile phone
_PERSONAL: Final = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|[1-9]\d{5}(?:19|20)\d{9}[\dXx])(?![\dXx])")


def normal(name: str) -> str:
    """A header as it is compared: width, case, blanks, dashes and a unit in brackets make no difference."""
    text = unicodedata.normalize("NFKC", name).strip().lower()
    text = _UNIT.sub("", text).strip()
    return re.sub(r"[\s\-]+", "_", text) if text.isascii() else re.sub(r"\s+", "", text)


def is_ours(header: str) -> bool:
    """Whether a column of a mended file says what was wrong with its rows."""
    return "set_aside_" in normal(header)


class CellKind(NamedTuple):
    """What a cell may hold, in words, and a cell that may; `read`: what makes a value of it, where its file has none.

    `code`: a value of a fixed set, or one that names nobody: it is repeated as it came. Other texts are not.
    """

    zh: str
    en: str
    example: str
    read: Read | None = None
    code: bool = True


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column: our name, what its cells hold, whether a row needs it, what else a file may call it, an example.

    `personal`: what is repeated of a cell is masked. `may_be_empty`: the file needs the column, a row no value in it.
    """

    name: str
    kind: CellKind
    compulsory: bool = False
    aliases: tuple[str, ...] = ()
    example: str | None = None
    personal: bool = False
    may_be_empty: bool = False

    @property
    def zh(self) -> str:
        """What a file in Chinese calls it."""
        return self.aliases[0] if self.aliases else self.name

    @property
    def filled(self) -> str:
        """An invented cell that can be read."""
        return self.kind.example if self.example is None else self.example

    def like(self, **changes: Any) -> Self:
        """The same column where something of it is other."""
        return replace(self, **changes)

    def shown(self, cell: str) -> str | None:
        """As much of a cell as may be repeated to whoever sent it; none where it is empty."""
        text = "".join(char for char in cell.strip() if not has_control(char))
        if not text:
            return None
        if self.personal:
            return mask(self.name, text[: _SHOWN * 2])
        if not self.kind.code:
            return mask("text", text)
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        return _PERSONAL.sub(lambda found: mask("phone" if len(found[0]) == _PHONE else "id_number", found[0]), text)


@dataclass(frozen=True, slots=True)
class FileForm:
    """A kind of file: its word, what it is called, how the shell takes one, its columns."""

    word: str
    zh: str
    en: str
    shell: str
    columns: tuple[FileColumn, ...]


def names_of(columns: Iterable[FileColumn]) -> dict[str, str]:
    """By `normal` of whatever a file may call it, the column."""
    return {normal(name): column.name for column in columns for name in (column.name, *column.aliases)}


def one_of(words: Mapping[str, str], example: str, read: Read | None = None) -> CellKind:
    """A cell that holds a code or a word for it; `words`: code by word, each code among them."""
    called: dict[str, list[str]] = {}
    for word, code in words.items():
        called.setdefault(code, []).extend([word] * (word != code))
    also = {code: "、".join(some[:_CALLED]) for code, some in called.items()}
    zh = "；".join(f"{code}（{some}）" if some else code for code, some in also.items())
    en = "; ".join(f"{code} ({some})" if some else code for code, some in also.items())
    return CellKind(f"须为其中之一：{zh}", f"one of: {en}", example, read)
