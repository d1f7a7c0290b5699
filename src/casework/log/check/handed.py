"""Checkpoints that whoever verifies the live log brings along: a file, or all that a witness has in its folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from casework.errors import CallerError
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.note import MAX_NOTE_BYTES, LogKey, SignedNote
from casework.log.format.tree import Faulty
from casework.log.write import signer

COSIGNED: Final = "cosigned"
"""Where a witness keeps what it signed, in its folder."""
KEY_FILE: Final = "key"


class Handed(NamedTuple):
    """A checkpoint that a known key of its log has signed, and the note, which witnesses may have signed too."""

    checkpoint: Checkpoint
    signed: SignedNote


def handed_notes(keys_dir: Path, place: Path) -> list[Handed]:
    """The checkpoint in a file, or those in a folder (of a witness's: in its `cosigned`), by size.

    CallerErrors `checkpoint_not_trusted` where one is none that a known key of its log has signed, or there is none;
    `log_keys_malformed`.
    """
    keys = signer.known_keys(keys_dir)
    found = [_opened(path, keys) for path in _paths(place)]
    if not found:
        raise _not_trusted(place, "no_checkpoint")
    return sorted(found, key=lambda one: one.checkpoint.size)


def trusted_file(keys_dir: Path, file: Path) -> Checkpoint:
    """The checkpoint that somebody holds; CallerError `checkpoint_not_trusted` unless a known key has signed it."""
    return _opened(file, signer.known_keys(keys_dir)).checkpoint


def _paths(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    cosigned = place / COSIGNED
    if cosigned.is_dir():
        place = cosigned
    elif (place / KEY_FILE).exists():
        return  # a witness who has signed nothing yet: its own key is nobody's checkpoint
    for path in place.iterdir():
        if path.is_file() and not path.name.startswith("."):
            yield path


def _opened(file: Path, keys: Sequence[LogKey]) -> Handed:
    try:
        with file.open("rb") as opened:
            read = note.parse(opened.read(MAX_NOTE_BYTES + 1))
        held = checkpoint.parse(read.text)
        note.verified(read, [key for key in keys if key.name == held.origin])
    except (OSError, Faulty) as fault:
        raise _not_trusted(file, fault.code if isinstance(fault, Faulty) else "unreadable") from None
    return Handed(held, read)


def _not_trusted(file: Path, reason: str) -> CallerError:
    return CallerError("checkpoint_not_trusted", reason=reason, file=file.name)
