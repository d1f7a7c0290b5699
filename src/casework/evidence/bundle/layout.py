"""What lies where in a bundle, and its manifest (docs/log.md §4). Pure.

Tree and entries lie as C2SP tlog-tiles has them (`tile/…`, `tile/entries/…`) beside `checkpoint`, the newest signed
note, so that other people's programs read them too. The manifest says what the bundle is meant to hold; it is no
evidence itself: what convicts is the tree below a signed checkpoint.
"""

from typing import Annotated, Final, Literal

import msgspec

from casework.log.format.tiles import TILE_WIDTH
from casework.log.format.tree import MAX_SIZE, Faulty

SCHEMA: Final = "casework/bundle/v1"
MANIFEST: Final = "MANIFEST.json"
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"  # a folder: earlier signed notes, named by their size
KEYS: Final = "log-keys"
TEXTS: Final = "texts"  # a folder: published charts and policies, named by their digest
DOSSIER: Final = "dossier.json"
ENTRIES: Final = "tile/entries"
MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024

Kind = Literal["whole", "period", "case"]
_Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]
_Path = Annotated[str, msgspec.Meta(pattern=r"\A(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,120}\Z")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class MalformedBundle(Faulty):
    """A folder that is no bundle.

    `code`: manifest_missing, manifest_malformed, scope_malformed.
    """


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bundle is about: the leaves [begin, end) of the log, the whole tree for `whole`.

    A period begins and ends where tiles do, so it holds some neighbours too; `from_at` and `to_at` are what was asked
    for. A case has no range: its entries lie in `dossier.json`.
    """

    kind: Kind
    begin: _Size = 0
    end: _Size = 0
    from_at: str | None = None
    to_at: str | None = None
    case: Annotated[int, msgspec.Meta(ge=1, le=MAX_SIZE)] | None = None


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the tree does not cover."""

    path: _Path
    bytes: _Size
    sha256: _Digest


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published text that lies in the bundle by its digest; what announces it may lie outside a period."""

    kind: Annotated[str, msgspec.Meta(max_length=16)]
    name: Annotated[str, msgspec.Meta(max_length=64)]
    digest: _Digest


class BundleManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bundle holds. `held` is the size of a checkpoint that its reader asked to be shown."""

    schema: Literal["casework/bundle/v1"]
    origin: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    made_at: Annotated[str, msgspec.Meta(max_length=40)]
    size: _Size
    scope: Scope
    files: Annotated[tuple[File, ...], msgspec.Meta(max_length=100_000)]
    held: _Size | None = None
    texts: Annotated[tuple[Text, ...], msgspec.Meta(max_length=10_000)] = ()

    def encode(self) -> bytes:
        """As the file has it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


_decode = msgspec.json.Decoder(BundleManifest).decode


def parse_manifest(data: bytes) -> BundleManifest:
    """MalformedBundle for what is no manifest, or one whose scope is not inside its tree."""
    try:
        manifest = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBundle("manifest_malformed") from None
    if not _fits(manifest.scope, manifest.size):
        raise MalformedBundle("scope_malformed")
    return manifest


def _fits(scope: Scope, size: int) -> bool:
    """Whether the range is what its kind says."""
    if scope.kind == "case":
        return scope.case is not None and scope.begin == scope.end == 0
    if scope.kind == "whole":
        return (scope.begin, scope.end, scope.case) == (0, size, None)
    begins, ends = scope.begin % TILE_WIDTH == 0, scope.end == size or scope.end % TILE_WIDTH == 0
    return scope.case is None and begins and ends and 0 <= scope.begin <= scope.end <= size


def rounded(begin: int, end: int, size: int) -> tuple[int, int]:
    """The range [begin, end) widened to whole tiles of a tree of `size` leaves."""
    return begin - begin % TILE_WIDTH, min(size, -(-end // TILE_WIDTH) * TILE_WIDTH)
