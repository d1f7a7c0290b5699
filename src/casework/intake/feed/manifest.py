"""The manifest of a feed folder, and the bytes of the files that it vouches for.

A feed folder may come from anywhere: names are single path components, links and pipes are not followed, and
no file is read beyond a bound.
"""

import hashlib
import os
import stat
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import msgspec

from casework.customer import INSTITUTION
from casework.errors import CallerError
from casework.intake.feed.headers import Kind
from casework.rules.statechart.fields import EARLIEST, LATEST

MANIFEST: Final = "manifest.json"
MANIFEST_LIMIT: Final = 1 << 20  # bytes; a manifest of four files has under a thousand
FILE_LIMIT: Final = 256 << 20  # bytes of a file as it lies there; a branch's largest has some ten million

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x1f/\\.][^\x00-\x1f/\\]*\Z", max_length=200)]
_Institution = Annotated[str, msgspec.Meta(pattern=rf"\A{INSTITUTION}\Z")]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-fA-F]{64}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Fen = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]


class FileEntry(msgspec.Struct, frozen=True):
    """What the manifest says of one file; the control sum is in fen, none for contacts."""

    name: _Name
    kind: Kind
    rows: _Count
    sha256: _Sha256
    control_sum_fen: _Fen | None = None


class FeedManifest(msgspec.Struct, frozen=True):
    """The institution's statement of what it sends for the close of one business day."""

    as_of: date
    institution: _Institution
    files: Annotated[list[FileEntry], msgspec.Meta(min_length=1, max_length=16)]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over day, institution and each file's kind and digest, in any order."""
        files = sorted((entry.kind, entry.sha256.lower()) for entry in self.files)
        statement = [self.as_of.isoformat(), self.institution, files]
        return hashlib.sha256(msgspec.json.encode(statement)).hexdigest()


def read_manifest(folder: Path) -> FeedManifest:
    """The manifest of `folder`, sound in itself.

    `CallerError`: folder_missing, manifest_missing, manifest_malformed, file_unreadable.
    """
    if not folder.is_dir():
        raise CallerError("folder_missing")
    try:
        content = read_bounded(folder, MANIFEST, MANIFEST_LIMIT)
    except FileNotFoundError:
        raise CallerError("manifest_missing") from None
    try:
        manifest = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=FeedManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(str(error)) from None
    if not EARLIEST <= manifest.as_of <= LATEST:
        raise _malformed("as_of is no business date")
    kinds = [entry.kind for entry in manifest.files]
    names = [entry.name for entry in manifest.files]
    if len(set(kinds)) < len(kinds):
        raise _malformed("a kind of file is listed twice")
    if len(set(names)) < len(names):
        raise _malformed("a file is listed twice")
    if "overdue" not in kinds:
        raise _malformed("it lists no overdue file, which every feed has")
    for entry in manifest.files:
        if entry.kind == "contacts" and entry.control_sum_fen:
            raise _malformed("contacts have no amounts, so no control sum")
        if entry.kind != "contacts" and entry.control_sum_fen is None:
            raise _malformed(f"{entry.kind} has no control_sum_fen")
    return manifest


def read_files(folder: Path, manifest: FeedManifest) -> dict[Kind, bytes]:
    """The bytes of every file listed, each compared with its digest before any is looked into.

    `CallerError`: file_missing, file_unreadable, file_too_large, file_digest_differs.
    """
    return {entry.kind: read_file(folder, entry) for entry in manifest.files}


def read_file(folder: Path, entry: FileEntry) -> bytes:
    """The bytes of one of them, errors as `read_files`."""
    try:
        content = read_bounded(folder, entry.name, FILE_LIMIT)
    except FileNotFoundError:
        raise CallerError("file_missing", file=entry.name) from None
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256.lower():
        raise CallerError("file_digest_differs", file=entry.name, stated=entry.sha256.lower(), found=found)
    return content


def read_bounded(folder: Path, name: str, limit: int) -> bytes:
    """The bytes of a regular file in `folder`.

    FileNotFoundError, or `CallerError` file_unreadable, file_too_large.
    """
    # No link is followed out of the folder, and opening a pipe does not wait for its writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(folder / name, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _unreadable(name)
            content = file.read(min(limit, found.st_size) + 1)  # so much is set aside for it at once
    except FileNotFoundError:
        raise
    except OSError:
        raise _unreadable(name) from None
    if len(content) > limit:
        raise CallerError("file_too_large", file=name, limit_bytes=limit)
    return content


def _unreadable(name: str) -> CallerError:
    return CallerError("file_unreadable", file=name)


def _malformed(reason: str) -> CallerError:
    return CallerError("manifest_malformed", reason=reason)
