"""A witness's folder (0700): its key, whom it trusts, what it signed last, and everything that it signed.

`key` (0600), `trusted` (verifier keys of one log), `last` (the cosigned checkpoint that is remembered),
`cosigned/<size>`, `handed-in` (the largest size that the branch has taken), `refused/` (what was refused: evidence).
"""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from casework.errors import CallerError
from casework.evidence.witness.judging import trust_of
from casework.log.check import handed
from casework.log.format import note
from casework.log.format.checkpoint import (
    Checkpoint,
    Cosigner,
    SignedCheckpoint,
    Trust,
)
from casework.log.format.tree import Faulty
from casework.log.write.kept import is_private, write_whole
from casework.log.write.witnesses import MAX_KEY_TEXT
from casework.screen import on_screen

KEY_FILE: Final = handed.KEY_FILE
TRUSTED_FILE: Final = "trusted"
MEMORY_FILE: Final = "last"
HANDED_IN_FILE: Final = "handed-in"
COSIGNED: Final = handed.COSIGNED
REFUSED: Final = "refused"
LOCK: Final = "lock"
MAX_REFUSED: Final = 100
"""Refused notes that are kept: a log that shows another fork each minute must not fill the disk."""


def make(folder: Path, name: str) -> Cosigner:
    """A folder with a new key; CallerErrors `witness_exists`, `witness_name_malformed`."""
    if (folder / KEY_FILE).exists():
        raise CallerError("witness_exists")
    try:
        cosigner = Cosigner(name, secrets.token_bytes(note.SEED_BYTES))
    except Faulty:
        cosigner = None
    if cosigner is None or len(cosigner.key.text) > MAX_KEY_TEXT or on_screen(name) != name:
        raise CallerError("witness_name_malformed")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / KEY_FILE, f"{cosigner.secret_text}\n".encode())
    return cosigner


def read_key(folder: Path) -> Cosigner:
    """CallerErrors `witness_missing`, `witness_key_unsafe` (permissions, or a content that is no key)."""
    path = folder / KEY_FILE
    try:
        private, text = is_private(path), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CallerError("witness_missing") from None
    try:
        if private:
            return Cosigner.parse(text.removesuffix("\n"))
    except Faulty:
        pass
    raise CallerError("witness_key_unsafe")


# --- whom it trusts


def trust_also(folder: Path, texts: Sequence[str]) -> Trust:
    """Trust further keys of the log; CallerErrors as `judging.trust_of`, also when the folder is another log's."""
    known = trusted_texts(folder)
    trust = trust_of([*known, *(text for text in dict.fromkeys(texts) if text not in known)])
    write_whole(folder / TRUSTED_FILE, "".join(f"{key.text}\n" for key in trust.log_keys).encode())
    return trust


def trusted_texts(folder: Path) -> list[str]:
    """The verifier keys as the file has them; none without it."""
    try:
        return [line for line in (folder / TRUSTED_FILE).read_text(encoding="utf-8").split("\n") if line]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise _unreadable(TRUSTED_FILE) from None


# --- what it has signed


def remembered(folder: Path, trust: Trust) -> SignedCheckpoint | None:
    """What was cosigned last; CallerError `witness_memory_damaged`: nothing may be signed until somebody has looked.

    A memory that cannot be read is never taken for none: that would be first contact again.
    """
    try:
        data = (folder / MEMORY_FILE).read_bytes()
    except FileNotFoundError:
        if any((folder / COSIGNED).glob("*")):
            raise _unreadable(MEMORY_FILE) from None
        return None
    except OSError:
        raise _unreadable(MEMORY_FILE) from None
    try:
        return trust.open(data)
    except Faulty:
        raise _unreadable(MEMORY_FILE) from None


def remember(folder: Path, cosigned: bytes, checkpoint: Checkpoint) -> Path:
    """Keep a cosigned note, on the disk at return; the memory first: the rest can be made of it (`restore`)."""
    write_whole(folder / MEMORY_FILE, cosigned)
    write_whole(path_of(folder, checkpoint), cosigned)
    return path_of(folder, checkpoint)


def restore(folder: Path, cosigned: bytes, checkpoint: Checkpoint) -> None:
    """Put what is remembered among what was cosigned, where a crash came between the two."""
    if not path_of(folder, checkpoint).exists():
        write_whole(path_of(folder, checkpoint), cosigned)


def path_of(folder: Path, checkpoint: Checkpoint) -> Path:
    """Where the cosigned note of this size lies."""
    return folder / COSIGNED / str(checkpoint.size)


def keep_refused(folder: Path, code: str, offered: bytes) -> Path | None:
    """Keep what was refused, once; None where there are too many of them."""
    path = folder / REFUSED / f"{code}-{hashlib.sha256(offered).hexdigest()[:16]}"
    if path.exists():
        return path
    if path.parent.is_dir() and len(list(path.parent.iterdir())) >= MAX_REFUSED:
        return None
    write_whole(path, offered)
    return path


# --- what was handed in


def not_handed_in(folder: Path) -> list[int]:
    """Sizes that were cosigned and that the branch has not taken, the smallest first."""
    try:
        done = int((folder / HANDED_IN_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        done = -1
    there = (path.name for path in (folder / COSIGNED).glob("*"))
    return sorted(size for name in there if name.isascii() and name.isdecimal() and (size := int(name)) > done)


def mark_handed_in(folder: Path, size: int) -> None:
    """The branch has taken this size; smaller ones need not be handed in any more."""
    write_whole(folder / HANDED_IN_FILE, f"{size}\n".encode())


def _unreadable(name: str) -> CallerError:
    return CallerError("witness_memory_damaged", file=name)
