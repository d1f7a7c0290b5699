"""The bytes of a case's dossier: its entries, each with its proof, and what they are proven with (decision 0019).

Pure. What it shows, and how it is verified: `casework.log.check.dossier`.
"""

from typing import Final, Literal

import msgspec

from casework.log.format.tree import Faulty

SCHEMA: Final = "casework/dossier/v1"
MAX_ENTRIES: Final = 20_000
MAX_BODIES_BYTES: Final = 64 * 2**20
MAX_DOSSIER_BYTES: Final = 256 * 2**20
"""Room for so many entries and bytes of bodies, every quote of theirs escaped, with 63 hashes each."""


class MalformedDossier(Faulty):
    """Bytes that are no dossier: dossier_size, not_json, wrong_shape, not_canonical, no_entries, too_many_entries."""


class ProvenEntry(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One entry: its exact canonical bytes as text, where it stands in the tree, the hashes to the root in base64."""

    leaf_index: int
    body: str
    proof: list[str]


class ProvenHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the last of the case's `entries` is the head that the log stated for the case.

    `entry` is the statement (`log.heads`); `index` the case's place among all cases, `proof` the hashes from there to
    the root that it states. How many cases there are, and of how many leaves it speaks, stands in the entry alone.
    """

    entry: ProvenEntry
    index: int
    proof: list[str]


class Disclosed(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What a commitment of entry `seq` hides: its salt in hex, and the text."""

    seq: int
    field: str
    salt: str
    value: str


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the log goes on from a checkpoint of `size` leaves, which its reader holds: the consistency proof."""

    size: int
    proof: list[str]


class Dossier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The document. `checkpoint` is the signed note under which everything is proven; `made_at` is nobody's proof.

    `list_acts` is left out where there are none, as in dossiers that were made before it was there.
    """

    schema: Literal["casework/dossier/v1"]
    case: int
    origin: str
    checkpoint: str
    entries: list[ProvenEntry]
    heads: ProvenHead
    later: list[ProvenEntry]
    list_acts: list[ProvenEntry] = []
    openings: list[Disclosed]
    since: Since | None
    made_at: str


_decode = msgspec.json.Decoder(Dossier).decode


def encode(dossier: Dossier) -> bytes:
    """The one byte form of a dossier: one line of JSON in the order of the fields."""
    return msgspec.json.encode(dossier) + b"\n"


def parse(data: bytes) -> Dossier:
    """The dossier whose bytes are exactly `data`; MalformedDossier for every other byte string. Nothing is proven."""
    if len(data) > MAX_DOSSIER_BYTES:
        raise MalformedDossier("dossier_size")
    try:
        found = _decode(data)
    except msgspec.ValidationError:
        raise MalformedDossier("wrong_shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedDossier("not_json") from None
    if not found.entries:
        raise MalformedDossier("no_entries")
    if len(found.entries) + len(found.later) + len(found.list_acts) > MAX_ENTRIES:
        raise MalformedDossier("too_many_entries")
    try:  # written again: finds repeated keys, other orders, spaces and escapes
        canonical = encode(found) == data
    except UnicodeEncodeError:  # a lone surrogate
        canonical = False
    if not canonical:
        raise MalformedDossier("not_canonical")
    return found
