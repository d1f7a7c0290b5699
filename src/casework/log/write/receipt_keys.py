"""The key that signs receipts: its file beside the log's keys, its public halves, and its announcement in the log.

It is not the log's signing key, and losing it stops nothing: answers then carry no receipt until `casework db upgrade`
makes another. An entry of `log:<number>` says which key is in force, so that a copy of the log carries it.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.log.format import note
from casework.log.format.entry import MalformedEntry, SignedActor, decode_strict
from casework.log.format.key_history import RECEIPT_KEY
from casework.log.format.note import LogKey, LogSigner
from casework.log.format.receipt import NAME_ENDING, ReceiptSigner
from casework.log.format.tree import Faulty
from casework.log.tables import entries
from casework.log.write.grown import Log, present_log
from casework.log.write.kept import is_private, log_keys_in, write_whole
from casework.log.write.logs import PREFIX, hold_seal
from casework.log.write.trail import Draft, Trail
from casework.storage.database import reading, writing

KEY_FILE: Final = "receipts"
KNOWN_FILE: Final = "receipt-keys"


def make(folder: Path, origin: str) -> LogKey:
    """A fresh key for the receipts of the log `origin`, in the place of whatever is there; the public half.

    The public halves are written first: nothing is signed that nobody can verify.
    """
    signer = LogSigner(origin + NAME_ENDING, secrets.token_bytes(note.SEED_BYTES))
    texts = [key.text for key in known_keys(folder)]
    write_whole(folder / KNOWN_FILE, "".join(f"{text}\n" for text in (*texts, signer.key.text)).encode())
    write_whole(folder / KEY_FILE, f"{signer.secret_text}\n".encode())
    return signer.key


def make_once(folder: Path, origin: str) -> bool:
    """Make the key where there is none (it was lost, or never made) or another log's; whether it was made now."""
    signer = read_signer(folder)
    if signer.origin == origin if signer else (folder / KEY_FILE).exists():
        return False
    make(folder, origin)
    return True


def read_signer(folder: Path) -> ReceiptSigner | None:
    """Who signs receipts; None where the file is missing, read by others, or holds no such key."""
    path = folder / KEY_FILE
    try:
        if not is_private(path):
            return None
        return ReceiptSigner(LogSigner.parse(path.read_text(encoding="utf-8").removesuffix("\n")))
    except (OSError, UnicodeDecodeError, Faulty):
        return None


def known_keys(folder: Path) -> list[LogKey]:
    """Every key that this service ever signed receipts with; CallerError `log_keys_malformed`."""
    return log_keys_in(folder / KNOWN_FILE)


class ReceiptKey:
    """The signer as its file has it now: asked before each receipt, so that a new key needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = str(folder / KEY_FILE)  # joined once: it takes longer than to look at the file
        self._seen: tuple[int, int] | None = None
        self._signer: ReceiptSigner | None = None

    def signer(self) -> ReceiptSigner | None:
        """None while there is no key that may be used."""
        try:
            found = os.stat(self._file)  # noqa: PTH116 - a quarter of the time of Path.stat, for each answer
        except OSError:
            self._seen = None
            return None
        seen = (found.st_mtime_ns, found.st_ino)
        if seen != self._seen:
            self._signer, self._seen = read_signer(self._folder), seen
        return self._signer


# --- the announcement


def announcement(folder: Path, origin: str, actor: SignedActor) -> list[Draft]:
    """What the log `origin` is to say of its key for receipts; nothing where there is none for it."""
    signer = read_signer(folder)
    if signer is None or signer.origin != origin:
        return []
    return [Draft(RECEIPT_KEY, actor, {"receipt_key": signer.key.text})]


def announced(conn: Connection, log: Log) -> list[str]:
    """The keys that the log has announced, as texts, the newest last; what cannot be read is passed over."""
    wanted = sa.select(entries.c.body).where(
        entries.c.stream == f"{PREFIX}:{log.number}", entries.c.event == RECEIPT_KEY
    )
    found = []
    for body in conn.execute(wanted.order_by(entries.c.stream_seq)).scalars():
        try:
            key = decode_strict(bytes(body)).data.get("receipt_key")
        except MalformedEntry:
            continue
        if isinstance(key, str):
            found.append(key)
    return found


class Announcing:
    """The sealer's chore: has the present log say which key signs receipts, once for each key."""

    def __init__(self, engine: Engine, folder: Path, trail: Callable[[], Trail], actor: SignedActor) -> None:
        self._engine = engine
        self._folder = folder
        self._key = ReceiptKey(folder)
        self._trail = trail
        self._actor = actor
        self._said: tuple[int, str] | None = None

    def __call__(self) -> None:
        """Nothing where it is said, where no log has begun, and where the key is another log's."""
        signer = self._key.signer()
        if signer is None:
            return
        with reading(self._engine) as conn:
            log = present_log(conn)
            if log is None or log.origin != signer.origin or self._said == (log.number, signer.key.text):
                return
            is_said = signer.key.text in announced(conn, log)
        if not is_said:
            with writing(self._engine) as conn:
                hold_seal(conn)  # another process may be about to say it
                if present_log(conn) == log and signer.key.text not in announced(conn, log):
                    trail = self._trail()
                    for draft in announcement(self._folder, log.origin, self._actor):
                        trail.append(conn, f"{PREFIX}:{log.number}", draft)
                    trail.write(conn)
        self._said = (log.number, signer.key.text)
