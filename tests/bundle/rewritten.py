"""An exported bundle rewritten by who has the signing key: links, tree and signature fit again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from casework.log.format.chain import leaf_hash
from casework.log.format.entry import Entry, decode_strict, encode
from casework.log.format.key_history import BEGUN
from casework.log.format.tiles import decode_bundle, parse_path
from tests.bundle.forged import ORIGIN, REAL, write


def bodies_of(bundle: Path) -> list[bytes]:
    """Every body, in the order of the tree."""
    found = []
    for path in sorted((bundle / "tile/entries").rglob("*")):
        if path.is_file():
            found += decode_bundle(path.read_bytes(), parse_path(str(path.relative_to(bundle))).width)
    return found


def rewrite(bundle: Path, event: str, change: Callable[[Entry], Entry]) -> None:
    """The last entry of `event` changed, and everything made to fit it, under the key that the log now states."""
    entries = [decode_strict(body) for body in bodies_of(bundle)]
    place = max(number for number, entry in enumerate(entries) if entry.event == event)
    entries[place] = change(entries[place])
    data = {"origin": ORIGIN, "key": REAL.key.text, "succeeds": None}
    entries[0] = msgspec.structs.replace(entries[0], event=BEGUN, data=data)
    heads: dict[str, bytes] = {}
    made = []
    for entry in entries:
        before = heads.get(entry.stream)
        made.append(encode(msgspec.structs.replace(entry, prev=before.hex() if before else None)))
        heads[entry.stream] = leaf_hash(made[-1])
    kept = bundle.with_name("texts")
    shutil.move(bundle / "texts", kept)
    shutil.rmtree(bundle)
    write(bundle, made)
    shutil.move(kept, bundle / "texts")
