"""Which witnesses this branch knows: the file `witnesses` in the keys folder, one verifier key a line (kind 0x04)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from casework.errors import CallerError
from casework.log.format.checkpoint import WitnessKey
from casework.log.format.tree import Faulty
from casework.log.write.kept import write_whole
from casework.screen import on_screen

FILE: Final = "witnesses"
MAX_WITNESSES: Final = 32
"""Each adds a line to every checkpoint that is given out; a note holds at most 100."""
MAX_KEY_TEXT: Final = 255


def known_witnesses(folder: Path) -> list[WitnessKey]:
    """In the order in which they were added; none without the file. CallerError `witnesses_malformed`."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").split("\n")
    except OSError:
        return []
    except UnicodeDecodeError:
        raise _malformed() from None
    try:
        return [WitnessKey.parse(line) for line in lines if line]
    except Faulty:
        raise _malformed() from None


def add(folder: Path, text: str) -> WitnessKey:
    """Know one more, once.

    CallerErrors `witness_key_malformed`, `witnesses_malformed`, `too_many_witnesses`, and `witness_doubled` where
    another of that name and key id is known.
    """
    key = parse_key(text)
    known = known_witnesses(folder)
    if key in known:
        return key
    if len(known) >= MAX_WITNESSES:
        raise CallerError("too_many_witnesses", at_most=MAX_WITNESSES)
    if any((one.name, one.key_id) == (key.name, key.key_id) for one in known):
        raise CallerError("witness_doubled")
    _write(folder, (*known, key))
    return key


def remove(folder: Path, name: str) -> list[WitnessKey]:
    """Forget every key of that name (or the one whose text it is); what they cosigned stays.

    CallerError `unknown_witness`.
    """
    known = known_witnesses(folder)
    gone = [key for key in known if name in (key.name, key.text)]
    if not gone:
        raise CallerError("unknown_witness", witness=name)
    _write(folder, (key for key in known if key not in gone))
    return gone


def parse_key(text: str) -> WitnessKey:
    """CallerError `witness_key_malformed` with what is wrong."""
    try:
        key = WitnessKey.parse(text)
    except Faulty as fault:
        reason = fault.code
    else:
        if len(text) <= MAX_KEY_TEXT and on_screen(key.name) == key.name:
            return key
        reason = "too_long" if len(text) > MAX_KEY_TEXT else "malformed_name"
    raise CallerError("witness_key_malformed", reason=reason)


def _write(folder: Path, keys: Iterable[WitnessKey]) -> None:
    write_whole(folder / FILE, "".join(f"{key.text}\n" for key in keys).encode())


def _malformed() -> CallerError:
    return CallerError("witnesses_malformed", f"文件 {FILE} 内容不正确", f"the file {FILE} is not one of witness keys")
