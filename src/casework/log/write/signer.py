"""The signer: its keys and its memory, which lie outside the database, and the checkpoints it gives out.

It signs a tree only if that tree begins with the one it signed last. What it signed last lies in the keys folder: a
database that was set back, or whose history was rewritten, it refuses (docs/log.md §§2, 4). A refusal stops
neither writers nor the sealing of leaves.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.note import LogKey, LogSigner
from casework.log.format.receipt import LABELS
from casework.log.format.tiles import MalformedTile
from casework.log.format.tree import (
    Faulty,
    ProofRefused,
    prove_consistency,
    verify_consistency,
)
from casework.log.tables import checkpoints
from casework.log.write.grown import (
    Log,
    hashes_of,
    last_published,
    present_log,
    root_at,
    size_of,
)
from casework.log.write.kept import (
    holding,
    is_private,
    log_keys_in,
    write_whole,
)
from casework.screen import on_screen
from casework.storage.database import reading, writing
from casework.written_file import written_to

KEYS_FILE: Final = "signing"
MEMORY_FILE: Final = "last-signed"
KNOWN_FILE: Final = "log-keys"
_LOCK_FILE: Final = "signing.lock"


class SecretKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signing key as its file has it; `until`: it is on its way out and signs beside the others until then."""

    secret: str
    until: datetime | None = None

    @property
    def signer(self) -> LogSigner:
        """MalformedKey when the file was altered."""
        return LogSigner.parse(self.secret)


class SigningKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log's signing keys, the present one last; all of one origin."""

    origin: str
    keys: tuple[SecretKey, ...]

    @property
    def present(self) -> LogSigner:
        """The key that goes on."""
        return self.keys[-1].signer

    def signing_at(self, at: datetime) -> list[LogSigner]:
        """Those that sign at an instant."""
        return [key.signer for key in self.keys if key.until is None or at < key.until]


# --- files


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The keys folder for oneself: one process at a time signs or changes keys."""
    with holding(folder, _LOCK_FILE):
        yield


def read_keys(folder: Path) -> SigningKeys:
    """CallerErrors `signing_key_missing`, `signing_key_unsafe` (permissions, or a content that is no key)."""
    path = folder / KEYS_FILE
    try:
        private, data = is_private(path), path.read_bytes()
    except OSError:
        raise CallerError("signing_key_missing") from None
    found = _decoded(data)
    if found is None or not private:
        raise CallerError("signing_key_unsafe")
    return found


def _decoded(data: bytes) -> SigningKeys | None:
    try:
        found = msgspec.json.decode(data, type=SigningKeys)
        return found if found.keys and all(key.signer.name == found.origin for key in found.keys) else None
    except (msgspec.DecodeError, Faulty):
        return None


def write_keys(folder: Path, keys: SigningKeys) -> None:
    """Store the keys, and their public halves among the known ones first: nothing is signed that nobody can verify."""
    texts = [key.text for key in known_keys(folder)]
    texts += [key.signer.key.text for key in keys.keys if key.signer.key.text not in texts]
    write_whole(folder / KNOWN_FILE, "".join(f"{text}\n" for text in texts).encode())
    write_whole(folder / KEYS_FILE, msgspec.json.encode(keys))


def known_keys(folder: Path) -> list[LogKey]:
    """Every key that this service ever signed with; a key's name is its log's origin. None without the file."""
    return log_keys_in(folder / KNOWN_FILE)


def new_key(origin: str) -> SecretKey:
    """A fresh key under the name of its log; CallerError `origin_malformed`.

    No log is named as the first line of what else is signed: its checkpoints could be taken for that. Nor with what is
    not seen, or turns the text around it: two names that look alike are one.
    """
    try:
        if origin.startswith(LABELS) or on_screen(origin) != origin:
            raise note.MalformedKey("malformed_name")
        return SecretKey(LogSigner(origin, secrets.token_bytes(note.SEED_BYTES)).secret_text)
    except Faulty:
        raise CallerError("origin_malformed", origin=origin) from None


def make_keys_once(folder: Path, origin: str) -> bool:
    """Make the signing key of the log `origin` where there was none ever; whether it was made now.

    A key that is gone is never replaced here: its log would go on under a key that nobody trusts. CallerError
    `origin_malformed`.
    """
    with held(folder):
        if (folder / KEYS_FILE).exists() or (folder / KNOWN_FILE).exists():
            return False
        write_keys(folder, SigningKeys(origin, (new_key(origin),)))
        return True


def signed_origin(folder: Path) -> str | None:
    """The log that these keys sign now, or signed last where the private key is gone; None where there was never one.

    CallerError `log_keys_malformed`.
    """
    try:
        return read_keys(folder).origin
    except CallerError:
        known = known_keys(folder)
        return known[-1].name if known else None


def read_memory(folder: Path) -> Checkpoint | None:
    """The checkpoint that was signed last, or none; CallerError `signer_memory_malformed`."""
    try:
        data = (folder / MEMORY_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return checkpoint.parse(note.parse(data).text)
    except Faulty:
        raise CallerError("signer_memory_malformed") from None


def write_memory(folder: Path, data: bytes) -> None:
    """Remember a signed checkpoint, on the disk before anybody sees it; CallerError `keys_folder_unwritable`."""
    with written_to(folder / MEMORY_FILE, "keys_folder_unwritable"):
        write_whole(folder / MEMORY_FILE, data)


# --- signing


def sign(engine: Engine, folder: Path, *, clock: Clock = now) -> Checkpoint | None:
    """Sign the tree as it is committed now and publish the checkpoint; none where there is nothing new.

    CallerErrors of a signer that refuses: signing_key_missing, signing_key_unsafe, signer_memory_malformed,
    signer_memory_missing, signer_other_log, tree_shrank, tree_not_consistent, tree_damaged, keys_folder_unwritable.
    """
    read_keys(folder)  # where the folder is gone none is made to be held: its copy comes back into that place
    with held(folder):
        keys = read_keys(folder)
        remembered = read_memory(folder)
        with reading(engine, snapshot=True) as conn:
            log = present_log(conn)
            if log is None:
                check_nothing_signed(remembered)
                return None
            size = size_of(conn, log)
            known = last_published(conn, log)
            current = Checkpoint(log.origin, size, checked_root(conn, log, size, keys.origin, remembered))
        if known is not None and known.size == size == (remembered.size if remembered else 0):
            return None
        at = clock()
        data = current.signed(*keys.signing_at(at))
        write_memory(folder, data)
        with writing(engine) as conn:
            _publish(conn, log, current, data, at)
    return current


def check_nothing_signed(remembered: Checkpoint | None) -> None:
    """CallerError `tree_shrank` where the signer remembers a log: a database without one was set back."""
    if remembered is not None:
        raise CallerError("tree_shrank", size=0, signed=remembered.size)


def check_not_set_back(conn: Connection, remembered: Checkpoint | None) -> None:
    """CallerErrors `tree_shrank`, `tree_damaged` by the log's length alone; the memory was read before the database is.

    For callers who do not sign themselves: it does not matter what they remember of another log, or that they do not.
    """
    log = present_log(conn)
    if log is None:
        check_nothing_signed(remembered)
    elif remembered is not None and remembered.origin == log.origin:
        _check_not_shorter(remembered, size_of(conn, log))


def checked_root(conn: Connection, log: Log, size: int, origin: str, remembered: Checkpoint | None) -> bytes:
    """The root of the log's `size` leaves, if its tree goes on from what was signed last; CallerErrors as `sign`."""
    if origin != log.origin or (remembered is not None and remembered.origin != log.origin):
        raise CallerError("signer_other_log", log=log.origin, signs=origin)
    if remembered is None and last_published(conn, log) is not None:
        raise CallerError("signer_memory_missing")
    if remembered is not None:
        _check_not_shorter(remembered, size)
    try:
        root = root_at(conn, log, size)
        if remembered is not None:
            proof = prove_consistency(remembered.size, size, hashes_of(conn, log, size))
            verify_consistency(remembered.size, size, proof, remembered.root, root)
    except MalformedTile:
        raise CallerError("tree_damaged", "树的部分数据缺失", "parts of the tree are missing") from None
    except ProofRefused:
        raise CallerError("tree_not_consistent") from None
    return root


def _check_not_shorter(remembered: Checkpoint, size: int) -> None:
    if remembered.size > size:
        raise CallerError("tree_shrank", "日志比签名者上次所签的短：数据库被回退或尾部被删",
                       "the log is shorter than the signer signed it: set back, or cut",
                       size=size, signed=remembered.size)  # fmt: skip


def _publish(conn: Connection, log: Log, current: Checkpoint, data: bytes, at: datetime) -> None:
    there = sa.select(checkpoints.c.size).where(checkpoints.c.log == log.number, checkpoints.c.size == current.size)
    if conn.execute(there).scalar() is None:
        values = {
            "log": log.number, "size": current.size, "root": current.root, "note": data, "published_at": at,
        }  # fmt: skip
        conn.execute(checkpoints.insert().values(values))
